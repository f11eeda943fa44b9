#include "tests/unit/keeper/rollout_world.hpp"

namespace legion::rollout_pod_test {

using namespace legion::keeper;
using namespace legion::rollout_world;

namespace {

/// Its node has told that the world's only pod is over.
pod_view ended(world& w, const char* phase) {
  auto x = w.pods()[0];
  w.act(w.rules->on_heard(w.report_of(x.slot(), node_id::from_bytes(x.node()), false, phase),
                          w.at()));
  return x;
}

} // namespace

TEST_SUITE("keeper/rollout_pod") {

  TEST_CASE("a bare Pod has one slot named as it; its death is replaced by the same name") {
    world w{pod("Always")};
    REQUIRE(w.pods("bound").size() == 1);
    CHECK(w.pods()[0].slot().pod() == "job");
    auto at = w.pods()[0].node() == node(1).bytes()   ? 1
              : w.pods()[0].node() == node(2).bytes() ? 2
                                                      : 0;
    if (at != 0) {
      w.member(at, member_dead);
      w.pass(seconds{1});
      REQUIRE(w.pods("bound").size() == 1);
      CHECK(w.pods("bound")[0].slot().pod() == "job");
    }
  }

  TEST_CASE("a Pod that is not to be restarted stays when it has ended, wherever its node is") {
    for (auto [policy, phase] :
         {std::pair{"Never", "Succeeded"}, {"Never", "Failed"}, {"OnFailure", "Succeeded"}}) {
      world w{pod(policy)};
      auto x = ended(w, phase);
      for (int i = 1; i < 3; ++i)
        w.member(i, member_dead);
      w.pass(seconds{60});
      REQUIRE(w.pods().size() == 1);
      CHECK(w.pods()[0].slot().uid() == x.slot().uid());
      CHECK(w.calls.size() == 1);
    }
  }

  TEST_CASE("what has finished is committed: a new keeper never runs it again, "
            "whether its node is dead or regrets it") {
    for (auto [policy, phase] :
         {std::pair{"Never", "Succeeded"}, {"Never", "Failed"}, {"OnFailure", "Succeeded"}}) {
      world w{pod(policy)};
      auto x = ended(w, phase);
      auto kept = w.rules->kept();
      CHECK(kept.slots.begin()->second.finished == phase);
      auto commits = w.index;
      w.pass(seconds{10});
      CHECK(w.index == commits);                 // once
      kept.slots.begin()->second.node = node(9); // nobody knows it
      w.rules.emplace(kept, group_id{1}, node(0), 1, 8, w.at());
      w.accepts.clear();
      w.regrets = 9;
      w.act(w.rules->on_members(w.members, w.at()));
      w.pass(seconds{60});
      CHECK(w.accepts.empty());
      CHECK(w.calls.size() == 1);
      REQUIRE(w.pods("bound").size() == 1);
      CHECK(w.pods()[0].assessment().phase() == phase);
      w.remove();
      CHECK(w.pods("ending").size() + w.pods("replaced").size() == 1);
    }
  }

  TEST_CASE("what is not to be restarted is left to its node, whose process may outlive it") {
    for (std::string policy : {"Never", "OnFailure"}) {
      world w{pod(policy)};
      auto uid = w.pods()[0].slot().uid();
      auto kept = w.rules->kept();
      auto at = 1; // not the keeper's own, which lives as long as it
      kept.slots.begin()->second.node = node(at);
      w.rules.emplace(kept, group_id{1}, node(0), 1, 8, w.at());
      w.act(w.rules->on_members(w.members, w.at()));
      w.member(at, member_dead);
      w.pass(seconds{60});
      REQUIRE(w.pods().size() == 1);
      CHECK(w.pods()[0].slot().uid() == uid);
      CHECK(w.pods()[0].node_dead());
      CHECK(w.pods()[0].note().find("not begun elsewhere") != std::string::npos);
      w.member(at, member_alive);
      w.pass(seconds{5});
      CHECK(w.pods()[0].note().empty());
      CHECK(w.calls.size() == 1);
      w.member(at, member_left); // it drained, and ended it: nobody need say so
      w.pass(seconds{5});
      CHECK(w.calls.size() == 2);
      REQUIRE(w.pods().size() == 1);
      CHECK(w.pods()[0].slot().uid() != uid);
    }
  }

  TEST_CASE("a Pod that failed because its node withdrew it has not finished") {
    world w{pod("Never")};
    auto x = w.pods()[0];
    auto told = w.report_of(x.slot(), node_id::from_bytes(x.node()), false, "Failed");
    told.mutable_assessments(0)->set_withdrawn(true);
    w.act(w.rules->on_heard(told, w.at()));
    w.pass(seconds{5});
    CHECK(w.calls.size() == 2);
  }

  TEST_CASE("a Pod that cannot be committed yet, for the disk is full, is shown, and says why") {
    world w{pod("Always"), 3, true};
    REQUIRE(w.pods().size() == 1);
    CHECK(w.pods()[0].state() == "missing");
    CHECK(w.pods()[0].slot().pod() == "job");
    CHECK(w.pods()[0].note() == "the keeper's journal refused a commit: disk full 0 bytes free");
    REQUIRE(w.rules->explain("job", w.at()));
    CHECK(w.rules->explain("job", w.at())->view().note() == w.pods()[0].note());
    CHECK(!w.rules->explain("another", w.at()));
    w.disk_full = false;
    w.pass(seconds{2});
    REQUIRE(w.pods().size() == 1);
    CHECK(w.pods()[0].state() == "bound");
    CHECK(w.pods()[0].note().empty());
  }
}

} // namespace legion::rollout_pod_test
