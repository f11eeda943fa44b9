#include <doctest/doctest.h>

#include "actors/group/group_keys.hpp"
#include "actors/node/recovery.hpp"
#include "messages/charter.pb.h"

namespace legion::recovery_test {

namespace {

record record_of(const std::string& key, const std::string& value) {
  record result;
  result.set_key(key);
  result.set_value(value);
  return result;
}

const record* find(const std::vector<record>& in, const std::string& key) {
  for (auto& x : in)
    if (x.key() == key)
      return &x;
  return nullptr;
}

} // namespace

TEST_SUITE("node/recovery") {

  TEST_CASE("the charter begins with the founder of the zone, once") {
    start_record founder, joiner;
    founder.set_cluster(std::string(16, 'c'));
    auto start_of = [](const start_record& x) { return record_of("start", x.SerializeAsString()); };
    CHECK(node::founds_charter(true, {}));
    CHECK_FALSE(node::founds_charter(false, {}));
    // A zone of an earlier version: its groups are there, the charter is not.
    CHECK(node::founds_charter(false, {start_of(founder), record_of("group/1/snapshot", "x")}));
    CHECK_FALSE(
        node::founds_charter(false, {start_of(joiner), record_of("group/1/snapshot", "x")}));
    // Its first start failed, and then it was told whom to join.
    CHECK_FALSE(node::founds_charter(false, {start_of(founder)}));
    // It was a voter, or was one and is none any more.
    for (auto key : {"charter/snapshot", "charter/promised", "charter/log/00000000000000000002"})
      CHECK_FALSE(node::founds_charter(true, {start_of(founder), record_of(key, "x")}));
    // Its journal was damaged: the loss accepted, others may go on with the charter.
    CHECK_FALSE(node::founds_charter(false, {record_of("charter/lost", "1"), start_of(founder)}));
    CHECK(node::founds_charter(true, {record_of("charter/lost", "1"), start_of(founder)}));
    damage_record damage;
    damage.set_detail("row 5");
    CHECK_FALSE(node::founds_charter(
        true, {record_of("damage", damage.SerializeAsString()), start_of(founder)}));
  }

  TEST_CASE("cordoned: as the roster has it, before there was one as the node kept it") {
    auto self = node_id::from_bytes(std::string(16, 'a'));
    roster_state roster;
    auto& mine = *roster.add_nodes();
    mine.set_id(self.bytes());
    CHECK_FALSE(node::was_cordoned({}, self));
    CHECK(node::was_cordoned({record_of("cordoned", "x")}, self));
    CHECK_FALSE(node::was_cordoned(
        {record_of("cordoned", "x"), record_of("roster", roster.SerializeAsString())}, self));
    mine.set_cordoned(true);
    CHECK(node::was_cordoned({record_of("roster", roster.SerializeAsString())}, self));
    mine.set_id(std::string(16, 'b'));
    CHECK_FALSE(node::was_cordoned({record_of("roster", roster.SerializeAsString())}, self));
  }

  TEST_CASE("a journal after a damaged one has all but the groups' records, and says so") {
    start_record start;
    start.set_start(7);
    start.set_cluster("the cluster's id");
    promise_record promise;
    promise.mutable_slot()->set_uid("u1");
    damage_record damage;
    damage.set_detail("row 5 does not check");
    damage.set_time_ms(1'800'000'000'000);
    auto carried =
        node::carried_over({record_of("charter/entry/1", "x"), record_of("group/5/log/1", "x"),
                            record_of("group/63/snapshot", "x"), record_of("members", "m"),
                            record_of("promise/u1", promise.SerializeAsString()),
                            record_of("start", start.SerializeAsString())},
                           damage);
    CHECK(carried.size() == 5);
    CHECK(find(carried, "charter/lost")); // no second charter is founded in its place
    CHECK(find(carried, "members")->value() == "m");
    CHECK(group::groups_in(carried) == 0);
    auto promises = node::promises_in(carried);
    REQUIRE(promises.size() == 1);
    CHECK(promises[0].salvaged());
    auto found = node::damage_in(carried);
    REQUIRE(found);
    CHECK(found->detail() == "row 5 does not check");
    CHECK(found->groups() == (std::uint64_t{1} << 5 | std::uint64_t{1} << 63));
  }

  TEST_CASE("after damage no start shares a number with one that may be lost") {
    damage_record damage;
    damage.set_time_ms(1'800'000'000'000);
    auto number = [&](std::uint64_t before) {
      start_record start;
      start.set_start(before);
      auto carried = node::carried_over({record_of("start", start.SerializeAsString())}, damage);
      start.ParseFromString(find(carried, "start")->value());
      return start.start();
    };
    CHECK(number(7) == 1'800'000'000);
    CHECK(number(2'000'000'000) == 2'000'000'000);
  }

  TEST_CASE("a second damage remembers the groups of the first") {
    damage_record first, second;
    first.set_groups(4);
    second.set_time_ms(1000);
    auto carried = node::carried_over({record_of("group/0/snapshot", "x"),
                                       record_of(node::damage_key, first.SerializeAsString())},
                                      second);
    CHECK(node::damage_in(carried)->groups() == 5);
    CHECK_FALSE(node::damage_in({record_of("members", "m")}));
  }

  TEST_CASE("the next start asks those who were there last, and then all that were on the roster") {
    auto id = [](char c) { return std::string(16, c); };
    known_members known;
    member b;
    b.set_id(id('b'));
    b.set_endpoint("10.0.0.2:1");
    known.add_members(b.SerializeAsString());
    roster_state roster;
    for (auto c : {'a', 'b', 'c'}) {
      auto& x = *roster.add_nodes();
      x.set_id(id(c));
      x.set_endpoint("10.0.0.9:1");
    }
    auto found = node::contacts_in({record_of("members", known.SerializeAsString()),
                                    record_of("roster", roster.SerializeAsString())},
                                   node_id::from_bytes(id('a')));
    REQUIRE(found.size() == 2); // not itself
    CHECK(found[0].id() == id('b'));
    CHECK(found[0].endpoint() == "10.0.0.2:1");
    CHECK(found[1].id() == id('c'));
    CHECK(node::contacts_in({}, node_id::from_bytes(id('a'))).empty());
    auto& hint = *roster.add_hints(); // who keeps a group with it comes first
    for (auto c : {'a', 'c'})
      hint.add_voters(id(c));
    roster.add_hints()->add_voters(id('b'));
    found = node::contacts_in({record_of("members", known.SerializeAsString()),
                               record_of("roster", roster.SerializeAsString())},
                              node_id::from_bytes(id('a')));
    CHECK(found.front().id() == id('c'));
  }

  TEST_CASE("what is remembered of members: their last start, and since when they are dead") {
    known_members known;
    auto add = [&](char c, wall_ms died) {
      auto& x = *known.add_seen();
      x.set_id(std::string(16, c));
      x.set_start(4);
      x.set_life(7);
      x.set_died_ms(died);
      x.set_journal(std::string(16, 'j'));
      x.set_rows(99);
      x.set_rows_start(3);
    };
    add('b', 0);
    add('c', 40'000);
    add('d', 900'000); // its clock was ahead
    known.add_seen()->set_start(1);
    auto now = time_point{} + std::chrono::hours{1};
    auto found =
        node::remembered_in({record_of("members", known.SerializeAsString())}, now, 100'000);
    REQUIRE(found.size() == 3);
    CHECK(value(found[0].start) == 4);
    CHECK(found[0].life == 7);
    CHECK(found[0].journal == std::string(16, 'j'));
    CHECK(found[0].rows == 99);
    CHECK(value(found[0].rows_start) == 3);
    CHECK_FALSE(found[0].died);
    CHECK(found[1].died == now - std::chrono::seconds{60});
    CHECK(found[2].died == now);
    auto began = now - std::chrono::seconds{5};
    CHECK(died_by(found, began)(found[1].id) == now - std::chrono::seconds{60});
    CHECK(died_by(found, began)(found[0].id) == began);
    CHECK(died_by(found, began)(node_id{}) == began);
  }

} // TEST_SUITE

} // namespace legion::recovery_test
