#include <doctest/doctest.h>

#include "actors/membership/local_health.hpp"
#include "actors/membership/suspicion.hpp"

namespace legion::suspicion_test {

using namespace legion::membership;

namespace {

node_id id(char c) {
  return node_id::from_bytes(std::string(16, c));
}

} // namespace

TEST_SUITE("membership/suspicion") {

  TEST_CASE("Lifeguard IV-B: the time-out falls from max to min with the log of confirmations") {
    struct row {
      std::size_t wanted;
      std::string accusers; // after the first
      int timeout_ms;
    };
    // max - (max - min) * log(C + 1) / log(K + 1), with min 1 s and max 6 s.
    const row table[] = {
        {3, "", 6000}, {3, "b", 3500}, {3, "bc", 2037}, {3, "bcd", 1000},
        {1, "", 6000}, {1, "b", 1000}, {0, "", 1000}, // two members: nobody else could confirm
    };
    for (auto& x : table) {
      CAPTURE(x.wanted);
      CAPTURE(x.accusers);
      suspicion s{id('a'), x.wanted, milliseconds{1000}, milliseconds{6000}, time_point{}};
      for (char c : x.accusers)
        CHECK(s.confirm(id(c)));
      CHECK(s.timeout() == milliseconds{x.timeout_ms});
      CHECK(s.deadline() == time_point{} + milliseconds{x.timeout_ms});
    }
  }

  TEST_CASE("an accuser counts once, and no more than are wanted count") {
    suspicion s{id('a'), 1, milliseconds{1000}, milliseconds{6000}, time_point{}};
    CHECK_FALSE(s.confirm(id('a')));
    CHECK_FALSE(s.confirmed());
    CHECK(s.confirm(id('b')));
    CHECK(s.confirmed());
    CHECK_FALSE(s.confirm(id('c')));
    CHECK(s.accusers().size() == 2);
  }

  TEST_CASE("the time in which this process stood still does not count against the suspect") {
    suspicion s{id('a'), 0, milliseconds{1000}, milliseconds{6000}, time_point{}};
    s.postpone(seconds{20});
    CHECK(s.deadline() == time_point{} + milliseconds{21'000});
  }

  TEST_CASE("Lifeguard IV-A: the local health multiplier stretches time-outs, between 1 and 9") {
    local_health h{8};
    CHECK(h.stretch(milliseconds{100}) == milliseconds{100});
    h.improve();
    CHECK(h.score() == 0);
    h.worsen(2);
    CHECK(h.stretch(milliseconds{100}) == milliseconds{300});
    h.improve();
    CHECK(h.score() == 1);
    h.worsen(99);
    CHECK(h.score() == 8);
    CHECK(h.stretch(milliseconds{100}) == milliseconds{900});
  }

} // TEST_SUITE

} // namespace legion::suspicion_test
