#include <doctest/doctest.h>

#include "actors/promise/lifecycle.hpp"

namespace legion::lifecycle_test {

using namespace std::chrono_literals;

namespace {

promise::lifecycle a_promise() {
  auto record = std::make_shared<promise_record>();
  record->mutable_slot()->set_uid("u");
  record->mutable_slot()->mutable_order()->set_index(5);
  record->mutable_what()->set_kind("Deployment");
  record->set_keeper("k");
  record->set_group(7);
  return promise::lifecycle{record, node_id{}, "n1"};
}

assessment saying(std::string phase, bool ready, std::uint32_t restarts = 0) {
  assessment x;
  x.set_phase(phase);
  x.set_ready(ready);
  x.set_restarts(restarts);
  return x;
}

} // namespace

TEST_SUITE("promise/lifecycle") {

  TEST_CASE("the verdict follows from what was, and what is") {
    struct step {
      assessment evidence;
      verdict expected;
    };
    const std::vector<std::vector<step>> stories = {
        {{saying("Pending", false), verdict_unknown},
         {saying("Running", false), verdict_unknown},
         {saying("Running", true), verdict_kept},
         {saying("Running", false), verdict_not_kept},
         {saying("Running", true), verdict_repaired},
         {saying("Terminating", false), verdict_unknown}},
        {{saying("Running", false, 1), verdict_not_kept},
         {saying("Running", true, 1), verdict_repaired}},
        {{saying("Succeeded", false), verdict_kept}},
        {{saying("Failed", false), verdict_not_kept}},
    };
    for (const auto& story : stories) {
      auto x = a_promise();
      for (const auto& s : story) {
        CAPTURE(s.evidence.ShortDebugString());
        CHECK(x.assess(s.evidence, 1).verdict() == s.expected);
      }
    }
  }

  TEST_CASE("an assessment says whose it is, and for whom") {
    auto x = a_promise();
    auto said = x.assess(saying("Running", true), 42);
    CHECK(said.slot().uid() == "u");
    CHECK(said.of().kind() == "Deployment");
    CHECK(said.node_name() == "n1");
    CHECK(said.keeper() == "k");
    CHECK(said.group() == 7);
    CHECK(said.observed_ms() == 42);
    CHECK(!said.withdrawn());
  }

  TEST_CASE("a withdrawn promise is not kept, whatever still runs") {
    auto x = a_promise();
    x.withdraw();
    auto said = x.assess(saying("Running", true), 1);
    CHECK(said.withdrawn());
    CHECK(said.verdict() == verdict_not_kept);
  }

  TEST_CASE("orders only rise") {
    auto x = a_promise();
    order_number order;
    order.set_index(9);
    x.raise(order);
    order.set_index(7);
    x.raise(order);
    CHECK(x.assess(saying("Running", true), 1).slot().order().index() == 9);
  }

  TEST_CASE("a workload that fails too often is given up") {
    auto x = a_promise();
    const time_point t{};
    for (std::size_t i = 0; i < promise::lifecycle::budget; ++i)
      CHECK(x.may_restart(t + 1s));
    CHECK(!x.may_restart(t + 2s));
    CHECK(x.may_restart(t + 62s));
  }
}

} // namespace legion::lifecycle_test
