#include <doctest/doctest.h>

#include "tests/unit/group/kept_group.hpp"

namespace legion::state_test {

using namespace legion::kept_group;

TEST_SUITE("group/state") {

  TEST_CASE("a slot's way: named, accepted under the entry's order, ended, gone") {
    auto web = deployment("web", 1);
    fixture f{web};
    f.ask(request("1", web));
    auto s = f.named(web, "u");
    auto find = [&] { return f.rules.find(key_of(web))->slots.find("u"); };
    CHECK(find()->second.phase == slot_phase::missing);
    CHECK(find()->second.created_ms == 5);
    f.accepted(web, s);
    CHECK(find()->second.phase == slot_phase::accepted);
    CHECK(find()->second.what.order().index() == 3);
    CHECK(find()->second.what.order().incarnation() == 1);
    CHECK(find()->second.offer == 7);
    f.accepted(web, s); // what is accepted is not accepted again
    CHECK(find()->second.what.order().index() == 3);
    f.about(web, s, ended);
    CHECK(find()->second.phase == slot_phase::ending);
    f.about(web, s, gone);
    CHECK(f.rules.find(key_of(web))->slots.empty());
    f.accepted(web, s); // gone for good
    CHECK(f.rules.find(key_of(web))->slots.empty());
  }

  TEST_CASE("a missing slot that is ended leaves no tombstone") {
    auto web = deployment("web", 1);
    fixture f{web};
    f.ask(request("1", web));
    auto s = f.named(web, "u");
    f.about(web, s, ended);
    CHECK(f.rules.find(key_of(web))->slots.empty());
  }

  TEST_CASE("a deleted resource stays until every holder has released, and names nothing more") {
    auto web = deployment("web", 2);
    fixture f{web};
    f.ask(request("1", web));
    auto held = f.named(web, "held");
    f.named(web, "missing");
    f.accepted(web, held);
    auto generation = f.rules.find(key_of(web))->what.metadata().generation();
    CHECK(f.ask(removal(web)).done().action() == "deleted");
    auto* there = f.rules.find(key_of(web));
    REQUIRE(there);
    CHECK(there->deleting);
    CHECK(there->slots.size() == 1);
    auto deleted_ms = there->what.metadata().deleted_ms();
    CHECK(deleted_ms > 0);
    CHECK(there->what.metadata().generation() == generation + 1);
    CHECK(there->what.metadata().resource_version() == f.rules.index());
    CHECK(f.ask(scale(web, 3)).refused().detail().find("was deleted, its replicas are ending")
          != std::string::npos);
    CHECK(f.ask(removal(web)).done().action() == "deleted"); // once more does no harm
    CHECK(f.rules.find(key_of(web))->what.metadata().deleted_ms() == deleted_ms);
    f.named(web, "late");
    CHECK(f.rules.find(key_of(web))->slots.size() == 1);
    f.about(web, held, gone);
    CHECK(!f.rules.find(key_of(web)));
    CHECK(f.ask(removal(web)).refused().code() == refusal_not_found);
  }

  TEST_CASE("a name taken anew while its tombstones wait is another resource") {
    auto web = deployment("web", 1);
    fixture f{web};
    f.ask(request("1", web));
    auto uid = f.rules.find(key_of(web))->what.metadata().uid();
    f.accepted(web, f.named(web, "u"));
    f.ask(removal(web));
    CHECK(f.ask(request("2", web)).done().action() == "created");
    auto* there = f.rules.find(key_of(web));
    CHECK(!there->deleting);
    CHECK(there->what.metadata().deleted_ms() == 0);
    CHECK(there->what.metadata().uid() != uid);
    CHECK(there->slots.at("u").phase == slot_phase::ending);
  }

  TEST_CASE(
      "rounds are known for as long as a pod is here that they named; the newest word counts") {
    auto web = deployment("web", 2);
    fixture f{web};
    f.ask(request("1", web));
    auto a = f.named(web, "a");
    auto b = f.named(web, "b");
    auto rounds = [&]() -> const auto& {
      return f.rules.find(key_of(web))->rounds;
    };
    f.accepted(web, a, {round_of(1, a)});
    auto both = round_of(2, a);
    both.add_pods(b.pod());
    f.accepted(web, b, {both});
    CHECK(rounds().size() == 2);
    both.set_decided("then regretted");
    f.accepted(web, b, {both});
    REQUIRE(rounds().size() == 2);
    CHECK(rounds().back().decided() == "then regretted");
    f.about(web, a, ended);
    CHECK(rounds().size() == 2); // its tombstone is here
    f.about(web, a, gone);
    REQUIRE(rounds().size() == 1);
    CHECK(rounds().front().call() == 2);
    auto again = state::from(f.rules.snapshot());
    CHECK(again.snapshot().SerializeAsString() == f.rules.snapshot().SerializeAsString());
    REQUIRE(again.find(key_of(web))->rounds.size() == 1);
    f.about(web, b, ended);
    f.about(web, b, gone);
    CHECK(rounds().empty());
  }

  TEST_CASE("rounds are bounded in number and bytes: the oldest go") {
    auto web = deployment("web", 1);
    fixture f{web};
    f.ask(request("1", web));
    auto s = f.named(web, "u");
    auto rounds = [&]() -> const auto& {
      return f.rules.find(key_of(web))->rounds;
    };
    for (std::uint64_t i = 1; i <= 100; ++i)
      f.accepted(web, s, {round_of(i, s)});
    REQUIRE(rounds().size() == resource_state::most_rounds);
    CHECK(rounds().front().call() == 101 - resource_state::most_rounds);
    CHECK(rounds().back().call() == 100);
    for (std::uint64_t i = 101; i <= 110; ++i) {
      auto big = round_of(i, s);
      big.set_decided(std::string(resource_state::most_round_bytes / 4, 'x'));
      f.accepted(web, s, {big});
    }
    CHECK(rounds().size() == 3);
    CHECK(rounds().back().call() == 110);
    CHECK(f.rules.bytes() > 3 * (resource_state::most_round_bytes / 4));
  }

  TEST_CASE("a snapshot read back is the same state") {
    auto web = deployment("web", 2);
    fixture f{web};
    f.ask(request("1", web));
    f.accepted(web, f.named(web, "a"));
    f.named(web, "b");
    auto before = f.rules.snapshot();
    CHECK(state::from(before).snapshot().SerializeAsString() == before.SerializeAsString());
    CHECK(state::from(before).remembered("1"));
  }

  TEST_CASE("a finished slot is remembered as finished, by a snapshot too; a stranger's is not") {
    resource_state one;
    one.slots["a"].phase = slot_phase::accepted;
    one.slots["b"].phase = slot_phase::missing;
    group_entry x;
    x.mutable_finished()->set_phase("Succeeded");
    for (const char* uid : {"a", "b", "c"})
      x.mutable_finished()->add_slots()->set_uid(uid);
    apply(one, x);
    CHECK(one.slots["a"].finished == "Succeeded");
    CHECK(one.slots["b"].finished.empty());
    CHECK(one.slots.size() == 2);
    group_state all;
    auto& kept = *all.add_resources();
    kept.mutable_what()->set_kind("Pod");
    auto& slot = *kept.add_slots();
    slot.mutable_slot()->set_uid("a");
    slot.set_state("accepted");
    slot.set_finished("Failed");
    CHECK(state::from(all).snapshot().resources(0).slots(0).finished() == "Failed");
    x.mutable_finished()->mutable_of()->set_name("job");
    CHECK(subject_of(x).name == "job");
  }

} // TEST_SUITE

} // namespace legion::state_test
