#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/consensus/few_members.hpp"

namespace legion::changing_test {

using namespace legion::consensus;

namespace {

configuration of(std::initializer_list<int> voters, std::initializer_list<int> learners = {}) {
  configuration x;
  for (int i : voters)
    x.voters.push_back(nth_member(i));
  for (int i : learners)
    x.learners.push_back(nth_member(i));
  return x;
}

} // namespace

TEST_SUITE("consensus/changing") {

  TEST_CASE("from one to three in one change, once the learners have caught up (4.2.1, 4.3)") {
    few_members group{3, {}, 1};
    REQUIRE(group.elect() == 0);
    for (int i = 0; i < 50; ++i)
      REQUIRE(group.rules(0).propose(std::to_string(i)));
    CHECK_FALSE(group.rules(0).propose_change(of({0, 1, 2}), group.now()));
    REQUIRE(group.rules(0).propose_change(of({0}, {1, 2}), group.now()));
    group.pass(milliseconds{300});
    CHECK(group[0].caught_up.size() == 2);
    CHECK(group[1].state.size() == 50);
    REQUIRE(group.rules(0).propose_change(of({0, 1, 2}), group.now()));
    CHECK(group.rules(0).members().joint());
    group.pass(milliseconds{300});
    for (int i = 0; i < 3; ++i)
      CHECK(group.rules(i).members() == of({0, 1, 2}));
    group.cut_off(0); // any two go on
    group.pass(milliseconds{3'000});
    REQUIRE(group.leader());
    CHECK(*group.leader() != 0);
  }

  TEST_CASE("a slow learner of an idle log has caught up once it has all there is (4.2.1)") {
    few_members group{3, {}, 1};
    REQUIRE(group.elect() == 0);
    REQUIRE(group.rules(0).propose("x"));
    group[1].holds_sync = true; // its disk takes longer than an election timeout
    REQUIRE(group.rules(0).propose_change(of({0}, {1, 2}), group.now()));
    group.pass(milliseconds{10'000});
    CHECK(group[0].caught_up.size() == 1);
    group.sync(1);
    group.pass(milliseconds{300});
    CHECK(group[0].caught_up.size() == 2); // nothing more is written that could begin a round
    CHECK(group.rules(0).propose_change(of({0, 1, 2}), group.now()));
  }

  TEST_CASE("a learner that has nothing yet is asked until it answers") {
    few_members group{2, {}, 1};
    REQUIRE(group.elect() == 0);
    group.deaf = 1;   // what has no log beats for no group
    auto lost = true; // long enough for the leader to take it for gone
    group.passes = [&](const message& m) { return !lost || m.to != nth_member(1); };
    REQUIRE(group.rules(0).propose_change(of({0}, {1}), group.now()));
    group.pass(milliseconds{10'000});
    lost = false;
    group.pass(milliseconds{2'000});
    CHECK(group[0].caught_up.size() == 1);
  }

  TEST_CASE("a learner whose leader is gone knows its name, but does not take it for a leader") {
    few_members group{2, {}, 1};
    REQUIRE(group.elect() == 0);
    REQUIRE(group.rules(0).propose_change(of({0}, {1}), group.now()));
    group.pass(milliseconds{300});
    CHECK(group.rules(1).leased(group.now()));
    group.cut_off(0);
    group.pass(milliseconds{10'000});
    CHECK(group.rules(1).leader() == nth_member(0));
    CHECK_FALSE(group.rules(1).leased(group.now()));
  }

  TEST_CASE("a configuration holds from its entry on: while joint, both majorities decide (4.3)") {
    few_members group{5, {}, 3};
    auto leader = group.elect();
    REQUIRE(group.rules(leader).propose_change(of({0, 1, 2}, {3, 4}), group.now()));
    group.pass(milliseconds{300});
    group.passes = [](const message& m) { // the new ones fall silent
      return m.from != nth_member(3) && m.from != nth_member(4);
    };
    configuration next = of({3, 4});
    next.voters.push_back(nth_member(leader));
    next = in_order(next);
    REQUIRE(group.rules(leader).propose_change(next, group.now()));
    auto joint = group.rules(leader).describe(group.now()).members_index;
    REQUIRE(group.rules(leader).propose("x"));
    group.settle();
    CHECK(group.rules(leader).commit() < joint);
    group.passes = nullptr;
    group.pass(milliseconds{500});
    CHECK_FALSE(group.rules(leader).members().joint());
    CHECK(group[leader].state.size() == 1);
    for (int i = 0; i < 3; ++i)
      CHECK(group[i].removed == (i != leader));
  }

  TEST_CASE("a leader that removes itself leads until that is committed, and no longer (4.2.2)") {
    few_members group{3};
    auto leader = group.elect();
    auto rest = of({0, 1, 2});
    std::erase(rest.voters, nth_member(leader));
    REQUIRE(group.rules(leader).propose_change(rest, group.now()));
    group.pass(milliseconds{100});
    CHECK(group.rules(leader).role() == role::follower);
    CHECK(group[leader].removed);
    REQUIRE(group.leader()); // it asked another to take over
    CHECK(group.rules(*group.leader()).members() == rest);
    CHECK(group.rules(leader).wake_at() == time_point::max());
  }

  TEST_CASE("one change at a time, and none before the term's first entry is committed") {
    few_members group{4, {}, 3};
    auto leader = group.elect();
    REQUIRE(group.rules(leader).propose_change(of({0, 1, 2}, {3}), group.now()));
    auto second = group.rules(leader).propose_change(of({0, 1, 2}), group.now());
    REQUIRE_FALSE(second);
    CHECK(second.why().detail == "a change of members is under way");
    group.pass(milliseconds{100});
    auto next = (leader + 1) % 3;
    group.passes = [](const message& m) {
      auto* x = std::get_if<append>(&m.body);
      return !x || x->entries.empty();
    };
    REQUIRE(group.rules(leader).transfer(group[next].who, group.now()));
    group.settle();
    REQUIRE(group.rules(next).role() == role::leader);
    auto early = group.rules(next).propose_change(of({0, 1, 2}), group.now());
    REQUIRE_FALSE(early);
    CHECK(early.why().detail == "nothing of this leader's term is committed yet");
  }

  TEST_CASE("configurations that make no sense are refused in words") {
    few_members group{3};
    auto leader = group.elect();
    group.settle();
    auto why = [&](configuration x) {
      auto answer = group.rules(leader).propose_change(std::move(x), group.now());
      return answer ? std::string{} : answer.why().detail;
    };
    CHECK(why({}) == "no voter");
    CHECK(why(of({0, 1}, {1})) == "a voter is a learner too");
    CHECK(why(of({0, 1, 2, 3})) == "a new voter must first be a learner that has caught up");
    configuration many;
    for (int i = 0; i < 8; ++i)
      many.voters.push_back(nth_member(i));
    CHECK(why(many) == "more than 7 voters");
    CHECK(why({{member_id{}}, {}, {}}) == "a member without a node or a journal");
  }

  TEST_CASE("a change that its leader did not finish is finished by the next") {
    few_members group{5, {}, 3};
    auto leader = group.elect();
    REQUIRE(group.rules(leader).propose_change(of({0, 1, 2}, {3, 4}), group.now()));
    group.pass(milliseconds{300});
    auto next = of({3, 4});
    next.voters.push_back(nth_member((leader + 1) % 3));
    next = in_order(next);
    REQUIRE(group.rules(leader).propose_change(next, group.now()));
    auto todo = group.take_messages(leader);
    for (auto& m : todo)
      group.deliver(m); // the joint configuration gets around
    group.crash(leader);
    group.pass(milliseconds{5'000});
    auto now = group.leader();
    REQUIRE(now);
    CHECK(group.rules(*now).members() == next);
    CHECK(group.rules(*now).describe(group.now()).members_committed);
  }

  TEST_CASE("who alone has the entry that removes it stands all the same (4.2.2, figure 4.6)") {
    few_members group{2};
    auto leader = group.elect();
    auto other = 1 - leader;
    group.pass(milliseconds{200});
    // The joint configuration is committed; the final one, without the leader, reaches nobody.
    group.passes = [&](const message& m) {
      auto* x = std::get_if<append>(&m.body);
      if (!x || x->entries.empty() || x->entries.back()->kind != entry_kind::configuration)
        return true;
      return decode_configuration(x->entries.back()->data)->joint();
    };
    REQUIRE(group.rules(leader).propose_change(of({other}), group.now()));
    group.settle();
    CHECK_FALSE(group.rules(leader).members().votes(nth_member(leader)));
    group.restart(leader);
    group.restart(other);
    group.passes = nullptr;
    group.pass(milliseconds{10'000});
    CHECK(group.leader() == other);
    CHECK(group.rules(other).members() == of({other}));
    CHECK(group[leader].removed);
  }

  TEST_CASE("a member that was removed and came back votes once its log says that it is back") {
    core::setting s;
    s.self = nth_member(0);
    s.removed_at = 5;
    s.ballot = {3, {}};
    auto now = time_point{} + std::chrono::hours{1};
    auto granted = [&](core& x, term_number term) {
      x.on_message({nth_member(1), nth_member(0), term, vote_request{false, 99, 2, false}}, now);
      bool result = false;
      for (auto todo = x.take_work(now);; todo = x.take_work(now)) {
        for (auto& m : todo.messages)
          if (auto* reply = std::get_if<vote_reply>(&m.body))
            result = reply->granted;
        if (!todo.write)
          return result;
        x.on_written(todo.write->sequence, now);
      }
    };
    core empty{s, now};
    CHECK_FALSE(granted(empty, 4));
    s.head = {5, 2, founded_by({nth_member(0), nth_member(1)}).members,
              4}; // from before it was removed
    core early{s, now};
    CHECK_FALSE(granted(early, 4));
    s.head = {7, 2, founded_by({nth_member(0), nth_member(1)}).members, 6};
    core back{s, now};
    CHECK(granted(back, 4));
  }

  TEST_CASE("a node with another journal is a stranger: the leader asks for its readmission") {
    few_members group{3};
    auto leader = group.elect();
    auto lost = (leader + 1) % 3;
    group.crash(lost);
    group[lost].who = nth_member(lost, 2);
    group[lost].kept = {};
    group[lost].entries.clear();
    group[lost].voted = {};
    group.start(lost);
    REQUIRE(group.rules(leader).propose("x"));
    group.pass(milliseconds{300});
    REQUIRE(group[leader].readmissions.size() == 1);
    CHECK(group[leader].readmissions[0].was == nth_member(lost));
    CHECK(group[leader].readmissions[0].now == nth_member(lost, 2));
    CHECK(group[lost].state.empty());
    // As a learner it gets everything; then one change swaps the two.
    auto with = of({0, 1, 2});
    with.learners.push_back(nth_member(lost, 2));
    REQUIRE(group.rules(leader).propose_change(with, group.now()));
    group.pass(milliseconds{300});
    CHECK(group[lost].state.size() == 1);
    auto swapped = of({0, 1, 2});
    std::erase(swapped.voters, nth_member(lost));
    swapped.voters.push_back(nth_member(lost, 2));
    REQUIRE(group.rules(leader).propose_change(swapped, group.now()));
    group.pass(milliseconds{300});
    CHECK(group.rules(leader).members() == in_order(swapped));
    CHECK(group.rules(lost).members() == in_order(swapped));
  }

  TEST_CASE("a log shorter than it once acknowledged: fenced, not counted, never rewound") {
    few_members group{3};
    auto leader = group.elect();
    for (int i = 0; i < 10; ++i)
      REQUIRE(group.rules(leader).propose(std::to_string(i)));
    group.pass(milliseconds{100});
    auto shorter = (leader + 1) % 3;
    auto other = (leader + 2) % 3;
    group.crash(shorter);
    group[shorter].entries.resize(5);
    ++group[shorter].start;
    group.start(shorter);
    group.crash(other);
    REQUIRE(group.rules(leader).propose("more"));
    group.pass(milliseconds{200});
    CHECK(group[shorter].fenced);
    group.pass(milliseconds{3000}); // it is told again and again, and says so once
    CHECK(group[shorter].alarms.size() == 1);
    for (const auto& x : group.rules(leader).describe(group.now()).followers)
      CHECK_FALSE(x.heard); // one is down, and the other's word counts for nothing
    REQUIRE(group[leader].readmissions.size() == 1);
    CHECK(group[leader].readmissions[0].was == nth_member(shorter));
    CHECK(group[leader].readmissions[0].now == nth_member(shorter));
    CHECK(group[leader].state.size() == 10); // what only it could confirm is not committed
    CHECK(group.rules(leader).describe(group.now()).followers.size() == 2);
    group.rules(shorter).on_message(
        {nth_member(other), nth_member(shorter), 99, vote_request{false, 99, 98, true}},
        group.now());
    bool granted = false;
    for (auto& m : group.take_messages(shorter))
      if (auto* x = std::get_if<vote_reply>(&m.body))
        granted = granted || x->granted;
    CHECK_FALSE(granted);
  }

  TEST_CASE("a refusal that was overtaken by an acknowledgement accuses nobody") {
    few_members group{3};
    auto leader = group.elect();
    auto one = (leader + 1) % 3;
    auto term = group.rules(leader).term();
    for (int i = 0; i < 10; ++i)
      REQUIRE(group.rules(leader).propose(std::to_string(i)));
    group.pass(milliseconds{100});
    append_reply old{false, 9, 1, 1, 1, 0, 1}; // count 0: said before all others
    group.deliver({nth_member(one), nth_member(leader), term, old});
    group.settle();
    CHECK(group[leader].readmissions.empty());
  }

  TEST_CASE("what a learner acknowledged before it was removed accuses nobody once it is back") {
    few_members group{2, {}, 1};
    auto leader = group.elect();
    REQUIRE(leader == 0);
    std::vector<message> said;
    group.passes = [&](const message& x) {
      auto* reply = std::get_if<append_reply>(&x.body);
      if (reply && reply->accepted)
        said.push_back(x);
      return true;
    };
    REQUIRE(group.rules(0).propose_change(of({0}, {1}), group.now()));
    group.pass(milliseconds{300});
    REQUIRE(group.rules(0).propose("x"));
    group.pass(milliseconds{300});
    REQUIRE_FALSE(said.empty());
    auto late = said.back(); // it has been on its way for long
    REQUIRE(group.rules(0).propose_change(of({0}), group.now()));
    group.pass(milliseconds{300});
    REQUIRE(group[1].removed);
    group.crash(1); // a tombstone takes its log's place
    group[1].kept = {};
    group[1].entries.clear();
    ++group[1].start;
    group.start(1);
    REQUIRE(group.rules(0).propose_change(of({0}, {1}), group.now()));
    group.deliver(late);
    group.pass(milliseconds{3'000});
    CHECK_FALSE(group[1].fenced);
    CHECK(group[1].alarms.empty());
    CHECK(group[0].readmissions.empty());
    CHECK(group[1].state == std::vector<std::string>{"x"});
    REQUIRE(group.rules(0).propose("y"));
    group.deliver(late); // once more
    group.pass(milliseconds{300});
    CHECK(group[1].state.size() == 2);
    CHECK(group[0].readmissions.empty());
  }

  TEST_CASE("who was removed while away learns of it when it asks for votes") {
    few_members group{3};
    auto leader = group.elect();
    auto away = (leader + 1) % 3;
    group.cut_off(away);
    auto rest = of({0, 1, 2});
    std::erase(rest.voters, nth_member(away));
    REQUIRE(group.rules(leader).propose_change(rest, group.now()));
    group.pass(milliseconds{3'000});
    CHECK_FALSE(group[away].removed);
    group.heal();
    group.pass(milliseconds{3'000});
    CHECK(group[away].removed);
    CHECK(group.leader() == leader);
  }
}

} // namespace legion::changing_test
