#include "tests/unit/keeper/rollout_world.hpp"

namespace legion::rollout_losses_test {

using namespace legion::keeper;
using namespace legion::rollout_world;

TEST_SUITE("keeper/rollout losses") {

  TEST_CASE("suspect is not dead; dead is: ended with a tombstone, replaced under a new uid") {
    world w{deployment(3)};
    w.all_ready();
    auto lost = w.on(2);
    REQUIRE(lost.size() == 1);
    w.member(2, member_suspect);
    CHECK(w.pods().size() == 3);
    CHECK(w.view().ready() == 3);
    w.now += seconds{1};
    w.member(2, member_dead);
    CHECK(w.pods("bound").size() == 3);
    REQUIRE(w.pods("replaced").size() == 1);
    CHECK(w.pods("replaced")[0].slot().uid() == lost[0].slot().uid());
    CHECK(w.pods("replaced")[0].node_dead());
    CHECK(w.releases.empty());
    for (const auto& x : w.calls.back().among)
      CHECK(x.id != node(2));
    for (const auto& x : w.pods("bound"))
      CHECK(x.slot().uid() != lost[0].slot().uid());
    SUBCASE("it returns: its tombstone is released, and only that") {
      w.slow_stop = true;
      w.member(2, member_alive);
      REQUIRE(w.releases.size() == 1);
      CHECK(w.releases[0].to == node(2));
      CHECK(w.releases[0].what.slots_size() == 1);
      CHECK(w.releases[0].what.slots(0).uid() == lost[0].slot().uid());
      CHECK(w.pods("ending").size() == 1);
      w.pass(seconds{3});
      CHECK(w.releases.size() > 2);
      w.slow_stop = false;
      w.pass(seconds{3});
      CHECK(w.pods().size() == 3);
      CHECK(!w.rules->due(w.now));
      CHECK(w.rules->explain(lost[0].slot().pod(), w.at())->view().state() == "gone");
    }
    SUBCASE("a dead node costs no timer") {
      w.pass(seconds{5});
      CHECK(!w.rules->due(w.now));
    }
  }

  TEST_CASE("a restart is not a reason to replace: the node adopts what it promised") {
    world w{deployment(3)};
    w.all_ready();
    auto accepts = w.accepts.size();
    w.member(2, member_alive, 2);
    CHECK(w.calls.size() == 1);
    CHECK(w.pods("bound").size() == 3);
    SUBCASE("it says so in full, and is not asked") {
      auto all = w.report_of(w.on(2)[0].slot(), node(2), true);
      all.set_full(true);
      all.set_start(2);
      w.act(w.rules->on_heard(all, w.at()));
      w.pass(seconds{20});
      CHECK(w.accepts.size() == accepts);
    }
    SUBCASE(
        "a report of its earlier life says nothing of this one: it is asked, and has it still") {
      auto old = w.report_of(w.on(2)[0].slot(), node(2), true);
      old.set_full(true);
      old.set_start(1);
      w.act(w.rules->on_heard(old, w.at()));
      w.pass(seconds{20});
      REQUIRE(w.accepts.size() == accepts + 1);
      CHECK(w.accepts.back().to == node(2));
      CHECK(w.calls.size() == 1);
    }
    SUBCASE("it lost its journal and says nothing: asked after 5 s, it regrets, and is replaced") {
      auto lost = w.on(2)[0].slot().uid();
      w.pass(milliseconds{4900});
      CHECK(w.accepts.size() == accepts);
      w.regrets = 1;
      w.pass(seconds{10});
      CHECK(w.accepts.size() > accepts);
      CHECK(w.calls.size() == 2);
      CHECK(w.pods("bound").size() == 3);
      for (const auto& x : w.pods("bound"))
        CHECK(x.slot().uid() != lost);
    }
    CHECK(!w.rules->due(w.now));
  }

  TEST_CASE("what is lost of an earlier template while a rollout is stuck comes back as it was") {
    world w{deployment(3)};
    w.all_ready();
    auto before = revision_of(deployment(3));
    auto newest = revision_of(deployment(3, "b"));
    auto of = [&](const std::string& revision, const std::string& state) {
      std::vector<pod_view> result;
      for (const auto& x : w.pods(state))
        if (x.slot().revision() == revision)
          result.push_back(x);
      return result;
    };
    w.put(deployment(3, "b"));
    REQUIRE(of(newest, "bound").size() == 1); // and it does not get ready
    REQUIRE(of(before, "bound").size() == 3);
    auto lost = of(before, "bound")[0];
    auto at = 0;
    while (node(at).bytes() != lost.node())
      ++at;
    SUBCASE("its node withdraws it") {
      auto said = w.report_of(lost.slot(), node(at), false);
      said.mutable_assessments(0)->set_withdrawn(true);
      w.act(w.rules->on_heard(said, w.at()));
    }
    SUBCASE("it regrets") {
      accept_reply reply;
      auto& no = *reply.add_slots();
      no.set_uid(lost.slot().uid());
      *no.mutable_order() = lost.slot().order();
      no.set_detail("lost");
      w.act(w.rules->on_accept_reply(node(at), 0, reply, w.at()));
    }
    w.pass(seconds{10});
    CHECK(of(newest, "bound").size() == 1);
    REQUIRE(of(before, "bound").size() == 3);
    for (const auto& x : of(before, "bound"))
      CHECK(x.slot().uid() != lost.slot().uid());
    CHECK(w.calls.back().what.template_().spec().containers(0).image() == "a");
    const auto& accepted = w.accepts.back().what;
    CHECK(accepted.offer() != 0);
    CHECK(accepted.what().deployment().template_().spec().containers(0).image() == "a");
    // A group that is raised from promises takes the newest resource.
    CHECK(accepted.what().metadata().resource_version()
          < w.rules->kept().what.metadata().resource_version());
    // Once the newer ones get ready, the earlier ones go.
    for (int i = 0; i < 6; ++i) {
      w.all_ready();
      w.pass(seconds{10});
    }
    CHECK(of(newest, "bound").size() == 3);
    CHECK(of(before, "").empty());
  }

  TEST_CASE("what is lost of a template that is not kept comes back from the newest") {
    world w{deployment(3)};
    w.all_ready();
    auto kept = w.rules->kept();
    kept.what = deployment(3, "b"); // as an older version had it committed
    kept.what.mutable_deployment()->mutable_max_unavailable()->set_number(1);
    w.rules.emplace(kept, group_id{1}, node(0), 1, 8, w.at());
    w.volunteers = 0;
    w.act(w.rules->on_members(w.members, w.at()));
    w.all_ready();
    w.member(2, member_dead);
    w.pass(seconds{5});
    for (const auto& x : w.pods("missing"))
      CHECK(x.slot().revision() == revision_of(kept.what));
    CHECK(!w.pods("missing").empty());
  }

  TEST_CASE("a stand-in that regrets after its template came back is one as any other") {
    world w{deployment(3)};
    w.all_ready();
    w.put(deployment(3, "b"));
    w.volunteers = 0;
    w.member(2, member_dead);
    auto before = revision_of(deployment(3));
    auto stands_in = [&] {
      int result = 0;
      for (const auto& x : w.pods())
        result += x.slot().recalled() ? 1 : 0;
      return result;
    };
    CHECK(stands_in() == 1);
    w.put(deployment(3)); // undone
    w.regrets = 1;
    w.volunteers = 1000;
    w.pass(seconds{20});
    w.all_ready();
    w.pass(seconds{5});
    for (const auto& x : w.pods("bound"))
      CHECK(x.slot().revision() == before);
    CHECK(stands_in() == 0);
  }

  TEST_CASE("the keeper's own node is never dead to it") {
    world w{deployment(3)};
    w.member(0, member_dead);
    CHECK(w.pods("bound").size() == 3);
    CHECK(w.calls.size() == 1);
  }

  TEST_CASE("withdrawn by its node: replaced, and released there") {
    world w{deployment(3)};
    w.all_ready();
    auto x = w.on(1)[0];
    auto r = w.report_of(x.slot(), node(1), false);
    r.mutable_assessments(0)->set_withdrawn(true);
    w.act(w.rules->on_heard(r, w.at()));
    w.pass(seconds{1});
    CHECK(w.pods("bound").size() == 3);
    REQUIRE(w.releases.size() == 1);
    CHECK(w.releases[0].what.slots(0).uid() == x.slot().uid());
  }

  TEST_CASE("evidence of another node about a slot is not heard") {
    world w{deployment(1)};
    auto x = w.pods()[0];
    auto other = x.node() == node(1).bytes() ? node(2) : node(1);
    w.act(w.rules->on_heard(w.report_of(x.slot(), other, true), w.at()));
    CHECK(w.view().ready() == 0);
  }

  TEST_CASE("a full report without a promise: asked again, never taken for its end") {
    world w{deployment(1)};
    w.all_ready();
    auto before = w.accepts.size();
    report r;
    r.set_node(w.pods()[0].node());
    r.set_full(true);
    w.act(w.rules->on_heard(r, w.at()));
    CHECK(w.accepts.size() == before + 1);
    CHECK(w.pods("bound").size() == 1);
    CHECK(w.calls.size() == 1);
  }

  TEST_CASE("deleted: every slot ends, and all is over once every holder has released") {
    world w{deployment(3)};
    w.slow_stop = true;
    w.remove();
    CHECK(w.pods("ending").size() == 3);
    CHECK(w.view().deleting());
    CHECK(!group::is_over(w.rules->kept()));
    w.slow_stop = false;
    w.pass(seconds{3});
    CHECK(group::is_over(w.rules->kept()));
    CHECK(!w.rules->due(w.now));
  }

  TEST_CASE("deleted while a holder is dead: its tombstone waits for it") {
    world w{deployment(3)};
    w.member(2, member_dead);
    w.remove();
    w.pass(seconds{5});
    CHECK(w.pods().size() == 1);
    CHECK(w.pods("replaced").size() == 1);
    w.member(2, member_alive, 2);
    w.pass(seconds{1});
    CHECK(group::is_over(w.rules->kept()));
  }

  TEST_CASE("a Deployment's replica that failed for good is replaced, ever more slowly") {
    world w{deployment(1)};
    for (int i = 0; i < 30; ++i) {
      for (const auto& x : w.pods("bound"))
        w.act(w.rules->on_heard(
            w.report_of(x.slot(), node_id::from_bytes(x.node()), false, "Failed"), w.at()));
      w.pass(seconds{1});
    }
    CHECK(w.calls.size() > 2);
    CHECK(w.calls.size() < 15);
  }

  TEST_CASE("a keeper that begins again asks for every accept's answer and every release") {
    world w{deployment(2)};
    auto kept = w.rules->kept();
    kept.slots.begin()->second.phase = group::slot_phase::ending;
    w.accepts.clear();
    w.rules.emplace(kept, group_id{1}, node(0), 1, 8, w.at());
    w.hold_calls = true;
    w.act(w.rules->on_members(w.members, w.at()));
    CHECK(w.accepts.size() == 1);
    CHECK(w.releases.size() == 1);
    CHECK(w.pods("bound").size() == 1);
    CHECK(w.pods("missing").size() == 1);
  }

  TEST_CASE("a member nobody has heard of is as good as dead after 30 s, not before") {
    world w{deployment(1)};
    auto kept = w.rules->kept();
    kept.slots.begin()->second.node = node(9);
    w.rules.emplace(kept, group_id{1}, node(0), 1, 8, w.at());
    w.silent = true;
    w.act(w.rules->on_members(w.members, w.at()));
    w.pass(seconds{29});
    CHECK(w.pods("replaced").empty());
    w.silent = false;
    w.pass(seconds{2});
    CHECK(w.pods("replaced").size() == 1);
    CHECK(w.pods("bound").size() == 1);
    w.pass(seconds{60});
    CHECK(!w.rules->due(w.now));
  }

} // TEST_SUITE

} // namespace legion::rollout_losses_test
