#include <doctest/doctest.h>

#include "tests/unit/consensus/few_members.hpp"

namespace legion::election_test {

using namespace legion::consensus;

namespace {

/// One core alone, fed by hand.
struct alone {
  explicit alone(ballot voted = {}, entry_refs entries = {}, bool may_vote = true) {
    core::setting s;
    s.self = nth_member(0);
    s.may_vote = may_vote;
    s.ballot = voted;
    s.head.members = founded_by({nth_member(0), nth_member(1), nth_member(2)}).members;
    s.entries = std::move(entries);
    rules = std::make_unique<core>(s, now);
  }
  void hear(int from, term_number term, message_body body) {
    rules->on_message({nth_member(from), nth_member(0), term, std::move(body)}, now);
  }
  /// Takes the work, syncs, and takes what that released.
  std::vector<message> say() {
    std::vector<message> result;
    for (;;) {
      auto todo = rules->take_work(now);
      result.insert(result.end(), todo.messages.begin(), todo.messages.end());
      for (auto& x : todo.alarms)
        alarms.push_back(x);
      if (todo.write)
        rules->on_written(todo.write->sequence, now);
      else
        return result;
    }
  }
  const vote_reply* vote(const std::vector<message>& all) {
    for (const auto& x : all)
      if (auto* reply = std::get_if<vote_reply>(&x.body))
        return reply;
    return nullptr;
  }
  time_point now = time_point{} + std::chrono::hours{1};
  std::unique_ptr<core> rules;
  std::vector<std::string> alarms;
};

entry_ref data(log_index i, term_number t) {
  return std::make_shared<const entry>(entry{i, t, entry_kind::data, "x"});
}

} // namespace

TEST_SUITE("consensus/election") {

  TEST_CASE("one vote a term, however often it is asked (3.4)") {
    alone one;
    one.hear(1, 1, vote_request{});
    auto first = one.say();
    REQUIRE(one.vote(first));
    CHECK(one.vote(first)->granted);
    one.hear(2, 1, vote_request{});
    CHECK_FALSE(one.vote(one.say())->granted);
    one.hear(1, 1, vote_request{});
    CHECK(one.vote(one.say())->granted);
  }

  TEST_CASE("a vote is on disk before it is told (3.8), and holds after a restart") {
    alone one;
    one.hear(1, 1, vote_request{});
    auto todo = one.rules->take_work(one.now);
    CHECK(todo.messages.empty());
    REQUIRE(todo.write);
    CHECK(todo.write->ballot == ballot{1, nth_member(1)});
    one.rules->on_written(todo.write->sequence, one.now);
    CHECK(one.rules->take_work(one.now).messages.size() == 1);

    alone again{todo.write->ballot};
    again.hear(2, 1, vote_request{});
    CHECK_FALSE(again.vote(again.say())->granted);
  }

  TEST_CASE("no vote for a log that is behind (3.6.1)") {
    struct {
      log_index last;
      term_number term;
      bool granted;
    } table[] = {{3, 2, true},  {2, 2, false}, {2, 3, true},
                 {9, 1, false}, {4, 2, true},  {0, 0, false}};
    for (auto& row : table) {
      alone one{{2, {}}, {data(1, 1), data(2, 2), data(3, 2)}};
      one.hear(1, 5, vote_request{false, row.last, row.term, false});
      auto said = one.say();
      CAPTURE(row.last);
      CAPTURE(row.term);
      CHECK(one.vote(said)->granted == row.granted);
      alone trial{{2, {}}, {data(1, 1), data(2, 2), data(3, 2)}};
      trial.hear(1, 5, vote_request{true, row.last, row.term, false});
      CHECK(trial.vote(trial.say())->granted == row.granted);
      CHECK(trial.rules->term() == 2); // a trial changes nothing (9.6)
    }
  }

  TEST_CASE("while the leader is heard nobody else gets a vote or a trial (4.2.3, 9.6)") {
    alone one;
    one.hear(1, 3, append{});
    one.say();
    one.now += milliseconds{400};
    one.hear(2, 4, vote_request{true, 9, 9, false});
    CHECK_FALSE(one.vote(one.say())->granted);
    one.hear(2, 4, vote_request{false, 9, 9, false});
    CHECK(one.say().empty());
    CHECK(one.rules->term() == 3);
    one.hear(2, 4,
             vote_request{false, 9, 9, true}); // but when the leader itself asked for it (3.10)
    CHECK(one.vote(one.say())->granted);

    alone beaten; // beats alone keep it so, for as long as they come
    beaten.rules->on_beat(nth_member(1), {3, standing::leads}, beaten.now);
    beaten.say();
    beaten.now += std::chrono::hours{5};
    beaten.hear(2, 4, vote_request{true, 9, 9, false});
    CHECK_FALSE(beaten.vote(beaten.say())->granted);
    CHECK(beaten.rules->wake_at() == time_point::max()); // and cost nothing
    beaten.rules->on_silence(nth_member(1).node, beaten.now, beaten.now);
    CHECK(beaten.rules->wake_at() >= beaten.now + milliseconds{500});
    CHECK(beaten.rules->wake_at() < beaten.now + milliseconds{1000});
    beaten.now += milliseconds{500};
    beaten.hear(2, 4, vote_request{true, 9, 9, false});
    CHECK(beaten.vote(beaten.say())->granted);
  }

  TEST_CASE("a member that may not vote gives no vote and never stands") {
    alone one{{}, {}, false};
    one.hear(1, 1, vote_request{false, 9, 9, false});
    CHECK_FALSE(one.vote(one.say())->granted);
    one.hear(1, 2, vote_request{true, 9, 9, false});
    CHECK_FALSE(one.vote(one.say())->granted);
    CHECK(one.rules->wake_at() == time_point::max());
  }

  TEST_CASE("it asks before it stands: the term rises only with a quorum's consent (9.6)") {
    few_members group{3};
    REQUIRE(group.elect() >= 0);
    auto leader = group.elect();
    auto other = (leader + 1) % 3;
    auto term = group.rules(leader).term();
    group.cut_off(other);
    group.pass(milliseconds{60'000});
    CHECK(group.rules(other).term() == term);
    group.heal();
    group.pass(milliseconds{2'000});
    CHECK(group.leader() == leader); // its return disturbs nobody
    CHECK(group.rules(leader).term() == term);
  }

  TEST_CASE("a leader that hears no quorum steps down (6.2)") {
    few_members group{3};
    auto leader = group.elect();
    group.cut_off(leader);
    group.pass(milliseconds{1'200});
    CHECK(group.rules(leader).role() != role::leader);
    group.pass(milliseconds{3'000});
    REQUIRE(group.leader());
    CHECK(*group.leader() != leader);
  }

  TEST_CASE("a refused connection is proof of death: the others elect at once") {
    for (int round = 0; round < 20; ++round) {
      few_members group{3};
      group.pass(milliseconds{13 * round});
      auto leader = group.elect();
      for (int i = 0; i < 3; ++i)
        if (i != leader)
          group.tell_beat(leader, i);
      group.crash(leader);
      for (int i = 0; i < 3; ++i)
        if (i != leader)
          group.rules(i).on_refused(group[leader].who.node, group.now());
      auto begin = group.now();
      while (!group.leader() && group.now() < begin + milliseconds{500})
        group.pass(milliseconds{1});
      CAPTURE(round);
      CHECK(group.now() - begin <= milliseconds{100});
    }
  }

  TEST_CASE("leadership goes where it is asked to, without a pause (3.10)") {
    few_members group{3};
    auto leader = group.elect();
    auto next = (leader + 1) % 3;
    REQUIRE(group.rules(leader).propose("before"));
    REQUIRE(group.rules(leader).transfer(group[next].who, group.now()));
    CHECK_FALSE(group.rules(leader).propose("meanwhile"));
    group.settle();
    CHECK(group.leader() == next);
    REQUIRE(group.rules(next).propose("after"));
    group.settle();
    CHECK(group[next].state == std::vector<std::string>{"before", "after"});
  }

  TEST_CASE("a transfer to someone who is not there is given up after an election timeout") {
    few_members group{3};
    auto leader = group.elect();
    auto next = (leader + 1) % 3;
    group.cut_off(next);
    REQUIRE(group.rules(leader).propose("x"));
    REQUIRE(group.rules(leader).transfer(group[next].who, group.now()));
    group.pass(milliseconds{510});
    CHECK(group.leader() == leader);
    CHECK(group.rules(leader).propose("y"));
  }

  TEST_CASE("who abstains hands leadership over and does not stand again") {
    few_members group{3};
    auto leader = group.elect();
    group.rules(leader).abstain(true, group.now());
    group.settle();
    REQUIRE(group.leader());
    CHECK(*group.leader() != leader);
    CHECK(group.rules(leader).role() == role::follower);
  }

  TEST_CASE(
      "asked again to abstain it goes on handing over, and steps down if that came to nothing") {
    few_members group{3};
    auto leader = group.elect();
    group.passes = [](const message& x) { return !std::holds_alternative<take_over>(x.body); };
    for (int i = 0; i < 40; ++i) { // as who drains does
      group.rules(leader).abstain(true, group.now());
      group.pass(milliseconds{250});
    }
    REQUIRE(group.leader());
    CHECK(*group.leader() != leader);
  }

  TEST_CASE("the only voter waits until it may stand, then leads at once") {
    core::setting s;
    s.self = nth_member(0);
    s.head = founded_by({nth_member(0)});
    s.waits = true;
    time_point now{std::chrono::hours{1}};
    core rules{s, now};
    CHECK(rules.wake_at() == time_point::max());
    rules.on_tick(now + seconds{60});
    CHECK(rules.role() == role::follower);
    rules.begin_to_stand();
    CHECK(rules.wake_at() <= now + seconds{60});
    rules.on_tick(now + seconds{60});
    CHECK(rules.role() != role::follower);
  }

  TEST_CASE("a split round is tried again, and ends") {
    for (int round = 0; round < 30; ++round) {
      few_members group{5};
      int lost = round;
      group.passes = [&lost](const message&) { return lost++ % 3 != 0; };
      group.pass(milliseconds{20'000});
      CAPTURE(round);
      CHECK(group.leader());
    }
  }

  TEST_CASE("messages that make no sense change nothing") {
    alone one;
    one.hear(1, 3, append{});
    one.say();
    one.hear(2, 3, append{}); // a second leader in one term
    CHECK(one.say().empty());
    CHECK(one.alarms.size() == 1);
    CHECK(one.rules->leader() == nth_member(1));
    one.hear(1, 3, append_reply{true, 7, 0, 0, 7, 1, 1});
    one.hear(2, 3, vote_reply{false, true});
    one.hear(2, 3, confirmed{9});
    one.hear(1, 3, append{0, 0, 0, {data(2, 1)}}); // a gap
    one.hear(1, 3, append{0, 0, 0, {data(1, 4)}}); // of a later term than the leader's
    CHECK(one.say().empty());
    CHECK(one.rules->role() == role::follower);
    CHECK(one.rules->commit() == 0);
  }
}

} // namespace legion::election_test
