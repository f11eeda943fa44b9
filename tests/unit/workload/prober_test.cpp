#include <doctest/doctest.h>

#include "actors/workload/backoff.hpp"
#include "actors/workload/prober.hpp"

namespace legion::prober_test {

using namespace legion::workload;
using namespace std::chrono_literals;

namespace {

const time_point start{1000s};

} // namespace

TEST_SUITE("workload/backoff") {

  TEST_CASE("the first restart comes at once, then 10 s doubling to 300 s") {
    backoff x;
    for (auto expected : {0s, 10s, 20s, 40s, 80s, 160s, 300s, 300s})
      CHECK(x.after(1s) == expected);
  }

  TEST_CASE("ten good minutes are forgiven") {
    backoff x;
    x.after(1s);
    x.after(1s);
    CHECK(x.after(599s) == 20s);
    CHECK(x.after(600s) == 0s);
    CHECK(x.after(1s) == 10s);
  }
}

TEST_SUITE("workload/prober") {

  TEST_CASE("quick tries first, then every period") {
    probe spec;
    spec.set_period_seconds(1);
    prober x{spec, start, start};
    auto t = start;
    for (auto gap : {100ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
      REQUIRE(x.next() == t + gap);
      t += gap;
      x.sent();
      CHECK(!x.next());
      x.answered(false, t);
    }
  }

  TEST_CASE("the initial delay is honoured") {
    probe spec;
    spec.set_initial_delay_seconds(5);
    CHECK(prober{spec, start, start}.next() == start + 5s);
    CHECK(prober{spec, start, start + 60s}.next() == start + 60s); // adopted: at once
  }

  TEST_CASE("thresholds count in a row") {
    probe spec;
    spec.set_period_seconds(10);
    spec.set_success_threshold(2);
    spec.set_failure_threshold(2);
    prober x{spec, start, start};
    CHECK(!x.answered(true, start).changed);
    CHECK(!x.answered(false, start).changed);
    CHECK(!x.answered(true, start).changed);
    CHECK(x.answered(true, start).changed);
    CHECK(x.ready());
    CHECK(!x.answered(false, start).changed);
    CHECK(!x.answered(true, start).changed);
    CHECK(!x.answered(false, start).changed);
    CHECK(x.answered(false, start).changed);
    CHECK(!x.ready());
  }

  TEST_CASE("successes are counted a whole period apart, also of the first, early tries") {
    probe spec;
    spec.set_period_seconds(10);
    spec.set_success_threshold(2);
    prober x{spec, start, start};
    CHECK(!x.answered(false, start).changed);
    auto first = x.next().value();
    CHECK(first < start + 1s);
    CHECK(!x.answered(true, first).changed);
    CHECK(x.next() == first + 10s);
  }

  TEST_CASE("early failures are not told, later ones are") {
    probe spec;
    spec.set_period_seconds(1);
    prober x{spec, start, start};
    for (int i = 0; i < 4; ++i)
      CHECK(!x.answered(false, start).telling);
    CHECK(x.answered(false, start).telling);
  }
}

} // namespace legion::prober_test
