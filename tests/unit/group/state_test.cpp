#include <doctest/doctest.h>

#include "actors/group/admission.hpp"
#include "actors/group/state.hpp"
#include "actors/group/whereabouts.hpp"

namespace legion::state_test {

using namespace legion::group;

namespace {

resource deployment(const std::string& name, int replicas, const std::string& image = "a") {
  resource x;
  x.set_api_version("apps/v1");
  x.set_kind("Deployment");
  x.mutable_metadata()->set_name(name);
  x.mutable_metadata()->set_namespace_("default");
  x.mutable_deployment()->set_replicas(replicas);
  x.mutable_deployment()->mutable_template_()->mutable_spec()->add_containers()->set_image(image);
  return x;
}

group_id home_of(const resource& x) {
  return group_of(name_of(x));
}

group_request request(const std::string& id, const resource& x, std::uint64_t expected = 0) {
  group_request result;
  result.set_request_id(id);
  *result.mutable_put()->mutable_what() = x;
  result.mutable_put()->set_expected_version(expected);
  return result;
}

group_request scale(const resource& x, int replicas) {
  group_request result;
  *result.mutable_scale()->mutable_name() = name_of(x);
  result.mutable_scale()->set_replicas(replicas);
  return result;
}

group_request removal(const resource& x) {
  group_request result;
  *result.mutable_remove()->mutable_name() = name_of(x);
  return result;
}

/// A group's rules with a journal that never fails.
struct fixture {
  explicit fixture(const resource& x) : rules(home_of(x)) {}

  group_reply ask(const group_request& x) {
    auto next = admit(rules, x, 1000, random);
    if (auto* reply = std::get_if<group_reply>(&next))
      return *reply;
    auto entry = std::get<group_entry>(next);
    commit(entry);
    group_reply reply;
    *reply.mutable_done() = entry.result();
    return reply;
  }

  void commit(group_entry x) {
    x.set_index(rules.index() + 1);
    x.set_incarnation(1);
    rules.apply(x);
  }

  slot named(const resource& of, const std::string& uid) {
    group_entry x;
    x.set_time_ms(5);
    *x.mutable_named()->mutable_of() = name_of(of);
    auto& added = *x.mutable_named()->add_slots();
    added.set_uid(uid);
    added.set_pod("pod-" + uid);
    commit(x);
    return added;
  }

  void accepted(const resource& of, const slot& y, std::vector<negotiation_round> rounds = {}) {
    group_entry x;
    for (auto& round : rounds)
      *x.mutable_accepted()->add_rounds() = std::move(round);
    *x.mutable_accepted()->mutable_of() = name_of(of);
    *x.mutable_accepted()->add_slots() = y;
    x.mutable_accepted()->set_node(std::string(16, 'n'));
    x.mutable_accepted()->set_node_name("n2");
    x.mutable_accepted()->set_offer(7);
    x.mutable_accepted()->set_start(2);
    commit(x);
  }

  template <class F>
  void about(const resource& of, const slot& y, F which) {
    group_entry x;
    auto* what = which(x);
    *what->mutable_of() = name_of(of);
    *what->add_slots() = y;
    commit(x);
  }

