#include <doctest/doctest.h>

#include <algorithm>

#include "actors/group/member_plan.hpp"
#include "actors/group/whereabouts.hpp"

namespace legion::member_plan_test {

using namespace legion::group;
using consensus::configuration;
using consensus::member_id;

namespace {

constexpr group_id five{5};

consensus::journal_id journal(char n) {
  return consensus::journal_id::from_bytes(std::string(16, n));
}

node_id node(int n) {
  std::string bytes(16, '\0');
  bytes[0] = static_cast<char>(n * 37 + 1);
  bytes[15] = static_cast<char>(n);
  return node_id::from_bytes(bytes);
}

member_id who(int n) {
  return {node(n), journal(static_cast<char>(n + 1))};
}

/// A group that node 0 leads, in a zone whose nodes have lived for a minute.
struct played {
  time_point now = time_point{} + std::chrono::hours{1};
  std::vector<resident> zone;
  consensus::core::status status;
  member_rules rules{five, who(0), now - std::chrono::minutes{1}};

  explicit played(int nodes, std::vector<member_id> voters = {who(0)}) {
    for (int i = 0; i < nodes; ++i)
      zone.push_back({node(i), who(i).journal, member_alive, now - seconds{60}});
    status.role = consensus::role::leader;
    status.ready = true;
    status.members_committed = true;
    become({std::move(voters), {}, {}});
  }
  void become(configuration x) {
    status.members = consensus::in_order(std::move(x));
    status.followers.clear();
    for (const auto& x : status.members.all())
      if (x != who(0))
        status.followers.push_back({x, 0, !status.members.votes(x), false, true});
  }
  void catch_up() {
    for (auto& x : status.followers)
      x.caught_up = true;
  }
  departure without(int n) { return rules.without(who(n), status, zone, now); }
  member_plan plan(bool may_move = false) { return rules.plan(status, zone, may_move, now); }
};

bool votes(const configuration& x, const member_id& who) {
  return std::find(x.voters.begin(), x.voters.end(), who) != x.voters.end();
}

} // namespace

TEST_SUITE("group/member_plan") {

  TEST_CASE("alone, and of two, one decides") {
    CHECK_FALSE(played{1}.plan().change);
    CHECK_FALSE(played{2}.plan(true).change);
  }

  TEST_CASE("with three nodes a group grows: two learners first, then all three in one change") {
    played x{3};
    auto first = x.plan().change;
    REQUIRE(first);
    CHECK(first->voters == std::vector<member_id>{who(0)});
    CHECK(first->learners.size() == 2);
    x.become(*first);
    CHECK_FALSE(x.plan().change);
    CHECK(x.plan().waits);
    x.catch_up();
    auto second = x.plan().change;
    REQUIRE(second);
    CHECK(second->voters.size() == 3);
    CHECK(second->learners.empty());
    x.become(*second);
    CHECK_FALSE(x.plan().change);
  }

  TEST_CASE("of many nodes the highest by rank join") {
    played x{9};
    auto first = x.plan().change;
    REQUIRE(first);
    std::vector<node_id> order;
    for (int i = 1; i < 9; ++i)
      order.push_back(node(i));
    std::sort(order.begin(), order.end(),
              [](const auto& a, const auto& b) { return ranks_before(five, a, b); });
    REQUIRE(first->learners.size() == 2);
    for (const auto& who : first->learners)
      CHECK((who.node == order[0] || who.node == order[1]));
  }

  TEST_CASE("nothing is begun that can't be: no leader, or a change under way") {
    played x{3};
    x.status.members_committed = false;
    CHECK_FALSE(x.plan().change);
    CHECK(x.plan().waits);
    x.status.ready = false;
    CHECK_FALSE(x.plan().change);
  }

  TEST_CASE("who has only just come, or says no journal, does not join yet") {
    played x{3};
    x.zone[1].since = x.now - milliseconds{100};
    CHECK_FALSE(x.plan().change);
    CHECK(x.plan().waits);
    x.zone[1].since = x.now - seconds{1};
    x.zone[2].journal = {};
    CHECK_FALSE(x.plan().change);
  }

  TEST_CASE("a dead voter keeps its place for five minutes, then another takes it") {
    played x{4, {who(0), who(1), who(2)}};
    x.zone[1].state = member_dead;
    x.zone[1].since = x.now - seconds{299};
    CHECK_FALSE(x.plan().change);
    x.zone[1].since = x.now - seconds{300};
    CHECK_FALSE(x.plan().change); // of many groups a few at a time
    auto first = x.plan(true).change;
    REQUIRE(first);
    CHECK(first->learners == std::vector<member_id>{who(3)});
    x.become(*first);
    x.catch_up();
    auto second = x.plan().change;
    REQUIRE(second);
    CHECK(votes(*second, who(3)));
    CHECK_FALSE(votes(*second, who(1)));
  }

  TEST_CASE("a voter that left is replaced at once; without a substitute it stays") {
    played x{4, {who(0), who(1), who(2)}};
    x.zone[2].state = member_left;
    REQUIRE(x.plan().change);
    CHECK(x.plan().change->learners == std::vector<member_id>{who(3)});
    x.zone.pop_back();
    CHECK_FALSE(x.plan().change);
  }

  TEST_CASE("the only voter drains: the other node learns, then decides alone") {
    played x{2};
    CHECK(x.without(0) == departure_stuck);
    x.rules.let_go(who(0));
    CHECK(x.without(0) == departure_under_way);
    auto first = x.plan().change;
    REQUIRE(first);
    CHECK(first->voters == std::vector<member_id>{who(0)});
    CHECK(first->learners == std::vector<member_id>{who(1)});
    x.become(*first);
    CHECK(x.without(0) == departure_under_way);
    CHECK_FALSE(x.plan().change);
    x.catch_up();
    auto second = x.plan().change;
    REQUIRE(second);
    CHECK(second->voters == std::vector<member_id>{who(1)});
    x.become(*second);
    CHECK(x.without(0) == departure_free);
  }

  TEST_CASE("who drains and is alone, or knows only of the dead, keeps what it keeps") {
    played alone{1};
    alone.rules.let_go(who(0));
    CHECK_FALSE(alone.plan().change);
    CHECK(alone.without(0) == departure_stuck);
    played x{2};
    x.zone[1].state = member_dead;
    x.rules.let_go(who(0));
    CHECK_FALSE(x.plan().change);
    CHECK(x.without(0) == departure_stuck);
  }

  TEST_CASE("one of three drains: a fourth takes its place, or two go on") {
    played four{4, {who(0), who(1), who(2)}};
    four.rules.let_go(who(2));
    CHECK(four.without(2) == departure_under_way);
    auto first = four.plan().change;
    REQUIRE(first);
    CHECK(first->learners == std::vector<member_id>{who(3)});
    played three{3, {who(0), who(1), who(2)}};
    three.rules.let_go(who(2));
    CHECK_FALSE(three.plan().change);
    CHECK(three.without(2) == departure_free);
    three.status.followers.front().heard = false; // nobody has called it dead yet
    CHECK(three.without(2) == departure_stuck);
    three.status.followers.front().heard = true;
    three.zone[1].state = member_dead;
    CHECK(three.without(2) == departure_stuck);
  }

  TEST_CASE("where two of three have left, or ask to, the third decides alone") {
    played x{3, {who(0), who(1), who(2)}};
    x.zone[1].state = member_left;
    CHECK_FALSE(x.plan().change); // two of three are a quorum
    x.rules.let_go(who(2));
    CHECK(x.without(2) == departure_under_way);
    auto change = x.plan().change;
    REQUIRE(change);
    CHECK(change->voters == std::vector<member_id>{who(0)});
    played dead{3, {who(0), who(1), who(2)}};
    dead.zone[1].state = member_dead; // it may come back
    dead.rules.let_go(who(2));
    CHECK_FALSE(dead.plan().change);
    CHECK(dead.without(2) == departure_stuck);
  }

  TEST_CASE("a group never shrinks to who is down, or silent") {
    played x{3, {who(0), who(1), who(2)}};
    x.zone[0].draining = x.zone[1].draining = true;
    auto alone = x.plan().change;
    REQUIRE(alone);
    CHECK(alone->voters == std::vector<member_id>{who(2)});
    SUBCASE("down") {
      x.zone[2].state = member_dead;
    }
    SUBCASE("silent") {
      for (auto& y : x.status.followers)
        y.heard = y.who != who(2);
    }
    CHECK_FALSE(x.plan().change);
    CHECK(x.without(0) == departure_stuck);
    played five{5, {who(0), who(1), who(2), who(3), who(4)}};
    for (int i : {0, 1, 2})
      five.zone[static_cast<std::size_t>(i)].draining = true;
    for (int down : {3, 4}) {
      auto other = down == 3 ? 4 : 3;
      five.zone[static_cast<std::size_t>(down)].state = member_dead;
      five.zone[static_cast<std::size_t>(other)].state = member_alive;
      auto shrinks = five.plan().change;
      REQUIRE(shrinks);
      CHECK(shrinks->voters == std::vector<member_id>{who(other)});
    }
  }

  TEST_CASE("who drains takes nobody's place, until it is back") {
    played x{4, {who(0), who(1), who(2)}};
    x.rules.let_go(who(3));
    x.zone[2].state = member_left;
    CHECK_FALSE(x.plan().change);
    x.rules.welcome_back(node(3));
    auto change = x.plan().change;
    REQUIRE(change);
    CHECK(change->learners == std::vector<member_id>{who(3)});
  }

  TEST_CASE("who says that it drains takes nobody's place, and its own place is given away") {
    played x{5, {who(0), who(1), who(2)}};
    x.zone[2].draining = true; // it did not ask this group yet
    x.zone[3].draining = true;
    auto change = x.plan().change;
    REQUIRE(change);
    CHECK(change->learners == std::vector<member_id>{who(4)});
    x.zone[4].draining = true;
    CHECK_FALSE(x.plan().change);
    CHECK_FALSE(x.plan().waits); // for nobody
    CHECK(x.without(2) == departure_free);
    x.zone[1].draining = true;
    auto shrinks = x.plan().change;
    REQUIRE(shrinks);
    CHECK(shrinks->voters == std::vector<member_id>{who(0)});
  }

  TEST_CASE("who is out of a change that is not committed yet does not go") {
    played x{4, {who(0), who(1), who(3)}};
    x.status.members_committed = false;
    CHECK(x.without(2) == departure_under_way);
    x.status.members_committed = true;
    CHECK(x.without(2) == departure_free);
  }

  TEST_CASE("nobody is replaced while over a third of the zone seems dead") {
    played x{6, {who(0), who(1), who(2)}};
    for (int i : {1, 4, 5}) {
      x.zone[static_cast<std::size_t>(i)].state = member_dead;
      x.zone[static_cast<std::size_t>(i)].since = x.now - std::chrono::minutes{30};
    }
    CHECK_FALSE(x.plan(true).change);
    x.zone[5].state = member_alive; // two of six: a third, not more
    REQUIRE(x.plan(true).change);
    CHECK_FALSE(x.plan().change); // a few at a time, as what moves
  }

  TEST_CASE("who died at another time, or is not on the roster any more, is no mass failure") {
    played x(6, {who(0), who(1), who(2)});
    for (auto& y : x.zone)
      y.since = x.now - std::chrono::hours{1};
    auto dies = [&](int n, seconds ago) {
      x.zone[static_cast<std::size_t>(n)].state = member_dead;
      x.zone[static_cast<std::size_t>(n)].since = x.now - ago;
    };
    dies(1, seconds{360});
    dies(3, seconds{400});
    dies(4, seconds{420});
    CHECK(!x.plan(true).change);                     // three of six at once
    x.zone[3].admitted = x.zone[4].admitted = false; // others have their names now
    CHECK(x.plan(true).change == configuration{x.status.members.voters, {}, {who(5)}});
    x.zone[3].admitted = x.zone[4].admitted = true;
    dies(3, seconds{1000});
    dies(4, seconds{1400});
    CHECK(x.plan(true).change == configuration{x.status.members.voters, {}, {who(5)}});
  }

  TEST_CASE("whose name another node has now is replaced, whoever died since") {
    played x(4, {who(0), who(1), who(2)});
    x.zone[1].state = x.zone[3].state = member_dead;
    x.zone[1].since = x.now - seconds{400};
    x.zone[3].since = x.now - seconds{360};
    x.zone.push_back({node(7), who(7).journal, member_alive, x.now - seconds{400}});
    CHECK_FALSE(x.plan(true).change); // two of five at once
    x.zone[1].admitted = false;       // node 7 is what became of it
    CHECK(x.plan(true).change == configuration{x.status.members.voters, {}, {who(7)}});
  }

  TEST_CASE("a voter of which nobody tells is waited for as long as for one that died") {
    played x(4, {who(0), who(1), who(8)});
    CHECK_FALSE(x.plan(true).change);
    x.now += member_rules::patience;
    for (auto& y : x.zone)
      y.since = x.now - seconds{60};
    CHECK_FALSE(x.plan(false).change);
    CHECK(x.plan(true).change.has_value());
  }

  TEST_CASE("a node that is dead for long and has no part in it does not stop what moves") {
    played x(9, {who(0), who(1), who(2)});
    auto votes = [&](int n) { return x.status.members.votes(who(n)); };
    auto moves = [&] { return x.plan(true).change.has_value(); };
    REQUIRE(moves());
    auto outside = votes(3) ? 4 : 3;
    x.zone[static_cast<std::size_t>(outside)].state = member_dead;
    x.zone[static_cast<std::size_t>(outside)].since = x.now - seconds{200};
    CHECK_FALSE(moves());
    x.zone[static_cast<std::size_t>(outside)].since = x.now - seconds{301};
    auto still = x.plan(true);
    played without(9, {who(0), who(1), who(2)});
    without.zone[static_cast<std::size_t>(outside)].state = member_left;
    CHECK(still.change == without.plan(true).change);
    CHECK((still.change || still.lead));
  }

  TEST_CASE("a node with another journal is another member: it is readmitted as a learner") {
    played x{3, {who(0), who(1), who(2)}};
    x.zone[1].journal = journal('n');
    auto first = x.plan().change;
    REQUIRE(first);
    CHECK(first->learners == std::vector<member_id>{member_id{node(1), journal('n')}});
    x.become(*first);
    x.catch_up();
    auto second = x.plan().change;
    REQUIRE(second);
    CHECK_FALSE(votes(*second, who(1)));
    CHECK(votes(*second, {node(1), journal('n')}));
  }

  TEST_CASE("a member that forgot what it acknowledged is replaced, and not asked again") {
    played x{4, {who(0), who(1), who(2)}};
    x.rules.distrust(who(1));
    REQUIRE(x.plan().change);
    CHECK(x.plan().change->learners == std::vector<member_id>{who(3)});
  }

  TEST_CASE("a learner that dies makes room for another") {
    played x{4};
    auto first = x.plan().change;
    REQUIRE(first);
    x.become(*first);
    auto gone = first->learners.front();
    for (auto& y : x.zone)
      if (y.id == gone.node)
        y.state = member_dead;
    auto second = x.plan().change;
    REQUIRE(second);
    CHECK(second->learners.size() == 2);
    CHECK(std::find(second->learners.begin(), second->learners.end(), gone)
          == second->learners.end());
  }

  TEST_CASE("what is healthy moves to higher ranks one voter at a time, and only when it may") {
    // The three lowest by rank keep it.
    std::vector<int> order{1, 2, 3, 4, 5, 6, 7, 8};
    std::sort(order.begin(), order.end(),
              [](int a, int b) { return ranks_before(five, node(b), node(a)); });
    played x{9, {who(0), who(order[0]), who(order[1])}};
    CHECK_FALSE(x.plan(false).change);
    auto first = x.plan(true).change;
    REQUIRE(first);
    CHECK(first->learners.size() == 1);
    CHECK(first->learners.front().node == node(order.back()));
    x.become(*first);
    x.catch_up();
    auto second = x.plan(false).change; // what was begun is finished
    REQUIRE(second);
    CHECK(votes(*second, first->learners.front()));
    CHECK(second->voters.size() == 3);
  }

  TEST_CASE("nothing healthy moves while anybody is dead or new") {
    std::vector<int> order{1, 2, 3, 4, 5, 6, 7, 8};
    std::sort(order.begin(), order.end(),
              [](int a, int b) { return ranks_before(five, node(b), node(a)); });
    played x{9, {who(0), who(order[0]), who(order[1])}};
    x.zone[static_cast<std::size_t>(order[4])].since = x.now - seconds{2};
    CHECK_FALSE(x.plan(true).change);
  }

  TEST_CASE("leadership goes to the voter that ranks highest, once it has all there is") {
    auto best = 0;
    for (int i = 1; i < 3; ++i)
      if (ranks_before(five, node(i), node(best)))
        best = i;
    played x{3, {who(0), who(1), who(2)}};
    x.status.last = 9;
    CHECK_FALSE(x.plan(true).lead);
    for (auto& y : x.status.followers)
      y.match = 9;
    CHECK_FALSE(x.plan(false).lead);
    auto lead = x.plan(true).lead;
    CHECK(lead.has_value() == (best != 0));
    if (lead)
      CHECK(*lead == who(best));
  }

} // TEST_SUITE

} // namespace legion::member_plan_test
