#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/simulation/charter_zone.hpp"

namespace legion::charter_test {

// Whole clusters and their charter: nodes come while voters go, and most of the voters are lost.

using namespace legion::charter_zone;
TEST_SUITE("simulation/charter") {
  TEST_CASE("voters: one alone, three from three nodes, five from nine; all others follow") {
    struct row {
      std::uint32_t nodes;
      std::size_t voters;
    };
    for (auto x : {row{1, 1}, row{2, 1}, row{3, 3}, row{9, 5}}) {
      zone it{x.nodes};
      it.all.start_all();
      CAPTURE(x.nodes);
      CHECK(it.all.run_until([&] { return it.voters(0).size() == x.voters; }, seconds{60},
                             seconds{1}));
      CHECK(it.all.run_until([&] { return it.charter(x.nodes - 1).quorum(); }, seconds{10},
                             seconds{1})); // whoever is asked
      CHECK(it.charter(x.nodes - 1).nodes() == x.nodes);
      it.all.run_for(seconds{10});
      for (std::uint32_t i = 0; i < x.nodes; ++i)
        CHECK(it.listed(i) == x.nodes);
      std::map<std::string, std::size_t> standings;
      for (std::uint32_t i = 0; i < x.nodes; ++i)
        ++standings[it.all.view(i)->charter()];
      CHECK(standings["leader"] == 1);
      CHECK(standings["voter"] == x.voters - 1);
      CHECK(standings["follower"] == x.nodes - x.voters);
      CHECK(it.all.errors().empty());
    }
  }

  TEST_CASE("who keeps what is on every roster some seconds after it has changed") {
    zone it{3};
    for (std::uint32_t i = 0; i < 3; ++i)
      it.all.start(i);
    it.all.run_for(seconds{8});
    for (std::uint32_t i = 0; i < 3; ++i) {
      REQUIRE(it.rosters[i].hints_size() == 65); // the charter's own, too
      for (const auto& x : it.rosters[i].hints())
        CHECK(x.voters_size() == 3);
    }
  }

  TEST_CASE("nodes join while voters crash, and two never believe different rosters") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      CAPTURE(seed);
      zone it{12, seed};
      for (std::uint32_t i = 0; i < 4; ++i)
        it.all.start(i);
      REQUIRE(it.all.run_until([&] { return it.voters(0).size() == 3; }, seconds{60}, seconds{1}));
      std::mt19937_64 random{seed};
      std::uint32_t next = 4;
      for (int round = 0; round < 8; ++round) {
        it.all.start(next++);
        auto voters = it.voters(next - 1 < 12 && it.all.node(0).actors ? 0 : 1);
        if (voters.empty())
          voters = {0};
        auto victim = voters[random() % voters.size()];
        if (it.all.node(victim).actors) {
          it.all.crash(victim);
          it.all.run_for(milliseconds{200 + random() % 4000});
          it.all.start(victim);
        }
        it.all.run_for(milliseconds{random() % 3000});
      }
      auto whole = [&] {
        for (std::uint32_t i = 0; i < 12; ++i)
          if (it.listed(i) != 12)
            return false;
        return true;
      };
      CHECK(it.all.run_until(whole, seconds{180}, seconds{1}));
      CHECK_FALSE(it.different);
      CHECK(it.all.errors().empty());
    }
  }

  TEST_CASE("without a quorum of the charter only new members wait, and the error says so") {
    zone it{8};
    for (std::uint32_t i = 0; i < 7; ++i)
      it.all.start(i);
    REQUIRE(it.all.run_until([&] { return it.voters(0).size() == 3; }, seconds{60}, seconds{1}));
    it.all.run_for(seconds{90}); // groups have spread
    auto voters = it.voters(0);
    REQUIRE(voters.size() == 3);
    std::set<std::uint32_t> lost{voters[0], voters[1]};
    for (auto x : lost)
      it.all.crash(x);
    it.all.run_for(seconds{15});
    std::uint32_t up = 0;
    while (lost.contains(up))
      ++up;
    auto shown = it.charter(up);
    CHECK_FALSE(shown.quorum());
    CHECK(shown.detail().find("has no quorum") != std::string::npos);

    // What has its own quorum is created, scaled and repaired.
    std::string name;
    for (int i = 0; i < 20 && name.empty(); ++i)
      if (auto tried = "web" + std::to_string(i); !it.apply(up, tried, 2).empty())
        name = tried;
    REQUIRE_FALSE(name.empty());
    CHECK(it.all.run_until([&] { return it.running(name) == 2; }, seconds{30}));
    CHECK(it.apply(up, name, 3) == "configured");
    CHECK(it.all.run_until([&] { return it.running(name) == 3; }, seconds{30}));
    for (std::uint32_t i = 0; i < it.all.size(); ++i)
      it.all.apply({{}, disturbance::kind::kill, {i}, {}, 0, {}, {}});
    CHECK(it.all.run_until([&] { return it.running(name, 1) == 3; }, seconds{120}));

    // A new node waits, and is told why.
    it.all.start(7);
    it.all.run_for(seconds{20});
    auto view = it.all.view(7);
    REQUIRE(view);
    CHECK(view->joining().find("the charter of zone 'local' has no quorum") != std::string::npos);
    CHECK(view->joining().find("are down") != std::string::npos);
    CHECK_FALSE(it.on_roster(7, up));

    // A node that is on the roster comes back without the charter.
    std::uint32_t other = up + 1;
    while (lost.contains(other) || other == voters[2])
      ++other;
    it.all.crash(other);
    it.all.run_for(seconds{5});
    it.all.start(other);
    CHECK(it.all.run_until(
        [&] {
          auto known = it.all.members(other);
          return known && known->members.size() >= 5;
        },
        seconds{20}));

    // Two voters are up again.
    it.all.start(voters[0]);
    CHECK(it.all.run_until([&] { return it.on_roster(7, up); }, seconds{60}, seconds{1}));
    CHECK(it.all.run_until([&] { return it.all.view(7)->joining().empty(); }, seconds{30}));
    it.all.start(voters[1]);
    it.all.run_for(seconds{10});
    CHECK_FALSE(it.different);
    CHECK(it.all.errors().empty());
  }

  TEST_CASE("a node that is down is cordoned, and obeys when it returns") {
    zone it{4};
    it.all.start_all();
    REQUIRE(it.all.run_until([&] { return it.charter(0).nodes() == 4; }, seconds{30}, seconds{1}));
    it.all.run_for(seconds{10});
    auto said = it.cordon(0, "node-3", true);
    CHECK_FALSE(said.has_refused());
    CHECK(it.all.view(2)->member().cordoned()); // as soon as that is answered
    CHECK_FALSE(it.cordon(1, "node-3", false).has_refused());
    CHECK_FALSE(it.all.view(2)->member().cordoned());
    it.all.crash(3);
    it.all.run_for(seconds{15});
    said = it.cordon(0, "node-4", true);
    CHECK_FALSE(said.has_refused());
    REQUIRE(said.notes_size() == 1);
    CHECK(said.notes(0).find("obeys once it is back") != std::string::npos);
    it.all.start(3);
    CHECK(it.all.run_until([&] { return it.all.view(3)->member().cordoned(); }, seconds{30}));
    it.all.run_for(seconds{3});
    it.all.crash(3);
    it.all.start(3);
    CHECK(it.all.view(3)->member().cordoned()); // from its own journal
    CHECK(it.cordon(0, "node-9", true).refused().code() == refusal_not_found);
  }

  TEST_CASE("a node whose journal was wiped is the same on the roster, and hears of it anew") {
    zone it{3};
    it.all.start_all();
    it.all.run_for(seconds{20});
    it.all.apply({{}, disturbance::kind::wipe, {2}, {}, 0, {}, {}});
    it.all.start(2);
    CHECK(it.all.run_until([&] { return it.all.view(2)->joining().empty() && it.listed(2) == 3; },
                           seconds{60}, seconds{1}));
    CHECK(it.all.errors().empty());
  }

  TEST_CASE("a charter that lost its quorum for good is raised from any one journal") {
    for (auto from_voter : {true, false}) {
      CAPTURE(from_voter);
      zone it{5};
      it.all.start_all();
      REQUIRE(it.all.run_until([&] { return it.voters(0).size() == 3; }, seconds{60}, seconds{1}));
      it.all.run_for(seconds{5});
      CHECK_FALSE(it.cordon(0, "node-2", true).has_refused());
      CHECK(it.rebuild(0).refused().detail().find("has a quorum") != std::string::npos);
      auto voters = it.voters(0);
      std::uint32_t follower = 0;
      while (std::find(voters.begin(), voters.end(), follower) != voters.end())
        ++follower;
      auto survivor = from_voter ? voters[2] : follower;
      it.all.run_for(seconds{3});

      // Two disks are gone, and where a follower is asked the third voter is cut off from it.
      for (auto x : {voters[0], voters[1]})
        it.all.apply({{}, disturbance::kind::wipe, {x}, {}, 0, {}, {}});
      if (!from_voter)
        it.all.crash(voters[2]);
      it.all.run_for(seconds{15});
      CHECK_FALSE(it.charter(survivor).quorum());
      CHECK(it.rebuild(survivor).refused().detail().find("--force") != std::string::npos);
      it.all.run_for(std::chrono::minutes{6});
      auto said = it.rebuild(survivor);
      CHECK_FALSE(said.has_refused());
      REQUIRE(said.notes_size() == 1);
      CHECK(said.notes(0).find("may be missing") != std::string::npos);
      CHECK(
          it.all.run_until([&] { return it.charter(survivor).quorum(); }, seconds{10}, seconds{1}));
      CHECK(it.listed(survivor) == 5);

      // All come back, the one whose journal has the charter of before too: there is one charter.
      for (std::uint32_t i = 0; i < it.all.size(); ++i)
        it.all.start(i);
      CHECK(it.all.run_until([&] { return it.agree(survivor, 3); }, seconds{180}, seconds{2}));
      CHECK(it.charter(survivor).incarnation() != 0);
      CHECK(it.charter(survivor).nodes() == 5);
      CHECK(it.all.view(1)->member().cordoned()); // what was decided before is kept
      CHECK_FALSE(it.different);
      CHECK(it.all.errors().empty());
    }
  }

  TEST_CASE("a charter that was rebuilt too soon ends the one of before, and there is one again") {
    zone it{6};
    it.all.start_all();
    REQUIRE(it.all.run_until([&] { return it.voters(0).size() == 3; }, seconds{60}, seconds{1}));
    it.all.run_for(seconds{5});
    auto voters = it.voters(0);
    // The two other voters are alive, with a quorum, behind a broken link.
    std::vector<std::uint32_t> one{voters[0]}, two{voters[1], voters[2]};
    for (std::uint32_t i = 0; i < 6; ++i)
      if (std::find(voters.begin(), voters.end(), i) == voters.end())
        (one.size() < 3 ? one : two).push_back(i);
    it.all.apply({{}, disturbance::kind::partition, {}, {one, two}, 0, {}, {}});
    it.all.run_for(seconds{3});
    CHECK(it.rebuild(voters[0]).refused().detail().find("--force") != std::string::npos);
    it.all.run_for(seconds{15});
    CHECK(it.charter(voters[1]).quorum());
    CHECK_FALSE(it.rebuild(voters[0], true).has_refused());
    it.all.run_for(seconds{10});
    CHECK(it.charter(voters[0]).quorum()); // now there are two: that is what --force does
    it.all.apply({{}, disturbance::kind::heal, {}, {}, 0, {}, {}});
    CHECK(it.all.run_until([&] { return it.agree(voters[0], 3); }, seconds{240}, seconds{2}));
    CHECK(it.charter(voters[0]).incarnation() != 0);
    CHECK_FALSE(it.different);
  }
}

} // namespace legion::charter_test
