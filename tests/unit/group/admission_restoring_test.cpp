#include <doctest/doctest.h>

#include "actors/consensus/incarnation.hpp"
#include "tests/unit/group/raised_world.hpp"

namespace legion::admission_restoring_test {

using namespace legion::group;

namespace {

struct world : raised_world {
  explicit world(const resource& of) : raised_world(of) {}

  group_reply ask(const restore_resources& how, const std::string& id = {}) {
    group_request x;
    x.set_request_id(id);
    *x.mutable_restore() = how;
    seeded_random random;
    auto next = admit(rules, x, 1000, random);
    if (auto* reply = std::get_if<group_reply>(&next))
      return *reply;
    entry = std::get<group_entry>(next);
    commit(entry);
    group_reply reply;
    *reply.mutable_restored()->mutable_results() = entry.results();
    return reply;
  }
  group_entry entry; // the last that was committed
};

restore_resources backup_of(const resource& x, std::uint64_t incarnation = 4) {
  restore_resources how;
  *how.add_resources()->mutable_what() = x;
  how.set_incarnation(incarnation);
  return how;
}

const put_result& only(const group_reply& x) {
  REQUIRE(x.restored().results_size() == 1);
  return x.restored().results(0);
}

const auto web = a_deployment("web", 3, 77);

} // namespace

TEST_SUITE("group/admission_restoring") {

  TEST_CASE("what is not there is put back as it was, with a version of this log") {
    world it{web};
    auto reply = it.ask(backup_of(web));
    CHECK(only(reply).action() == "restored");
    auto* kept = it.rules.find(key_of(web));
    REQUIRE(kept);
    CHECK(kept->what.metadata().uid() == "uid-of-web");
    CHECK(kept->what.metadata().resource_version() == 1);
    CHECK(kept->what.deployment().replicas() == 3);
    CHECK(kept->slots.empty()); // called anew
  }

  TEST_CASE("orders are of a higher incarnation than the backup's from then on") {
    world it{web};
    it.ask(backup_of(web, 4));
    CHECK(it.rules.incarnation() == 5);
    it.ask(backup_of(web, 2)); // unchanged, and never lower
    CHECK(it.rules.incarnation() == 5);
    auto next = a_deployment("web", 4);
    auto how = backup_of(next, 2);
    how.set_replace(true);
    it.ask(how);
    CHECK(it.rules.incarnation() == 5);
  }

  TEST_CASE("what is the same is left alone, what differs is refused unless it may be replaced") {
    world it{web};
    it.put(web);
    CHECK(only(it.ask(backup_of(web))).action() == "unchanged");
    CHECK(it.rules.index() == 1);
    auto other = a_deployment("web", 5);
    auto refused = it.ask(backup_of(other));
    CHECK(only(refused).refused().code() == refusal_conflict);
    CHECK(only(refused).refused().detail()
          == "Deployment default/web exists, and differs from the backup's");
    CHECK(it.rules.index() == 1);

    auto how = backup_of(other);
    how.set_missing_only(true);
    CHECK(only(it.ask(how)).action() == "kept");
    CHECK(it.rules.index() == 1);

    how = backup_of(other);
    how.set_replace(true);
    other.mutable_metadata()->set_uid("another");
    CHECK(only(it.ask(how)).action() == "replaced");
    const auto& meta = it.rules.find(key_of(web))->what.metadata();
    CHECK(meta.uid() == "uid-of-web");
    CHECK(meta.generation() == 2);
    CHECK(meta.resource_version() == 2);
    CHECK(it.rules.find(key_of(web))->what.deployment().replicas() == 5);
  }

  TEST_CASE(
      "the generation is that of the specification: it stays where only an annotation differs") {
    world it{web};
    it.put(web);
    auto other = web;
    other.mutable_metadata()->add_annotations()->set_key("v");
    auto how = backup_of(other);
    how.set_replace(true);
    auto reply = it.ask(how);
    CHECK(only(reply).action() == "replaced");
    CHECK(only(reply).generation() == web.metadata().generation());
    CHECK(it.rules.find(key_of(web))->what.metadata().annotations_size() == 1);
  }

  TEST_CASE("what is replaced makes room for what replaces it") {
    auto large = web;
    large.set_document(std::string(3 << 20, 'x'));
    world it{large};
    it.put(large);
    auto other = large;
    other.mutable_metadata()->add_annotations()->set_key("v");
    auto how = backup_of(other);
    how.set_replace(true);
    CHECK(only(it.ask(how)).action() == "replaced");
  }

  TEST_CASE("what is being deleted is restored under its name: who holds it still lets go") {
    world it{web};
    it.put(web);
    it.adopt(held_by('a', web, {{a_slot("1", 1)}, {}}));
    it.remove(web);
    auto how = backup_of(web);
    how.set_replace(true);
    CHECK(only(it.ask(how)).action() == "restored");
    const auto* web_again = it.rules.find(key_of(web));
    REQUIRE(web_again);
    CHECK(!web_again->deleting);
    for (const auto& [uid, slot] : web_again->slots)
      CHECK(slot.phase == slot_phase::ending);
  }

  TEST_CASE("a dry run says the same, and changes nothing") {
    world it{web};
    auto how = backup_of(web);
    how.set_dry_run(true);
    CHECK(only(it.ask(how)).action() == "restored");
    CHECK(it.rules.index() == 0);
    CHECK(it.rules.incarnation() == 1);
  }

  TEST_CASE("a retry under the same id is answered as before, and applied once") {
    world it{web};
    auto other = a_deployment("web", 5);
    it.put(other);
    auto how = backup_of(web);
    how.set_replace(true);
    auto first = it.ask(how, "0123456789abcdef");
    it.put(other); // somebody changes it back meanwhile
    auto index = it.rules.index();
    auto second = it.ask(how, "0123456789abcdef");
    CHECK(it.rules.index() == index);
    CHECK(only(second).action() == "replaced");
    CHECK(only(second).resource_version() == 2);
    CHECK(it.rules.find(key_of(web))->what.deployment().replicas() == 5);
    CHECK(state::from(it.rules.snapshot()).remembered("0123456789abcdef")->results().size() == 1);
  }

  TEST_CASE("a Pod that was finished is not run again") {
    resource pod;
    pod.set_kind("Pod");
    pod.mutable_metadata()->set_name("job");
    pod.mutable_metadata()->set_namespace_("default");
    pod.mutable_pod()->add_containers()->set_name("main");
    auto how = backup_of(pod);
    auto& finished = *how.mutable_resources(0)->add_slots();
    *finished.mutable_slot() = a_slot("1", 5);
    finished.set_state("accepted");
    finished.set_finished("Succeeded");
    auto& running = *how.mutable_resources(0)->add_slots();
    *running.mutable_slot() = a_slot("2", 6);
    running.set_state("accepted");
    world it{pod};
    it.ask(how);
    auto* kept = it.rules.find(key_of(pod));
    REQUIRE(kept);
    REQUIRE(kept->slots.size() == 1);
    CHECK(kept->slots.at("1").finished == "Succeeded");
  }

  TEST_CASE("what makes no sense is refused, resource by resource") {
    world it{web};
    auto how = backup_of(web);
    auto stranger = web; // of another group
    for (int i = 0; group_of(name_of(stranger)) == it.rules.group(); ++i)
      stranger.mutable_metadata()->set_name("web" + std::to_string(i));
    *how.add_resources()->mutable_what() = stranger;
    how.add_resources();
    auto negative = how.add_resources();
    *negative->mutable_what() = web;
    negative->mutable_what()->mutable_deployment()->set_replicas(-1);
    auto reply = it.ask(how);
    REQUIRE(reply.restored().results_size() == 4);
    CHECK(reply.restored().results(0).action() == "restored");
    for (int i = 1; i < 4; ++i)
      CHECK(reply.restored().results(i).refused().code() == refusal_invalid);
    CHECK(it.ask(backup_of(web, consensus::most_incarnation)).refused().code() == refusal_invalid);
  }

  TEST_CASE("more than a group can hold is refused, naming the limit") {
    world it{web};
    auto large = web;
    large.mutable_deployment()->set_replicas(100'000);
    auto reply = it.ask(backup_of(large));
    CHECK(only(reply).refused().code() == refusal_too_large);
    CHECK(only(reply).refused().detail().find("the limit is 5120 KiB") != std::string::npos);
  }

  TEST_CASE("an entry's parts are puts of one resource each, for their keepers") {
    world it{web};
    it.ask(backup_of(web));
    auto entry = it.entry;
    entry.set_index(12);
    std::vector<group_entry> parts;
    for_each_part(entry, [&](const group_entry& x) { parts.push_back(x); });
    REQUIRE(parts.size() == 1);
    CHECK(parts[0].has_put());
    CHECK(parts[0].index() == 12);
    CHECK(subject_of(parts[0]) == key_of(web));
  }
}

} // namespace legion::admission_restoring_test