  state rules;
  seeded_random random{1};
};

negotiation_round round_of(std::uint64_t call, const slot& y) {
  negotiation_round result;
  result.set_call(call);
  result.add_pods(y.pod());
  return result;
}

auto ended = [](group_entry& x) { return x.mutable_ended(); };
auto gone = [](group_entry& x) { return x.mutable_gone(); };

} // namespace

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

TEST_SUITE("group/admission") {

  TEST_CASE("created, unchanged, configured: the generation follows the specification") {
    auto web = deployment("web", 1);
    fixture f{web};
    CHECK(f.ask(request("1", web)).done().action() == "created");
    CHECK(f.ask(request("2", web)).done().action() == "unchanged");
    auto labelled = web;
    auto& label = *labelled.mutable_metadata()->add_labels();
    label.set_key("a");
    auto reply = f.ask(request("3", labelled));
    CHECK(reply.done().action() == "configured");
    CHECK(reply.done().generation() == 1);
    reply = f.ask(request("4", deployment("web", 2)));
    CHECK(reply.done().action() == "configured");
    CHECK(reply.done().generation() == 2);
    CHECK(f.rules.find(key_of(web))->what.metadata().resource_version() == 3);
  }

  TEST_CASE("paused: the template that runs stays, the new one waits in the document") {
    auto web = deployment("web", 1);
    auto image = [](resource x, const std::string& name) {
      x.mutable_deployment()->mutable_template_()->mutable_spec()->clear_containers();
      x.mutable_deployment()->mutable_template_()->mutable_spec()->add_containers()->set_image(
          name);
      x.set_document(name);
      return x;
    };
    auto paused = [](resource x) {
      x.mutable_deployment()->set_paused(true);
      return x;
    };
    fixture f{web};
    auto now = [&]() -> const resource& { return f.rules.find(key_of(web))->what; };
    auto runs = [&] { return now().deployment().template_().spec().containers(0).image(); };
    f.ask(request("1", paused(image(web, "a"))));
    CHECK(now().deployment().unstarted());
    f.ask(request("2", paused(image(web, "b")))); // nothing runs yet: the newest waits
    CHECK(now().deployment().unstarted());
    CHECK(runs() == "b");
    f.ask(request("3", image(web, "b")));
    CHECK_FALSE(now().deployment().unstarted());
    f.ask(request("4", paused(image(web, "c"))));
    CHECK(runs() == "b");
    CHECK(now().document() == "c");
    CHECK_FALSE(now().deployment().unstarted());
    CHECK(f.ask(request("5", paused(image(web, "c")))).done().action() == "unchanged");
    CHECK(f.ask(request("6", paused(image(web, "d")))).done().action() == "configured");
    CHECK(runs() == "b");
    f.ask(request("7", image(web, "d")));
    CHECK(runs() == "d");
  }

  TEST_CASE("a stale version is refused, and both versions are named") {
    auto web = deployment("web", 1);
    fixture f{web};
    f.ask(request("1", web));
    f.ask(request("2", deployment("web", 2)));
    auto reply = f.ask(request("3", deployment("web", 3), 1));
    CHECK(reply.refused().code() == refusal_conflict);
    CHECK(reply.refused().detail().find("version 1") != std::string::npos);
    CHECK(reply.refused().detail().find("version 2") != std::string::npos);
    CHECK(f.ask(request("4", deployment("web", 3), 2)).done().action() == "configured");
  }

  TEST_CASE("a uid that is not that of what is there is refused; of what is not there, none is") {
    auto web = deployment("web", 1);
    fixture f{web};
    auto another = web;
    another.mutable_metadata()->set_uid("of-before");
    CHECK(f.ask(request("1", another)).done().action() == "created");
    auto uid = f.rules.find(key_of(web))->what.metadata().uid();
    CHECK(uid != "of-before");
    auto reply = f.ask(request("2", another));
    CHECK(reply.refused().code() == refusal_conflict);
    CHECK(reply.refused().detail().find("has uid " + uid) != std::string::npos);
    CHECK(reply.refused().detail().find("expected uid of-before") != std::string::npos);
    another.mutable_metadata()->set_uid(uid);
    CHECK(f.ask(request("3", another)).done().action() == "unchanged");
  }

  TEST_CASE("a Pod that names the node which it was given is unchanged; another node is a change") {
    resource pod;
    pod.set_api_version("v1");
    pod.set_kind("Pod");
    pod.mutable_metadata()->set_name("p");
    pod.mutable_metadata()->set_namespace_("default");
    pod.mutable_pod()->add_containers()->set_name("c");
    pod.set_document("{}");
    fixture f{pod};
    f.ask(request("1", pod));
    auto one = f.named(pod, "a");
    f.accepted(pod, one);
    auto shown = pod;
    shown.mutable_pod()->set_node_name("n2");
    shown.set_document("{nodeName: n2}");
    CHECK(f.ask(request("2", shown)).done().action() == "unchanged");
    shown.mutable_pod()->set_node_name("n3");
    CHECK(f.ask(request("3", shown)).done().action() == "configured");
  }

  TEST_CASE("a dry run says what would become of it, and is no entry") {
    auto web = deployment("web", 1);
    fixture f{web};
    auto trial = request("1", web);
    trial.mutable_put()->set_dry_run(true);
    CHECK(f.ask(trial).done().action() == "created");
    CHECK(!f.rules.find(key_of(web)));
    CHECK(f.ask(request("1", web)).done().action() == "created");
    CHECK(f.ask(trial).done().action() == "created"); // that was the request: it is remembered
    trial.set_request_id("2");
    CHECK(f.ask(trial).done().action() == "unchanged");
    auto stale = request("3", deployment("web", 2), 77);
    stale.mutable_put()->set_dry_run(true);
    CHECK(f.ask(stale).refused().code() == refusal_conflict);
  }

  TEST_CASE("a retry is applied once, and answered as it was then") {
    auto web = deployment("web", 1);
    fixture f{web};
    f.ask(request("same", web));
    f.ask(request("other", deployment("web", 5)));
    CHECK(f.ask(request("same", web)).done().action() == "created");
    CHECK(f.rules.find(key_of(web))->what.deployment().replicas() == 5);
  }

  TEST_CASE("scale: a new count, nothing to do, a Pod, nobody") {
    auto web = deployment("web", 1);
    fixture f{web};
    CHECK(f.ask(scale(web, 4)).refused().code() == refusal_not_found);
    f.ask(request("1", web));
    CHECK(f.ask(scale(web, 4)).done().action() == "scaled");
    CHECK(f.ask(scale(web, 4)).done().action() == "unchanged");
    CHECK(f.ask(scale(web, -1)).refused().code() == refusal_invalid);
    CHECK(f.rules.find(key_of(web))->what.metadata().generation() == 2);
  }

  TEST_CASE("what would not fit into a snapshot is refused with the limit") {
    auto web = deployment("web", 1'000'000);
    fixture f{web};
    auto reply = f.ask(request("1", web));
    CHECK(reply.refused().code() == refusal_too_large);
    CHECK(reply.refused().detail().find("5120 KiB") != std::string::npos);
  }

  TEST_CASE("in a group that is nearly full what grows less than it must is let through") {
    auto web = deployment("web", 10'000);
    fixture f{web};
    REQUIRE(f.ask(request("1", web)).has_done());
    for (int i = 0; i < 5000; ++i)
      f.accepted(web, f.named(web, std::to_string(i)));
    REQUIRE(f.rules.bytes() > 1'000'000);
    CHECK(f.ask(scale(web, 9'999)).done().action() == "scaled");
    auto changed = deployment("web", 9'999, "b");
    CHECK(f.ask(request("2", changed)).done().action() == "configured");
    CHECK(f.ask(request("3", deployment("web", 30'000))).refused().code() == refusal_too_large);
    CHECK(f.ask(scale(web, 30'000)).refused().code() == refusal_too_large);
  }

  TEST_CASE("a name of another group is refused") {
    auto web = deployment("web", 1);
    fixture f{deployment("db", 1)};
    CHECK(f.ask(request("1", web)).refused().code() == refusal_invalid);
  }

} // TEST_SUITE

} // namespace legion::state_test
