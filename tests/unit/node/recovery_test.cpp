#include <doctest/doctest.h>

#include "actors/group/group_keys.hpp"
#include "actors/node/recovery.hpp"

using namespace legion;

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
    CHECK(carried.size() == 4);
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

} // TEST_SUITE
