#include "actors/keeper/history.hpp"

#include <doctest/doctest.h>

namespace legion::history_test {

using namespace legion::keeper;

namespace {

negotiation_round round_for(std::uint64_t call, const std::string& pod, bool accepted = true) {
  negotiation_round result;
  result.set_call(call);
  result.add_pods(pod);
  auto& winner = *result.add_candidates();
  winner.set_node("node-1");
  winner.set_accepted(accepted);
  auto& silent = *result.add_candidates();
  silent.set_node("node-2");
  silent.mutable_decline()->set_reason(decline_silent);
  return result;
}

std::string pod(int n) {
  return "web-abc-" + std::to_string(n);
}

} // namespace

TEST_SUITE("keeper/history") {

  TEST_CASE("a pod that lives keeps its round, however many came after it") {
    history all;
    std::set<std::string> living;
    for (int i = 1; i <= 100; ++i) { // a rollout of 100 replicas, one at a time
      living.insert(pod(i));
      all.add(round_for(i, pod(i)), living);
    }
    for (int i = 1; i <= 100; ++i)
      CHECK(all.explain(pod(i)).rounds_size() == 1);
  }

  TEST_CASE("beyond 16 rounds the oldest of pods that are gone are dropped first") {
    history all;
    for (int i = 1; i <= 40; ++i)
      all.add(round_for(i, pod(i)), {pod(1), pod(i)});
    CHECK(all.explain(pod(1)).rounds_size() == 1);
    CHECK(all.explain(pod(25)).rounds_size() == 0);
    CHECK(all.explain(pod(26)).rounds_size() == 1);
    CHECK(all.explain(pod(40)).rounds_size() == 1);
  }

  TEST_CASE("rounds are bounded in number and bytes, whoever lives") {
    history all;
    std::set<std::string> living;
    for (int i = 1; i <= 2000; ++i) {
      living.insert(pod(i));
      all.add(round_for(i, pod(i)), living);
    }
    CHECK(all.explain(pod(2000 - history::most_rounds)).rounds().empty());
    CHECK(all.explain(pod(2001 - history::most_rounds)).rounds_size() == 1);
    for (int i = 1; i <= 10; ++i) {
      auto big = round_for(i, pod(i));
      big.set_decided(std::string(history::most_round_bytes / 4, 'x'));
      all.add(std::move(big), living);
    }
    CHECK(all.explain(pod(7)).rounds().empty());
    CHECK(all.explain(pod(8)).rounds_size() == 1);
    CHECK(all.explain(pod(10)).rounds_size() == 1);
  }

  TEST_CASE("a late answer takes the place of the silence that was noted, in its round only") {
    history all;
    all.add(round_for(1, pod(1)), {pod(1)});
    all.add(round_for(2, pod(2)), {pod(1), pod(2)});
    candidate late;
    late.set_node("node-2");
    late.set_late(true);
    late.mutable_offer()->set_count(3);
    all.amend(1, late);
    CHECK(all.explain(pod(1)).rounds(0).candidates(1).offer().count() == 3);
    CHECK(all.explain(pod(1)).rounds(0).candidates(1).late());
    CHECK(all.explain(pod(2)).rounds(0).candidates(1).has_decline());
    late.set_node("node-1"); // it had answered in time
    all.amend(1, late);
    CHECK_FALSE(all.explain(pod(1)).rounds(0).candidates(0).late());
    all.amend(99, late); // a round that is forgotten
  }

  TEST_CASE("a regret is told of the pod's newest round that accepted that node, to no other pod") {
    history all;
    auto round = round_for(1, pod(1));
    round.add_pods(pod(2));
    all.add(round, {pod(1), pod(2)});
    all.add(round_for(2, pod(1), false), {pod(1), pod(2)});
    regretted_slot what;
    what.set_pod(pod(1));
    what.set_node("node-1");
    what.set_detail("ports: 26001 taken");
    all.regret(what);
    auto told = all.explain(pod(1));
    REQUIRE(told.rounds_size() == 2);
    REQUIRE(told.rounds(0).regretted_size() == 1);
    CHECK(told.rounds(0).regretted(0).detail() == "ports: 26001 taken");
    CHECK(told.rounds(1).regretted().empty());
    CHECK(all.explain(pod(2)).rounds(0).regretted().empty());
    what.set_node("node-2"); // was never accepted
    all.regret(what);
    CHECK(all.explain(pod(1)).rounds(0).regretted_size() == 1);
  }

  TEST_CASE("a round in vain for the same pods takes the place of the one before") {
    history all;
    for (int i = 1; i <= 5; ++i)
      all.add(round_for(i, pod(1), false), {pod(1)});
    CHECK(all.explain(pod(1)).rounds_size() == 1);
    CHECK(all.explain(pod(1)).rounds(0).call() == 5);
  }

  TEST_CASE("a round is to be committed once, and again when something came of it") {
    history all;
    all.add(round_for(1, pod(1)), {pod(1)});
    all.add(round_for(2, pod(2)), {pod(1), pod(2)});
    auto first = all.unsaved({pod(1)});
    REQUIRE(first.size() == 1);
    CHECK(first[0].call() == 1);
    CHECK(all.unsaved({pod(1)}).empty()); // under way
    all.saved(false);
    CHECK(all.unsaved({pod(1)}).size() == 1); // it was refused
    all.saved(true);
    CHECK(all.unsaved({pod(1)}).empty());
    regretted_slot what;
    what.set_pod(pod(1));
    what.set_node("node-1");
    all.regret(what);
    auto again = all.unsaved({pod(1), pod(2)});
    REQUIRE(again.size() == 2);
    CHECK(again[0].regretted_size() == 1);
    CHECK(again[1].call() == 2);
  }

  TEST_CASE("what changed while its commit was under way is to be committed again") {
    history all;
    all.add(round_for(1, pod(1)), {pod(1)});
    CHECK(all.unsaved({pod(1)}).size() == 1);
    candidate late;
    late.set_node("node-2");
    late.mutable_offer()->set_count(3);
    all.amend(1, late);
    all.saved(true);
    CHECK(all.unsaved({pod(1)}).size() == 1);
  }

  TEST_CASE("a keeper that begins knows what was committed, and does not commit it again") {
    history all;
    all.restore({round_for(1, pod(1)), round_for(2, pod(2))});
    CHECK(all.explain(pod(1)).rounds_size() == 1);
    CHECK(all.explain(pod(2)).rounds_size() == 1);
    CHECK(all.unsaved({pod(1), pod(2)}).empty());
  }

  TEST_CASE("a keeper that begins tells again what was decided before, and what nodes tell again") {
    history all;
    auto round = round_for(1, pod(1));
    round.set_time_ms(1000);
    round.mutable_candidates(0)->set_node_name("one");
    event started;
    started.set_time_ms(2000);
    started.set_reason("Started");
    started.set_object(pod(1));
    all.restore({round, round_for(2, pod(2), false)});
    all.recall(started);
    all.recall(started);
    REQUIRE(all.events().size() == 2);
    CHECK(all.events()[0].reason() == "Scheduled");
    CHECK(all.events()[0].object() == pod(1));
    CHECK(all.events()[0].message() == "accepted the offer of one");
    CHECK(all.events()[1].reason() == "Started");
    CHECK(all.events()[1].count() == 1);
  }

  TEST_CASE("a round for several pods makes one event of their resource") {
    history all;
    auto round = round_for(1, pod(1));
    round.add_pods(pod(2));
    round.mutable_of()->set_name("web");
    round.mutable_candidates(0)->set_node_name("one");
    auto& second = *round.add_candidates();
    second.set_accepted(true);
    second.set_node_name("two");
    all.restore({round});
    REQUIRE(all.events().size() == 1);
    CHECK(all.events()[0].object() == "web");
    CHECK(all.events()[0].message() == "called for 2 replicas: accepted the offers of 2 nodes");
  }

  TEST_CASE("of many candidates those are committed that were accepted, and the first that fit") {
    history all;
    auto round = round_for(1, pod(1), false);
    for (int i = 0; i < 62; ++i) {
      auto& more = *round.add_candidates();
      more.set_node("node-" + std::to_string(10 + i));
      more.mutable_decline()->set_detail(std::string(1024, 'x'));
    }
    round.mutable_candidates(63)->set_accepted(true);
    all.add(round, {pod(1)});
    auto saved = all.unsaved({pod(1)});
    REQUIRE(saved.size() == 1);
    CHECK(saved[0].ByteSizeLong() < history::most_candidate_bytes + 2048);
    CHECK(saved[0].candidates(saved[0].candidates_size() - 1).accepted());
    CHECK(saved[0].candidates_size() + static_cast<int>(saved[0].candidates_left_out()) == 64);
    CHECK(all.explain(pod(1)).rounds(0).candidates_size() == 64); // here all are known
  }

  TEST_CASE("what is committed at once is bounded: the newest rounds come first") {
    history all;
    for (int i = 1; i <= 20; ++i) {
      auto round = round_for(i, pod(1));
      round.set_decided(std::string(8 * 1024, 'x'));
      all.add(round, {pod(1)});
    }
    auto saved = all.unsaved({pod(1)});
    REQUIRE(saved.size() == 7);
    CHECK(saved.front().call() == 14);
    CHECK(saved.back().call() == 20);
  }
}

} // namespace legion::history_test
