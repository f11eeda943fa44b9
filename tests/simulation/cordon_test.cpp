#include <doctest/doctest.h>

#include "tests/simulation/charter_zone.hpp"

namespace legion::cordon_test {

// A cordon is asked for while the charter has no leader, or is about to have another one.

using namespace legion::charter_zone;

namespace {

void act(cluster& z, disturbance::kind what, std::uint32_t node) {
  disturbance x;
  x.what = what;
  x.nodes = {node};
  z.apply(x);
}

} // namespace

TEST_SUITE("simulation/cordon") {

  TEST_CASE(
      "a cordon that the charter's leader could not commit may be done yet, and so it is said") {
    auto doubtful = 0;
    for (std::uint32_t asked = 0; asked < 3; ++asked) {
      zone z{3};
      z.all.start_all();
      z.all.run_for(seconds{20});
      auto [other, third] = std::pair{(asked + 1) % 3, (asked + 2) % 3};
      z.all.crash(other);
      z.all.crash(third);
      auto name = z.all.node(asked).self.name;
      auto reply = z.cordon(asked, name, true);
      REQUIRE(reply.has_refused());
      INFO(reply.refused().detail());
      auto unknown = reply.refused().code() == refusal_deadline;
      CHECK(unknown == (reply.refused().detail().find("is unknown") != std::string::npos));
      doubtful += unknown;
      z.all.start(other);
      z.all.run_for(seconds{20});
      auto view = z.all.view(asked);
      REQUIRE(view);
      CHECK((unknown || !view->member().cordoned()));
    }
    CHECK(doubtful > 0);
  }

  TEST_CASE("while the charter is handed over nobody is told that it cannot be changed") {
    for (auto after : {0, 1, 3, 10, 30, 100, 300, 1000})
      for (auto at_leader : {true, false}) {
        CAPTURE(after);
        CAPTURE(at_leader);
        zone z{4};
        z.all.start_all();
        z.all.run_for(seconds{20});
        auto leader = z.leader();
        auto ended = false;
        z.all.drain(leader, [&](const std::string&) { ended = true; });
        z.all.run_for(milliseconds{after});
        auto asked = at_leader && !ended ? leader : (leader + 1) % 4;
        auto reply = z.cordon(asked, z.all.node((leader + 2) % 4).self.name, true);
        if (at_leader && ended && !reply.last())
          continue; // it was gone before it could answer
        INFO(reply.refused().detail());
        CHECK_FALSE(reply.has_refused());
      }
  }

  TEST_CASE("who is elected while it carries a cordon for another decides it") {
    auto elected = 0;
    for (auto seed : {0, 1, 2, 3}) { // who is asked, and who wins
      CAPTURE(seed);
      zone z{5};
      z.all.start_all();
      z.all.run_for(seconds{20});
      auto leader = z.leader();
      z.all.run_for(milliseconds{37 * seed});
      z.all.crash(leader);
      auto asked = (leader + 1 + static_cast<std::uint32_t>(seed)) % 5;
      auto reply = z.cordon(asked, z.all.node((asked + 1) % 5).self.name, true);
      INFO(reply.refused().detail());
      CHECK_FALSE(reply.has_refused());
      elected += z.all.view(asked)->charter() == "leader";
    }
    CHECK(elected > 0);
  }

  TEST_CASE(
      "a leader that stood still and was replaced sends on what it is asked when it goes on") {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      CAPTURE(seed);
      zone z{3, seed};
      z.all.start_all();
      z.all.run_for(seconds{20});
      auto leader = z.leader();
      auto other = (leader + 1) % 3;
      auto name = z.all.node((leader + 2) % 3).self.name;
      act(z.all, disturbance::kind::pause, leader);
      REQUIRE(z.all.run_until([&] { return !z.cordon(other, name, true).has_refused(); },
                              seconds{30}, seconds{1}));
      disturbance goes_on; // what it was asked meanwhile comes before what it missed, or behind
      goes_on.what = disturbance::kind::resume;
      goes_on.nodes = {leader};
      goes_on.at = z.all.now() + milliseconds{5};
      z.all.schedule({goes_on});
      auto reply = z.cordon(leader, name, false);
      INFO(reply.refused().detail());
      CHECK_FALSE(reply.has_refused());
      CHECK_FALSE(z.all.view((leader + 2) % 3)->member().cordoned());
    }
  }

} // TEST_SUITE

} // namespace legion::cordon_test
