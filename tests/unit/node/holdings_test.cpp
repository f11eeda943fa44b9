#include <doctest/doctest.h>

#include <set>

#include "actors/node/holdings.hpp"

namespace legion::holdings_test {

using namespace legion::node;

namespace {

promise_record a_promise(const std::string& uid, const std::string& name, std::uint64_t version,
                         std::uint32_t group = 7, std::size_t bytes = 0) {
  promise_record x;
  x.mutable_slot()->set_uid(uid);
  x.mutable_slot()->mutable_order()->set_incarnation(1);
  x.mutable_slot()->mutable_order()->set_index(version);
  x.mutable_what()->set_kind("Deployment");
  x.mutable_what()->mutable_metadata()->set_namespace_("default");
  x.mutable_what()->mutable_metadata()->set_name(name);
  x.mutable_what()->mutable_metadata()->set_resource_version(version);
  x.mutable_what()->set_document(std::string(bytes, 'd'));
  x.set_group(group);
  x.set_made_ms(5);
  return x;
}

} // namespace

TEST_SUITE("node/holdings") {

  TEST_CASE("promises are told with their resource as it is known best here, once") {
    commitments all;
    all.add(a_promise("1", "web", 5), phase::bound);
    all.add(a_promise("2", "web", 9), phase::ending);
    all.add(a_promise("3", "db", 4), phase::binding);
    all.add(a_promise("4", "web", 7, 8), phase::bound); // of another group
    auto held = held_of(all, 7, {});
    CHECK(held.next().empty());
    REQUIRE(held.resources_size() == 2);
    REQUIRE(held.slots_size() == 3);
    CHECK(held.resources(0).metadata().name() == "db");
    CHECK(held.resources(1).metadata().resource_version() == 9);
    for (const auto& x : held.slots()) {
      CHECK(x.resource() == (x.slot().uid() == "3" ? 0u : 1u));
      CHECK(x.ending() == (x.slot().uid() == "2"));
      CHECK(x.made_ms() == 5);
    }
    CHECK(held_of(all, 9, {}).slots().empty());
  }

  TEST_CASE("one that is released before it is on disk ends") {
    commitments all;
    all.add(a_promise("1", "web", 5), phase::binding);
    all.find("1")->end_when_settled = true;
    CHECK(held_of(all, 7, {}).slots(0).ending());
  }

  TEST_CASE("many come page by page, whole resources each, and all of them once") {
    commitments all;
    for (int i = 0; i < 30; ++i)
      for (int j = 0; j < 3; ++j)
        all.add(a_promise(std::to_string(i) + "-" + std::to_string(j),
                          "web" + std::to_string(100 + i), 5, 7, 40'000),
                phase::bound);
    std::set<std::string> told;
    std::string after;
    int pages = 0;
    do {
      auto held = held_of(all, 7, after);
      CHECK(held.ByteSizeLong() < 512 * 1024);
      CHECK(held.slots_size() == 3 * held.resources_size());
      for (const auto& x : held.slots())
        CHECK(told.insert(x.slot().uid()).second);
      CHECK((held.next().empty() || held.next() > after));
      after = held.next();
      ++pages;
    } while (!after.empty());
    CHECK(told.size() == 90);
    CHECK(pages > 2);
    CHECK(held_of(all, 7, "zzz").slots().empty());
  }

  TEST_CASE("how much is held of each group, and the highest order") {
    commitments all;
    all.add(a_promise("1", "web", 5), phase::bound);
    all.add(a_promise("2", "web", 9), phase::ending);
    all.add(a_promise("3", "db", 4, 2), phase::bound);
    promise_record stray; // nobody relies on it
    stray.mutable_slot()->set_uid("4");
    all.add(stray, phase::ending);
    auto holdings = holdings_of(all, {});
    REQUIRE(holdings.size() == 2);
    CHECK(holdings[0].group() == 2);
    CHECK(holdings[1].promises() == 2);
    CHECK(holdings[1].resources() == 1);
    CHECK(holdings[1].ending() == 1);
    CHECK(holdings[1].highest().index() == 9);
    // A group that was raised is known, though nothing is promised to it yet.
    auto raised = std::uint64_t{5} << 52; // a term of incarnation 5 << 20
    holdings = holdings_of(all, {{2, 3}, {7, raised + 4}, {9, raised + 1}, {11, 8}});
    REQUIRE(holdings.size() == 3);
    CHECK(holdings[0].highest().incarnation() == 1);
    CHECK(holdings[1].highest().incarnation() == 5u << 20);
    CHECK(holdings[1].highest().index() == 9);
    CHECK(holdings[2].group() == 9);
    CHECK(holdings[2].promises() == 0);
  }
}

} // namespace legion::holdings_test
