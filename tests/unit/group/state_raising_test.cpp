#include <doctest/doctest.h>

#include <tuple>

#include "tests/unit/group/raised_world.hpp"

namespace legion::state_raising_test {

using namespace legion::group;

namespace {

const auto web = a_deployment("web", 3, 40);

raised_world from_nothing() {
  raised_world x{web};
  x.rules.raise(9, 1000);
  return x;
}

} // namespace

TEST_SUITE("group/state_raising") {

  TEST_CASE("a group without a log is what the nodes say that they hold, under new orders") {
    auto it = from_nothing();
    CHECK(it.rules.gathering());
    it.adopt(held_by('a', web, {{a_slot("1", 41), a_slot("2", 42)}, {}}));
    it.adopt(held_by('b', web, {{a_slot("3", 43)}, {}}));
    it.gathered();
    CHECK(!it.rules.gathering());
    CHECK(it.rules.gathered(a_node('a')));
    CHECK(!it.rules.gathered(a_node('c')));
    auto* kept = it.rules.find(key_of(web));
    REQUIRE(kept);
    CHECK(!kept->deleting);
    CHECK(kept->what.deployment().replicas() == 3);
    REQUIRE(kept->slots.size() == 3);
    const auto& one = kept->slots.at("1");
    CHECK(one.phase == slot_phase::accepted);
    CHECK(one.node == a_node('a'));
    CHECK(one.node_name == "a");
    CHECK(one.what.order().incarnation() == 9);
    CHECK(one.what.order().index() == 1001);
    CHECK(kept->slots.at("3").node == a_node('b'));
  }

  TEST_CASE("of several versions of a resource the latest counts, wherever it is") {
    auto newer = a_deployment("web", 5, 50);
    auto older = a_deployment("web", 2, 30);
    auto it = from_nothing();
    it.adopt(held_by('a', web, {{a_slot("1", 41)}, {}}));
    it.adopt(held_by('b', newer, {{a_slot("2", 51)}, {}}));
    it.adopt(held_by('c', older, {{a_slot("3", 31)}, {}}));
    CHECK(it.rules.find(key_of(web))->what.deployment().replicas() == 5);

    SUBCASE("but once it is kept, its author's last word stays") {
      it.gathered();
      it.put(a_deployment("web", 1));
      it.adopt(held_by('d', newer, {{a_slot("4", 52)}, {}}));
      CHECK(it.rules.find(key_of(web))->what.deployment().replicas() == 1);
      REQUIRE(it.slot_of(web, "4")); // it counts, and is ended as one too many
      CHECK(it.slot_of(web, "4")->phase == slot_phase::accepted);
    }
  }

  TEST_CASE("what the log of a member knew stays, and its slots get new orders") {
    raised_world it{web};
    it.put(web);
    auto idle = a_deployment("idle", 0);
    it.put(idle); // no node holds anything of it
    group_entry named;
    *named.mutable_named()->mutable_of() = name_of(web);
    for (auto* uid : {"1", "2", "3"})
      *named.mutable_named()->add_slots() = a_slot(uid, 0, 0);
    it.commit(named);
    group_entry accepted;
    *accepted.mutable_accepted()->mutable_of() = name_of(web);
    *accepted.mutable_accepted()->add_slots() = a_slot("1", 0, 0);
    accepted.mutable_accepted()->set_node(std::string(16, 'a'));
    accepted.mutable_accepted()->set_offer(7);
    it.commit(accepted);
    it.rules.raise(9, 1000);
    CHECK(it.slot_of(web, "1")->what.order().incarnation() == 9);
    CHECK(it.slot_of(web, "1")->what.order().index() == 1000);
    // Slot 2 was accepted by an entry that this log never got; of slot 3 nobody can say.
    CHECK(!it.slot_of(web, "2"));
    CHECK(!it.slot_of(web, "3"));
    it.adopt(held_by('b', web, {{a_slot("2", 44)}, {}}));
    CHECK(it.slot_of(web, "2")->phase == slot_phase::accepted);
    CHECK(it.slot_of(web, "2")->node == a_node('b'));
    it.gathered();
    CHECK(it.rules.find(key_of(idle)));
    CHECK(it.rules.find(key_of(web))->slots.size() == 2); // the third is named anew
    CHECK(!it.rules.find(key_of(web))->deleting);
  }

  TEST_CASE("what only ends is not begun again: it counts as deleted until it is released") {
    auto it = from_nothing();
    it.adopt(held_by('a', web, {{}, {a_slot("1", 41), a_slot("2", 42)}}));
    CHECK(!it.rules.find(key_of(web))->deleting); // others may hold more of it
    SUBCASE("all of it") {
      it.gathered();
      REQUIRE(it.rules.find(key_of(web)));
      CHECK(it.rules.find(key_of(web))->deleting);
      it.gone(web, a_slot("1", 41));
      it.gone(web, a_slot("2", 42));
      CHECK(!it.rules.find(key_of(web)));
    }
    SUBCASE("not while one goes on") {
      it.adopt(held_by('b', web, {{a_slot("3", 43)}, {}}));
      it.gathered();
      CHECK(!it.rules.find(key_of(web))->deleting);
      CHECK(it.slot_of(web, "1")->phase == slot_phase::ending);
    }
  }

  TEST_CASE(
      "a node that comes back late brings back what was not known, nothing that was deleted") {
    auto other = a_deployment("other", 1, 60);
    auto it = from_nothing();
    it.adopt(held_by('a', web, {{a_slot("1", 41)}, {}}));
    it.gathered();
    it.remove(web);
    it.gone(web, a_slot("1", 41));
    CHECK(!it.rules.find(key_of(web)));
    it.adopt(held_by('b', web, {{a_slot("2", 42)}, {}}));
    REQUIRE(it.rules.find(key_of(web)));
    CHECK(it.rules.find(key_of(web))->deleting);
    CHECK(it.slot_of(web, "2")->phase == slot_phase::ending);
    it.adopt(held_by('b', other, {{a_slot("3", 61)}, {}}));
    REQUIRE(it.rules.find(key_of(other)));
    CHECK(!it.rules.find(key_of(other))->deleting);
    it.gone(web, a_slot("2", 42));
    CHECK(!it.rules.find(key_of(web)));
    SUBCASE("unless its name was taken anew") {
      it.put(web);
      it.adopt(held_by('c', web, {{a_slot("4", 44)}, {}}));
      CHECK(it.slot_of(web, "4")->phase == slot_phase::accepted);
    }
  }

  TEST_CASE("a slot that two nodes claim stays with the first") {
    auto it = from_nothing();
    it.adopt(held_by('a', web, {{a_slot("1", 41)}, {}}));
    it.adopt(held_by('b', web, {{a_slot("1", 41)}, {}}));
    CHECK(it.slot_of(web, "1")->node == a_node('a'));
  }

  TEST_CASE("what is leased and told of late ends: another may run in its place by now") {
    auto it = from_nothing();
    auto leased = [](const std::string& uid) {
      auto x = a_slot(uid, 41);
      x.set_lease_ms(10'000);
      return x;
    };
    it.adopt(held_by('a', web, {{leased("1")}, {}}));
    it.gathered();
    it.adopt(held_by('b', web, {{leased("2"), a_slot("3", 42)}, {}}));
    CHECK(it.slot_of(web, "1")->phase == slot_phase::accepted);
    CHECK(it.slot_of(web, "2")->phase == slot_phase::ending);
    CHECK(it.slot_of(web, "3")->phase == slot_phase::accepted); // one too many does no harm
    it.adopt(held_by('a', web, {{leased("1")}, {}}));
    CHECK(it.slot_of(web, "1")->phase == slot_phase::accepted); // it was known
    auto other = a_deployment("other", 1, 60);                  // nobody else was known to hold any
    it.adopt(held_by('c', other, {{leased("4")}, {}}));
    CHECK(it.slot_of(other, "4")->phase == slot_phase::ending);
    CHECK(!it.rules.find(key_of(other))->deleting);
  }

  TEST_CASE("of what is leased no more comes out of the gathering than is wanted: the newest") {
    auto one = a_deployment("web", 1, 40);
    auto it = from_nothing();
    for (auto [node, uid, made] : {std::tuple{'a', "1", 10}, {'b', "2", 30}, {'c', "3", 20}}) {
      auto slot = a_slot(uid, 41);
      slot.set_lease_ms(10'000);
      auto x = held_by(node, one, {{slot}, {}});
      x.mutable_held()->mutable_slots(0)->set_made_ms(made);
      it.adopt(x);
    }
    CHECK(it.slot_of(one, "1")->phase == slot_phase::accepted);
    it.gathered();
    CHECK(it.slot_of(one, "1")->phase == slot_phase::ending);
    CHECK(it.slot_of(one, "2")->phase == slot_phase::accepted);
    CHECK(it.slot_of(one, "3")->phase == slot_phase::ending);
  }

  TEST_CASE("leases of before may hold until it is said that nobody has one") {
    promises_adopted nobody;
    nobody.set_all(true);
    raised_world it{web};
    it.put(web);
    CHECK(!it.rules.old_leases());
    SUBCASE("after it was raised") {
      it.rules.raise(9, 1000);
      CHECK(it.rules.old_leases());
      it.gathered();
    }
    SUBCASE("after something was restored") {
      group_entry x;
      *x.mutable_restored()->add_resources()->mutable_what() = web;
      it.commit(x);
    }
    CHECK(it.rules.old_leases());
    it.rules = state::from(it.rules.snapshot());
    CHECK(it.rules.old_leases());
    CHECK(!it.rules.gathered({}));
    it.adopt(nobody);
    CHECK(!it.rules.old_leases());
    CHECK(!state::from(it.rules.snapshot()).old_leases());
  }

  TEST_CASE("a snapshot in the middle of it forgets nothing") {
    auto it = from_nothing();
    it.adopt(held_by('a', web, {{}, {a_slot("1", 41)}}));
    it.remove(a_deployment("never", 1));
    auto copy = state::from(it.rules.snapshot());
    CHECK(copy.raised());
    CHECK(copy.gathering());
    CHECK(copy.gathered(a_node('a')));
    CHECK(copy.snapshot().SerializeAsString() == it.rules.snapshot().SerializeAsString());
    it.rules = copy;
    it.gathered();
    CHECK(it.rules.find(key_of(web))->deleting);
    it.gone(web, a_slot("1", 41));
    it.rules = state::from(it.rules.snapshot());
    it.adopt(held_by('b', web, {{a_slot("2", 42)}, {}}));
    CHECK(it.rules.find(key_of(web))->deleting);
  }

  TEST_CASE("a stranger's nonsense is without effect") {
    auto it = from_nothing();
    auto x = held_by('a', web, {{a_slot("1", 41)}, {}});
    x.mutable_held()->mutable_slots(0)->set_resource(77);
    it.adopt(x);
    REQUIRE(it.rules.find(key_of(web)));
    CHECK(it.rules.find(key_of(web))->slots.empty());
    it.gathered();
    CHECK(!it.rules.find(key_of(web))); // nothing of it is left anywhere
  }

  TEST_CASE("requests are remembered for two minutes, and the last 256 for longer") {
    raised_world it{web};
    auto ask = [&](const std::string& id, wall_ms at) {
      group_entry x;
      x.set_request_id(id);
      x.set_time_ms(at);
      *x.mutable_put()->mutable_what() = web;
      it.commit(x);
    };
    for (int i = 0; i < 1000; ++i)
      ask("a" + std::to_string(i), 1000);
    CHECK(it.rules.remembered("a0"));
    ask("b", 1000 + 119'000);
    CHECK(it.rules.remembered("a0"));
    ask("c", 1000 + 121'000);
    CHECK(!it.rules.remembered("a0"));
    CHECK(it.rules.remembered("a999"));
    CHECK(it.rules.remembered("b"));
    for (int i = 0; i < 20'000; ++i)
      ask("d" + std::to_string(i), 1000 + 122'000);
    CHECK(!it.rules.remembered("d0"));
    CHECK(it.rules.remembered("d3616"));
    CHECK(it.rules.snapshot().requests_size() == 16384);
    CHECK(state::from(it.rules.snapshot()).remembered("d3616"));
  }
}

} // namespace legion::state_raising_test
