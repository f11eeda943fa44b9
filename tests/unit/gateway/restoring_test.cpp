#include <doctest/doctest.h>

#include <map>

#include "tests/unit/gateway/play.hpp"

namespace legion::restoring_test {

using namespace legion::gateway;

namespace {

kept_resource kept(const std::string& name, std::size_t padding = 0) {
  kept_resource x;
  x.mutable_what()->set_kind("Deployment");
  x.mutable_what()->mutable_metadata()->set_name(name);
  x.mutable_what()->mutable_metadata()->set_namespace_("default");
  x.mutable_what()->set_document(std::string(padding, 'd'));
  auto& running = *x.add_slots();
  running.mutable_slot()->set_uid("1");
  auto& finished = *x.add_slots();
  finished.mutable_slot()->set_uid("2");
  finished.set_finished("Succeeded");
  return x;
}

api_request restore_of(const std::vector<kept_resource>& all, bool dry_run = false) {
  auto x = request_of();
  for (const auto& y : all)
    *x.mutable_restore()->add_resources() = y;
  x.mutable_restore()->set_incarnation(4);
  x.mutable_restore()->set_dry_run(dry_run);
  return x;
}

play a_play(const api_request& x) {
  play it{x};
  it.set_member(2, member_alive, ~std::uint64_t{0});
  it.start();
  return it;
}

group_reply all_restored(const ask& x) {
  group_reply reply;
  for (const auto& y : std::get<group_request>(x.what).restore().resources()) {
    auto& result = *reply.mutable_restored()->add_results();
    *result.mutable_name() = name_of(y.what());
    result.set_action("restored");
    result.set_resource_version(5);
  }
  return reply;
}

} // namespace

TEST_SUITE("gateway/restoring") {

  TEST_CASE("each resource goes to its own group, and is answered in its place") {
    auto deleted = kept("gone");
    deleted.set_deleting(true);
    auto it = a_play(restore_of({kept("a"), deleted, kept("b"), kept("c")}));
    auto asks = it.asked();
    REQUIRE(!asks.empty());
    std::size_t resources = 0;
    for (const auto& x : asks) {
      const auto& request = std::get<group_request>(x.what);
      CHECK(request.restore().incarnation() == 4);
      CHECK(!request.request_id().empty());
      for (const auto& y : request.restore().resources()) {
        ++resources;
        CHECK(value(group::group_of(name_of(y.what()))) == request.group());
        REQUIRE(y.slots_size() == 1); // of a node that may be no more
        CHECK(y.slots(0).finished() == "Succeeded");
      }
    }
    CHECK(resources == 3);
    for (const auto& x : asks)
      it.answer(x, all_restored(x));
    REQUIRE(it.ended());
    const auto& said = it.last_said();
    REQUIRE(said.results_size() == 3);
    CHECK(said.results(0).name().name() == "a");
    CHECK(said.results(2).name().name() == "c");
    CHECK(said.results(2).action() == "restored");
    CHECK(!said.has_refused());
  }

  TEST_CASE("what does not fit into one frame goes in parts, each with an id of its own") {
    std::vector<kept_resource> all;
    for (int i = 0; all.size() < 6; ++i) { // all of one group
      auto x = kept("web" + std::to_string(i), 100'000);
      if (value(group::group_of(name_of(x.what()))) == 7)
        all.push_back(x);
    }
    auto it = a_play(restore_of(all));
    auto asks = it.asked();
    CHECK(asks.size() == 2);
    std::map<std::string, int> ids;
    for (const auto& x : asks) {
      CHECK(std::get<group_request>(x.what).ByteSizeLong() < 1'000'000);
      ++ids[std::get<group_request>(x.what).request_id()];
    }
    CHECK(ids.size() == 2);
    auto again = a_play(restore_of(all));
    for (const auto& x : again.asked())
      CHECK(ids.contains(std::get<group_request>(x.what).request_id()));
  }

  TEST_CASE("a resource that is refused is told of, and the others are done") {
    auto it = a_play(restore_of({kept("a"), kept("b")}));
    auto asks = it.asked();
    REQUIRE(asks.size() == 2);
    auto refused = all_restored(asks[0]);
    *refused.mutable_restored()->mutable_results(0)->mutable_refused() =
        make_refusal(refusal_conflict, "it exists");
    it.answer(asks[0], refused);
    it.answer(asks[1], all_restored(asks[1]));
    REQUIRE(it.ended());
    CHECK(it.last_said().refused().code() == refusal_conflict);
    CHECK(it.last_said().refused().detail() == "1 of 2 resources were not restored");
    CHECK(it.last_said().results(0).has_refused() != it.last_said().results(1).has_refused());
  }

  TEST_CASE("a dry run that finds conflicts has done what it was asked; silence is a failure") {
    auto it = a_play(restore_of({kept("a")}, true));
    auto x = it.one_ask();
    CHECK(std::get<group_request>(x.what).restore().dry_run());
    auto reply = all_restored(x);
    *reply.mutable_restored()->mutable_results(0)->mutable_refused() =
        make_refusal(refusal_conflict, "it exists");
    it.answer(x, reply);
    REQUIRE(it.ended());
    CHECK(!it.last_said().has_refused());
    CHECK(it.last_said().results(0).has_refused());

    play dead{restore_of({kept("a")}, true)};
    for (int i = 1; i <= 4; ++i)
      dead.set_member(i, member_dead, ~std::uint64_t{0});
    dead.start();
    while (!dead.ended() && dead.ring())
      ;
    CHECK(dead.last_said().refused().code() == refusal_unreachable);
  }

  TEST_CASE("what was sent and not answered may be done: that is said") {
    auto it = a_play(restore_of({kept("a")}));
    for (int i = 0; i < 50 && !it.ended(); ++i) {
      for (const auto& x : it.asked()) {
        it.now += seconds{2};
        it.fail(x, errc::deadline);
      }
      it.ring();
    }
    REQUIRE(it.ended());
    CHECK(it.last_said().refused().code() == refusal_deadline);
  }

  TEST_CASE("nonsense is refused before anything is asked") {
    auto it = a_play(restore_of({kept("a"), kept("a")}));
    CHECK(it.asked().empty());
    CHECK(it.last_said().refused().code() == refusal_invalid);
    auto service = kept("a");
    service.mutable_what()->set_kind("Service");
    auto other = a_play(restore_of({service}));
    CHECK(other.asked().empty());
    CHECK(other.last_said().refused().code() == refusal_unsupported);
    auto wrong = a_play(restore_of({kept("a")}));
    group_reply senseless;
    senseless.mutable_restored();
    wrong.answer(wrong.one_ask(), senseless);
    CHECK(wrong.last_said().refused().code() == refusal_unknown);
  }

  TEST_CASE("an empty backup is restored at once") {
    auto it = a_play(restore_of({}));
    CHECK(it.ended());
    CHECK(!it.last_said().has_refused());
  }
}

} // namespace legion::restoring_test
