#include <doctest/doctest.h>

#include <map>

#include "actors/node/commitments.hpp"
#include "actors/node/departed.hpp"
#include "actors/node/event_ring.hpp"
#include "actors/node/log_question.hpp"
#include "actors/node/recovery.hpp"

namespace legion::commitments_test {

using namespace legion::node;
using namespace std::chrono_literals;

namespace {

const time_point start{};

slot a_slot(std::string uid, std::uint64_t index, std::uint64_t incarnation = 1) {
  slot result;
  result.set_uid(uid);
  result.set_pod("web-abc-" + uid);
  result.mutable_order()->set_incarnation(incarnation);
  result.mutable_order()->set_index(index);
  return result;
}

promise_record a_record(const slot& x) {
  promise_record result;
  *result.mutable_slot() = x;
  auto& what = *result.mutable_what();
  what.set_kind("Deployment");
  what.mutable_metadata()->set_namespace_("default");
  what.mutable_metadata()->set_name("web");
  what.mutable_deployment()->mutable_template_()->mutable_spec()->add_containers()->set_name("web");
  return result;
}

using released = commitments::release_verdict;

} // namespace

TEST_SUITE("node/commitments") {

  TEST_CASE("only of what was promised here can it be said that its end was seen") {
    commitments x;
    x.add(a_record(a_slot("a", 5)), phase::bound);
    CHECK_FALSE(x.saw_end("a", start));
    x.erase("a", start);
    CHECK(x.saw_end("a", start + 1s));
    CHECK(x.judge_release(a_slot("a", 5), start + 2s) == released::unknown);
    CHECK(x.saw_end("a", start + 3s));
    CHECK(x.judge_release(a_slot("b", 5), start) == released::unknown); // as after a lost journal
    CHECK_FALSE(x.saw_end("b", start + 1s));
    CHECK_FALSE(x.saw_end("a", start + commitments::memory + 3s));
  }

  TEST_CASE("an accept for a promise that is on disk is answered bound again") {
    commitments x;
    CHECK(x.judge_accept(a_slot("a", 5), start).what == commitments::verdict::fresh);
    x.add(a_record(a_slot("a", 5)), phase::binding);
    CHECK(x.judge_accept(a_slot("a", 5), start).what == commitments::verdict::pending);
    x.add(a_record(a_slot("a", 5)), phase::bound);
    CHECK(x.judge_accept(a_slot("a", 5), start).what == commitments::verdict::same);
  }

  TEST_CASE("a lower order is refused, a higher one obeyed; incarnation comes first") {
    commitments x;
    x.add(a_record(a_slot("a", 5, 2)), phase::bound);
    CHECK(x.judge_accept(a_slot("a", 9, 1), start).why == regret_stale_order);
    CHECK(x.judge_accept(a_slot("a", 4, 2), start).detail == "order 2.4 came after 2.5");
    CHECK(x.judge_accept(a_slot("a", 1, 3), start).what == commitments::verdict::raised);
    x.raise("a", a_slot("a", 1, 3).order());
    CHECK(x.judge_accept(a_slot("a", 5, 2), start).why == regret_stale_order);
    x.raise("a", a_slot("a", 9, 1).order());
    CHECK(x.find("a")->record->slot().order().incarnation() == 3);
  }

  TEST_CASE("what is released is not revived by a late accept") {
    commitments x;
    x.add(a_record(a_slot("a", 5)), phase::bound);
    CHECK(x.judge_release(a_slot("a", 5), start) == released::end);
    x.find("a")->phase = phase::ending;
    CHECK(x.judge_release(a_slot("a", 5), start) == released::waits);
    CHECK(x.judge_accept(a_slot("a", 5), start).what == commitments::verdict::pending);
    x.find("a")->end_is_kept = true;
    CHECK(x.judge_accept(a_slot("a", 5), start).why == regret_stale_order);
    x.erase("a", start);
    CHECK(x.judge_accept(a_slot("a", 5), start + 59s).why == regret_stale_order);
    CHECK(x.judge_accept(a_slot("a", 6), start + 59s).what == commitments::verdict::fresh);
  }

  TEST_CASE("an accept of what is to end is answered when its end is on disk, not before") {
    commitments x;
    x.add(a_record(a_slot("a", 5)), phase::binding);
    x.find("a")->end_when_settled = true;
    CHECK(x.judge_accept(a_slot("a", 5), start).what == commitments::verdict::pending);
    x.add(a_record(a_slot("a", 5)), phase::ending);
    CHECK(x.judge_accept(a_slot("a", 5), start).what == commitments::verdict::pending);
    CHECK(x.judge_accept(a_slot("a", 4), start).why == regret_stale_order);
    CHECK(x.judge_accept(a_slot("a", 6), start).what == commitments::verdict::pending);
  }

  TEST_CASE("a rule that is broken on purpose is broken") {
    commitments x{broken_rule::highest_order_holds};
    x.add(a_record(a_slot("a", 5, 2)), phase::bound);
    CHECK(x.judge_accept(a_slot("a", 9, 1), start).what != commitments::verdict::regret);
    CHECK(x.judge_release(a_slot("a", 9, 1), start) == released::end);
  }

  TEST_CASE("a release that overtakes its accept is remembered, with its highest order") {
    commitments x;
    CHECK(x.judge_release(a_slot("a", 7), start) == released::unknown);
    CHECK(x.judge_release(a_slot("a", 3), start) == released::unknown);
    CHECK(x.judge_accept(a_slot("a", 7), start).why == regret_stale_order);
    CHECK(x.judge_accept(a_slot("a", 8), start).what == commitments::verdict::fresh);
    CHECK(x.judge_accept(a_slot("a", 7), start + 61s).what
          == commitments::verdict::fresh); // offers are over
  }

  TEST_CASE("a release that is older than the order here ends nothing") {
    commitments x;
    x.add(a_record(a_slot("a", 5)), phase::bound);
    CHECK(x.judge_release(a_slot("a", 4), start) == released::stale);
    CHECK(x.judge_release(a_slot("a", 6), start) == released::end);
  }

  TEST_CASE("a slot without a uid is regretted") {
    CHECK(commitments{}.judge_accept({}, start).what == commitments::verdict::regret);
  }

  TEST_CASE("replicas of a resource are those that are not ending") {
    commitments x;
    x.add(a_record(a_slot("a", 1)), phase::bound);
    x.add(a_record(a_slot("b", 2)), phase::binding);
    x.add(a_record(a_slot("c", 3)), phase::ending);
    auto name = name_of(a_record({}).what());
    CHECK(x.replicas_of(name) == 2);
    name.set_name("other");
    CHECK(x.replicas_of(name) == 0);
    CHECK(x.find_pod("default", "web-abc-b"));
    CHECK(!x.find_pod("other", "web-abc-b"));
  }

  TEST_CASE("logs are asked of a life") {
    commitments x;
    x.add(a_record(a_slot("a", 1)), phase::bound);
    auto& said = *x.find("a")->latest.add_containers();
    said.set_name("web");
    logs_request ask;
    ask.set_namespace_("default");
    ask.set_pod("web-abc-a");
    ask.set_tail_lines(-1);
    CHECK(log_question_of(ask, x, {}, "n1")->life == 0);
    CHECK(log_question_of(ask, x, {}, "n1")->offset == 0);
    ask.set_previous(true);
    CHECK(!log_question_of(ask, x, {}, "n1"));
    said.set_life(3);
    CHECK(log_question_of(ask, x, {}, "n1")->life == 2);
    ask.set_previous(false);
    ask.set_tail_lines(10);
    CHECK(log_question_of(ask, x, {}, "n1")->life == 3);
    CHECK(log_question_of(ask, x, {}, "n1")->offset == -10);
    ask.set_tail_lines(0);
    CHECK(log_question_of(ask, x, {}, "n1")->only_the_end);
    ask.set_life_given(true);
    ask.set_life(1);
    ask.set_offset(77);
    CHECK(log_question_of(ask, x, {}, "n1")->life == 1);
    CHECK(log_question_of(ask, x, {}, "n1")->offset == 77);
    CHECK(!log_question_of(ask, x, {}, "n1")->only_the_end);
    ask.set_workload("b"); // it is another by now
    CHECK(log_question_of(ask, x, {}, "n1").why().code == errc::not_found);
    ask.set_workload("a");
    ask.set_container("db");
    CHECK(log_question_of(ask, x, {}, "n1").why().detail
          == "pod web-abc-a has no container db; it has web");
    ask.set_pod("other");
    CHECK(log_question_of(ask, x, {}, "n1").why().code == errc::not_found);
  }
}

TEST_SUITE("node/departed") {

  TEST_CASE("what a pod that is gone wrote is found by its name") {
    commitments x;
    x.add(a_record(a_slot("a", 5)), phase::bound);
    auto& said = *x.find("a")->latest.add_containers();
    said.set_name("web");
    said.set_life(2);
    departed gone;
    CHECK(gone.note(*x.find("a"), 1000).key() == "gone/1");
    x.erase("a", start);
    logs_request ask;
    ask.set_namespace_("default");
    ask.set_pod("web-abc-a");
    ask.set_tail_lines(-1);
    CHECK(log_question_of(ask, x, gone, "n1")->workload == "a");
    CHECK(log_question_of(ask, x, gone, "n1")->container == "web");
    CHECK(log_question_of(ask, x, gone, "n1")->life == 2);
    ask.set_previous(true);
    CHECK(log_question_of(ask, x, gone, "n1")->life == 1);
    ask.set_workload("b"); // who has read another of that name so far
    CHECK(!log_question_of(ask, x, gone, "n1"));
    CHECK(!gone_pod_meant(ask, gone));
    ask.set_workload("a");
    CHECK(log_question_of(ask, x, gone, "n1"));
    CHECK(gone_pod_meant(ask, gone)->uid() == "a");
    ask.set_namespace_("other");
    CHECK(!log_question_of(ask, x, gone, "n1"));
  }

  TEST_CASE("of two of one name the later is meant; a second try writes the same") {
    commitments x;
    auto twin = a_slot("b", 6);
    twin.set_pod("web-abc-a");
    x.add(a_record(a_slot("a", 5)), phase::bound);
    x.add(a_record(twin), phase::bound);
    departed gone;
    gone.note(*x.find("b"), 1000);
    auto first = gone.note(*x.find("a"), 2000);
    auto again = gone.note(*x.find("a"), 3000);
    CHECK(first.key() == again.key());
    CHECK(first.value() == again.value());
    CHECK(gone.find("default", "web-abc-a")->uid() == "a");
  }

  TEST_CASE("the last 32 are known, and still after a restart") {
    departed gone;
    std::map<std::string, record> disk;
    for (int i = 0; i < 70; ++i) {
      commitments x;
      auto uid = "u" + std::to_string(i);
      x.add(a_record(a_slot(uid, 5)), phase::bound);
      auto written = gone.note(*x.find(uid), i);
      disk[written.key()] = written;
    }
    CHECK(disk.size() == departed::most);
    std::vector<record> journal;
    for (const auto& [key, written] : disk)
      journal.push_back(written);
    record garbage;
    garbage.set_key("gone/x");
    garbage.set_value("\xff\xff");
    journal.push_back(garbage);
    departed restored;
    restored.restore(journal);
    for (const auto* known : {&gone, &restored}) {
      CHECK_FALSE(known->find("default", "web-abc-u37"));
      REQUIRE(known->find("default", "web-abc-u38"));
      CHECK(known->find("default", "web-abc-u69")->gone_ms() == 69);
    }
    commitments x;
    x.add(a_record(a_slot("next", 5)), phase::bound);
    CHECK(restored.note(*x.find("next"), 99).key() == gone.note(*x.find("next"), 99).key());
  }
}

TEST_SUITE("node/event_ring") {

  TEST_CASE("the last 100 are kept, and what repeats is counted") {
    event_ring ring;
    event x;
    x.set_reason("BackOff");
    x.set_object("a");
    ring.add(x);
    x.set_object("b");
    ring.add(x);
    x.set_object("a");
    ring.add(x);
    REQUIRE(ring.all().size() == 2);
    CHECK(ring.all().back().object() == "a");
    CHECK(ring.all().back().count() == 2);
    for (int i = 0; i < 150; ++i) {
      x.set_message(std::to_string(i));
      ring.add(x);
    }
    CHECK(ring.all().size() == 100);
    CHECK(ring.all().front().message() == "50");
  }
}

TEST_SUITE("node/recovery") {

  TEST_CASE("promises come back whole, and what does not parse is passed over") {
    record a;
    a.set_key(promise_key("u"));
    a.set_value(a_record(a_slot("u", 5)).SerializeAsString());
    record bad;
    bad.set_key(promise_key("v"));
    bad.set_value("\xff\xff");
    record over;
    over.set_key(promise_key("w"));
    auto all = promises_in({a, bad, over});
    REQUIRE(all.size() == 1);
    CHECK(all[0].slot().order().index() == 5);
  }

  TEST_CASE("a stray is ended with every container that it has") {
    process_status x;
    x.set_workload("u");
    x.set_container("a");
    x.set_pod("p");
    auto y = x;
    y.set_life(1);
    auto z = x;
    z.set_container("b");
    auto record = stray_record("u", {x, y, z});
    CHECK(record.ending());
    CHECK(record.slot().pod() == "p");
    CHECK(record.what().pod().containers_size() == 2);
    CHECK(record.keeper().empty());
  }

  TEST_CASE("the members that follow in the ring are remembered, at most 16") {
    auto id = [](int n) { return std::string(16, static_cast<char>(n)); };
    std::vector<shared_member> living;
    for (int i = 1; i <= 40; ++i) {
      member x;
      x.set_id(id(i));
      x.set_endpoint("10.0.0.1:7710");
      x.set_public_key("key");
      x.add_labels()->set_key("rack");
      living.push_back(x);
    }
    auto known = members_to_remember(node_id::from_bytes(id(39)), living);
    REQUIRE(known.members_size() == 16);
    member first;
    member second;
    first.ParseFromString(known.members(0));
    second.ParseFromString(known.members(1));
    CHECK(first.id() == id(40));
    CHECK(second.id() == id(1));
    CHECK(first.endpoint() == "10.0.0.1:7710");
    CHECK(first.public_key() == "key");
    CHECK(first.labels_size() == 0);
  }
}

} // namespace legion::commitments_test
