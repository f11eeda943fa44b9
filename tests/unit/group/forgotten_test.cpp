#include <doctest/doctest.h>

#include "actors/group/forgotten.hpp"
#include "tests/unit/group/raised_world.hpp"

namespace legion::forgotten_test {

using namespace legion::group;

namespace {

const auto web = a_deployment("web", 3);

/// What a node says of a slot that this entry gave it.
report holds(const resource& of, const std::string& uid, std::uint64_t index,
             std::uint64_t incarnation) {
  report result;
  auto& x = *result.add_assessments();
  *x.mutable_of() = name_of(of);
  x.mutable_slot()->set_uid(uid);
  x.mutable_slot()->mutable_order()->set_index(index);
  x.mutable_slot()->mutable_order()->set_incarnation(incarnation);
  return result;
}

} // namespace

TEST_SUITE("group/forgotten") {
  TEST_CASE("a salvaged promise is current if the log has its slot there, under that order") {
    raised_world it{web};
    group_entry put;
    *put.mutable_put()->mutable_what() = web;
    it.commit(put);
    group_entry named;
    *named.mutable_named()->mutable_of() = name_of(web);
    named.mutable_named()->add_slots()->set_uid("one");
    it.commit(named);
    auto here = node_id::from_bytes(std::string(16, 'n'));
    group_entry accepted;
    *accepted.mutable_accepted()->mutable_of() = name_of(web);
    accepted.mutable_accepted()->add_slots()->set_uid("one");
    accepted.mutable_accepted()->set_node(here.bytes());
    it.commit(accepted);
    auto order = it.rules.index();
    auto said = [&](std::uint64_t index, char node, bool salvaged) {
      auto x = holds(web, "one", index, it.rules.incarnation());
      x.set_node(std::string(16, node));
      x.mutable_assessments(0)->set_salvaged(salvaged);
      return still_current(it.rules, x).size();
    };
    CHECK(said(order, 'n', true) == 1);
    CHECK(said(order, 'n', false) == 0);
    CHECK(said(order - 1, 'n', true) == 0);
    CHECK(said(order, 'm', true) == 0);
    auto unknown = holds(web, "two", order, it.rules.incarnation());
    unknown.set_node(here.bytes());
    unknown.mutable_assessments(0)->set_salvaged(true);
    CHECK(still_current(it.rules, unknown).empty());
  }

  TEST_CASE("what the log decided about and knows no more is forgotten; what it may not know yet "
            "is not") {
    raised_world it{web};
    group_entry put;
    *put.mutable_put()->mutable_what() = web;
    it.commit(put);
    group_entry named;
    *named.mutable_named()->mutable_of() = name_of(web);
    named.mutable_named()->add_slots()->set_uid("known");
    it.commit(named);
    auto now = it.rules.index();
    auto incarnation = it.rules.incarnation();
    REQUIRE(now >= 2);
    auto uids = [&](const report& x) {
      std::string result;
      for (const auto& y : forgotten(it.rules, x))
        result += y.uid() + " ";
      return result;
    };
    CHECK(uids(holds(web, "gone", now, incarnation)) == "gone ");
    CHECK(uids(holds(web, "gone", 1, incarnation)) == "gone ");
    CHECK(uids(holds(web, "known", now, incarnation)).empty());
    CHECK(uids(holds(web, "later", now + 1, incarnation))
              .empty()); // this leader is behind, or was deposed
    CHECK(uids(holds(web, "before", now, incarnation - 1)).empty());
    CHECK(uids(holds(web, "after", now, incarnation + 1)).empty());
    CHECK(uids(holds(web, "offered", 0, incarnation)).empty());
    auto other = web;
    other.mutable_metadata()->set_name("deleted-long-ago");
    CHECK(uids(holds(other, "gone", now, incarnation)) == "gone ");
  }

  TEST_CASE("a group that gathers forgets nothing; an answer is bounded") {
    raised_world it{web};
    report all;
    for (int i = 0; i < 1000; ++i)
      *all.add_assessments() =
          holds(web, "uid-" + std::to_string(i), 1, it.rules.incarnation()).assessments(0);
    group_entry put;
    *put.mutable_put()->mutable_what() = web;
    it.commit(put);
    CHECK(forgotten(it.rules, all).size() == most_forgotten);
    it.rules.raise(it.rules.incarnation() + 1, it.rules.index() + 1);
    REQUIRE(it.rules.gathering());
    for (auto& x : *all.mutable_assessments())
      x.mutable_slot()->mutable_order()->set_incarnation(it.rules.incarnation());
    CHECK(forgotten(it.rules, all).empty());
  }
}

} // namespace legion::forgotten_test
