#include "actors/group/leaving.hpp"

#include <doctest/doctest.h>

#include "tests/unit/consensus/few_members.hpp"

namespace legion::leaving_test {

using namespace legion::group;
using consensus::few_members;
using step = leaving::step;

namespace {

leaving::look look_of(few_members& group, int i) {
  return {.core = &group.rules(i), .zone_known = true};
}

} // namespace

TEST_SUITE("group/leaving") {

  TEST_CASE("who is no member goes at once, and so does who is alone") {
    leaving rules;
    CHECK(rules.next({.zone_known = true}, {}) == step::go);
    few_members group{3};
    group.elect();
    auto here = look_of(group, 0);
    here.fenced = true;
    CHECK(rules.next(here, group.now()) == step::go);
    here = look_of(group, 0);
    here.alone = true;
    CHECK(rules.next(here, group.now()) == step::go);
    here.awaited = true; // others are down, or left: they may come back
    CHECK(rules.next(here, group.now()) == step::stuck);
    here.awaited = false;
    here.zone_known = false; // perhaps it is not
    CHECK(rules.next(here, group.now()) == step::again);
    few_members grown{4, {}, 3}; // the fourth has not joined
    grown.elect();
    CHECK(rules.next(look_of(grown, 3), grown.now()) == step::go);
  }

  TEST_CASE("a leader judges, a follower asks it, and does as it says") {
    few_members group{3};
    auto leader = group.elect();
    group.pass(milliseconds{600});
    leaving rules;
    auto here = look_of(group, leader);
    here.leads = true;
    CHECK(rules.next(here, group.now()) == step::judge);
    CHECK(rules.next(look_of(group, (leader + 1) % 3), group.now()) == step::ask);
    CHECK(rules.on(departure_free) == step::go);
    CHECK(rules.on(departure_stuck) == step::stuck);
    CHECK(rules.on(departure_under_way) == step::again);
    group_reply reply;
    reply.mutable_refused()->set_code(refusal_elsewhere);
    CHECK(rules.on(reply) == step::again);
    reply.set_leaving(departure_free);
    CHECK(rules.on(reply) == step::go);
  }

  TEST_CASE(
      "without a leader for 4 s it goes all the same, and says so; an answer begins them anew") {
    few_members group{3}; // nobody is elected yet
    leaving rules;
    auto here = look_of(group, 0);
    auto begin = group.now();
    CHECK(rules.next(here, begin) == step::again);
    CHECK(rules.next(here, begin + seconds{3}) == step::again);
    rules.on(departure_under_way);
    CHECK(rules.next(here, begin + seconds{5}) == step::again);
    CHECK(rules.next(here, begin + seconds{9}) == step::again);
    CHECK(rules.next(here, begin + seconds{9} + milliseconds{1}) == step::stuck);
  }

  TEST_CASE("alone is with nobody else up; awaited, with others on the roster") {
    auto seen = [](std::vector<resident> zone) {
      leaving::look x;
      x.see(zone, consensus::nth_member(0).node);
      return std::pair{x.alone, x.awaited};
    };
    auto node = [](int n, member_state state, bool admitted = true) {
      auto who = consensus::nth_member(n);
      return resident{who.node, who.journal, state, {}, false, admitted};
    };
    auto self = node(0, member_alive);
    CHECK(seen({self}) == std::pair{true, false});
    CHECK(seen({self, node(1, member_suspect)}) == std::pair{false, true});
    CHECK(seen({self, node(1, member_dead)}) == std::pair{true, true});
    CHECK(seen({self, node(1, member_left)}) == std::pair{true, true});
    CHECK(seen({self, node(1, member_dead, false)}) == std::pair{true, false}); // of before
  }

  TEST_CASE("whether a voter stays: it is up, and does not drain") {
    few_members group{3};
    auto rules = [&]() -> const consensus::core& { return group.rules(0); };
    std::vector<resident> zone;
    for (int i = 0; i < 3; ++i) {
      auto who = consensus::nth_member(i);
      zone.push_back({who.node, who.journal, member_alive, {}});
    }
    CHECK(another_stays(rules(), zone));
    zone[1].draining = true;
    CHECK(another_stays(rules(), zone));
    zone[2].state = member_dead;
    CHECK_FALSE(another_stays(rules(), zone)); // it itself does not count
    zone[2].state = member_suspect;
    CHECK(another_stays(rules(), zone));
    zone[2].draining = true;
    CHECK_FALSE(another_stays(rules(), zone));
    zone[2].draining = false;
    zone[2].journal = consensus::nth_member(7, 7).journal; // it is not that voter any more
    CHECK_FALSE(another_stays(rules(), zone));
    auto other = consensus::nth_member(3); // no voter
    zone.push_back({other.node, other.journal, member_alive, {}});
    CHECK_FALSE(another_stays(rules(), zone));
  }

  TEST_CASE("the request says who leaves") {
    auto who = consensus::nth_member(2, 7);
    auto request = leave_request(group_id{9}, who);
    CHECK(request.group() == 9);
    CHECK(who_leaves(request) == who);
    CHECK(who_leaves({}).node.null());
  }
}

} // namespace legion::leaving_test
