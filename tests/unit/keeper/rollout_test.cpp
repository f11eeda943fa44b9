#include "tests/unit/keeper/rollout_world.hpp"

namespace legion::rollout_test {

using namespace legion::keeper;
using namespace legion::rollout_world;

TEST_SUITE("keeper/rollout") {

  TEST_CASE("what is wanted is named, called for, accepted and bound; then nothing is due") {
    world w{deployment(3)};
    CHECK(w.pods("bound").size() == 3);
    CHECK(w.calls.size() == 1);
    CHECK(w.calls[0].what.count() == 3);
    CHECK(w.accepts.size() == 3);
    w.pass(seconds{1});
    CHECK(!w.rules->due(w.now));
    CHECK(w.view().ready() == 0);
    w.all_ready();
    CHECK(w.view().ready() == 3);
    CHECK(w.view().available() == 3);
    CHECK(w.view().updated() == 3);
  }

  TEST_CASE("pods are named after deployment, template and five characters") {
    world w{deployment(2)};
    auto prefix = "web-" + revision_of(deployment(2)) + "-";
    CHECK(revision_of(deployment(2)).size() == 10);
    CHECK(revision_of(deployment(2)) == revision_of(deployment(9)));
    CHECK(revision_of(deployment(2)) != revision_of(deployment(2, "b")));
    for (const auto& x : w.pods()) {
      CHECK(x.slot().pod().find(prefix) == 0);
      CHECK(x.slot().pod().size() == prefix.size() + 5);
    }
  }

  TEST_CASE("a pod's name is one itself, however long that of its deployment") {
    auto long_one = deployment(1);
    long_one.mutable_metadata()->set_name(std::string(235, 'a') + "." + std::string(17, 'b'));
    world w{long_one};
    auto name = w.pods()[0].slot().pod();
    CHECK(name.size() <= 253);
    CHECK(name.find(std::string(235, 'a') + "-" + revision_of(long_one) + "-") == 0);
  }

  TEST_CASE("pending pods have names and a note before anybody volunteers") {
    world w{deployment(0)};
    w.volunteers = 0;
    w.put(deployment(2));
    auto waiting = w.pods("missing");
    REQUIRE(waiting.size() == 2);
    CHECK(waiting[0].note() == "3 nodes declined: cpu: needs 2000m, free 300m of 1000m");
    auto known = w.rules->explain(waiting[0].slot().pod(), w.at());
    REQUIRE(known);
    CHECK(known->rounds_size() == 1);
    CHECK(known->view().state() == "missing");
  }

  TEST_CASE("too few volunteers: called again after 0.2 s, then less and less often, up to 10 s") {
    world w{deployment(0)};
    w.volunteers = 0;
    w.put(deployment(1));
    std::vector<double> gaps;
    for (int i = 0; i < 12; ++i) {
      auto before = w.now;
      w.now = *w.rules->due(w.now);
      gaps.push_back(std::chrono::duration<double>(w.now - before).count());
      w.act(w.rules->on_tick(w.at()));
    }
    CHECK(gaps[0] >= 0.1);
    CHECK(gaps[0] <= 0.2);
    CHECK(gaps[3] > gaps[0]);
    CHECK(*std::max_element(gaps.begin(), gaps.end()) <= 10.0);
    CHECK(gaps.back() >= 5.0);
    CHECK(w.rules->explain(w.pods()[0].slot().pod(), w.at())->rounds_size() == 1);
  }

  TEST_CASE("a new member is reason enough to call at once") {
    world w{deployment(0)};
    w.volunteers = 0;
    w.put(deployment(1));
    w.pass(seconds{60});
    auto before = w.calls.size();
    w.volunteers = 10;
    w.now += seconds{1};
    w.member(5, member_alive);
    CHECK(w.calls.size() == before + 1);
    CHECK(w.pods("bound").size() == 1);
  }

  TEST_CASE("a partial outcome is accepted, the rest called for again") {
    world w{deployment(0)};
    w.volunteers = 2;
    w.put(deployment(3));
    CHECK(w.pods("bound").size() == 2);
    w.pass(seconds{1});
    CHECK(w.calls.back().what.count() == 1);
    CHECK(w.pods("bound").size() == 3);
  }

  TEST_CASE("silence is resent with back-off, to the same node, under the same order") {
    world w{deployment(0)};
    w.silent = true;
    w.put(deployment(1));
    w.pass(seconds{30});
    REQUIRE(w.accepts.size() > 4);
    CHECK(w.accepts.size() < 20);
    for (const auto& x : w.accepts) {
      CHECK(x.to == w.accepts[0].to);
      CHECK(x.what.slots(0).uid() == w.accepts[0].what.slots(0).uid());
      CHECK(x.what.slots(0).order().index() == w.accepts[0].what.slots(0).order().index());
    }
    CHECK(w.calls.size() == 1);
    CHECK(w.pods("accepted").size() == 1);
    w.silent = false;
    w.pass(seconds{11});
    CHECK(w.pods("bound").size() == 1);
    CHECK(!w.rules->due(w.now));
  }

  TEST_CASE("a report ends the wait for an answer that was lost") {
    world w{deployment(0)};
    w.silent = true;
    w.put(deployment(1));
    w.ready(w.pods()[0]);
    CHECK(w.pods("bound").size() == 1);
    auto before = w.accepts.size();
    w.pass(seconds{60});
    CHECK(w.accepts.size() == before);
  }

  TEST_CASE("the next leader's keeper tells of the rounds that decided where its pods are") {
    world w{deployment(2)};
    group::resource_state kept;
    kept.what = deployment(2);
    auto rounds = 0;
    for (const auto& x : w.journal) {
      group::apply(kept, x);
      rounds += x.accepted().rounds_size();
    }
    CHECK(rounds == 1); // once for both nodes
    rollout next{kept, group_id{1}, node(1), 2, 8, w.at()};
    for (const auto& x : w.pods()) {
      auto told = next.explain(x.slot().pod(), w.at());
      REQUIRE(told);
      REQUIRE(told->rounds_size() == 1);
      CHECK(told->rounds(0).candidates_size() == 2);
    }
    CHECK(next.kept().rounds.empty()); // one memory of them is enough
  }

  TEST_CASE("a round whose commit was refused goes with the next one") {
    world w{deployment(0)};
    w.hold_calls = true;
    w.put(deployment(1));
    REQUIRE(w.calls.size() == 1);
    w.disk_full = true;
    w.act(w.rules->on_placed(w.placed(w.calls[0], 1), w.at()));
    w.disk_full = false;
    w.hold_calls = false;
    w.pass(seconds{5});
    REQUIRE(w.pods("bound").size() == 1);
    auto rounds = 0;
    for (const auto& x : w.journal)
      rounds += x.accepted().rounds_size();
    CHECK(rounds == 2);
  }

  TEST_CASE(
      "regret: called anew under the same name and another uid, as old as before; explained") {
    world w{deployment(0)};
    w.regrets = 1;
    w.put(deployment(1));
    auto first = w.accepts[0].what.slots(0);
    w.pass(seconds{1});
    REQUIRE(w.pods("bound").size() == 1);
    CHECK(w.pods().size() == 1);
    CHECK(w.pods()[0].slot().pod() == first.pod());
    CHECK(w.pods()[0].slot().uid() != first.uid());
    CHECK(w.calls.size() == 2);
    CHECK(w.pods()[0].created_ms() == first.named_ms());
    auto told = w.rules->explain(first.pod(), w.at());
    REQUIRE(told->rounds_size() == 2);
    CHECK(told->rounds(0).regretted(0).detail() == "the offer expired");
  }

  TEST_CASE("regret without end is called for less and less often") {
    world w{deployment(0)};
    w.regrets = 1'000'000;
    w.put(deployment(1));
    w.pass(seconds{60});
    CHECK(w.calls.size() < 20);
  }

  TEST_CASE("scaled up and down") {
    world w{deployment(3)};
    w.all_ready();
    w.put(deployment(5));
    CHECK(w.pods("bound").size() == 5);
    CHECK(w.calls.back().what.count() == 2);
    w.put(deployment(2));
    w.pass(seconds{1});
    CHECK(w.pods().size() == 2);
    w.put(deployment(0));
    w.pass(seconds{1});
    CHECK(w.pods().empty());
    CHECK(!w.rules->due(w.now));
  }

  TEST_CASE("a changed template replaces one at a time, new ready before old stops") {
    world w{deployment(3)};
    w.all_ready();
    w.put(deployment(3, "b"));
    auto revision = revision_of(deployment(3, "b"));
    for (int step = 0; step < 3; ++step) {
      auto fresh = 0;
      for (const auto& x : w.pods("bound"))
        fresh += x.slot().revision() == revision ? 1 : 0;
      CHECK(fresh == step + 1);
      CHECK(w.pods("bound").size() == 4);
      w.pass(seconds{30}); // nothing moves until the new one is ready
      CHECK(w.pods("bound").size() == 4);
      CHECK(w.view().ready() == 3);
      w.all_ready();
    }
    w.pass(seconds{1});
    CHECK(w.pods().size() == 3);
    CHECK(w.view().updated() == 3);
    CHECK(w.view().ready() == 3);
    CHECK(!w.rules->due(w.now));
  }

  TEST_CASE("minReadySeconds: ready is not yet available") {
    auto b = deployment(1, "b");
    b.mutable_deployment()->set_min_ready_seconds(10);
    world w{deployment(1)};
    w.all_ready();
    w.put(b);
    w.all_ready();
    w.pass(seconds{9});
    CHECK(w.pods("bound").size() == 2);
    w.pass(seconds{2});
    CHECK(w.pods().size() == 1);
    CHECK(w.view().available() == 1);
  }

  TEST_CASE("Recreate ends all before it names any") {
    auto a = deployment(3);
    a.mutable_deployment()->set_strategy("Recreate");
    auto b = deployment(3, "b");
    b.mutable_deployment()->set_strategy("Recreate");
    world w{a};
    w.all_ready();
    w.slow_stop = true;
    w.put(b);
    w.pass(seconds{2});
    CHECK(w.pods("ending").size() == 3);
    CHECK(w.pods().size() == 3);
    w.slow_stop = false;
    w.pass(seconds{3});
    CHECK(w.pods("bound").size() == 3);
    CHECK(w.pods().size() == 3);
  }

  TEST_CASE("a template that changes while nobody volunteers: the old names go at once") {
    world w{deployment(0)};
    w.volunteers = 0;
    w.put(deployment(2));
    w.put(deployment(2, "b"));
    REQUIRE(w.pods("missing").size() == 2);
    for (const auto& x : w.pods())
      CHECK(x.slot().revision() == revision_of(deployment(2, "b")));
  }

  TEST_CASE("an outcome for an earlier template is given back") {
    world w{deployment(0)};
    w.hold_calls = true;
    w.put(deployment(2));
    auto held = w.calls.back();
    w.put(deployment(2, "b"));
    w.act(w.rules->on_placed(w.placed(held, 10), w.at()));
    CHECK(w.accepts.empty());
    CHECK(w.releases.size() == 2);
    CHECK(w.releases[0].what.offer() != 0);
    CHECK(w.calls.size() == 2); // and the new one is called for
  }

  TEST_CASE("a full disk: nothing is accepted, offers are given back, and it goes on later") {
    world w{deployment(0)};
    w.hold_calls = true;
    w.put(deployment(2));
    w.disk_full = true;
    w.act(w.rules->on_placed(w.placed(w.calls.back(), 10), w.at()));
    CHECK(w.accepts.empty());
    CHECK(w.releases.size() == 2);
    w.disk_full = false;
    w.hold_calls = false;
    w.pass(seconds{2});
    CHECK(w.pods("bound").size() == 2);
  }

  TEST_CASE("an accept of an earlier template names no offer: it binds nothing new") {
    world w{deployment(1)};
    auto kept = w.rules->kept();
    kept.what = deployment(1, "b");
    w.accepts.clear();
    w.rules.emplace(kept, group_id{1}, node(0), 1, 8, w.at());
    w.hold_calls = true;
    w.act(w.rules->on_members(w.members, w.at()));
    REQUIRE(w.accepts.size() == 1);
    CHECK(w.accepts[0].what.offer() == 0);
    CHECK(w.accepts[0].offer != 0);
  }

  TEST_CASE("the same seed and inputs give the same names") {
    world a{deployment(3)}, b{deployment(3)};
    CHECK(a.view().SerializeAsString() == b.view().SerializeAsString());
  }

} // TEST_SUITE

} // namespace legion::rollout_test
