#include <doctest/doctest.h>

#include "actors/consensus/quorum.hpp"
#include "tests/unit/consensus/few_members.hpp"

namespace legion::log_test {

using namespace legion::consensus;

namespace {

entry_ref data(log_index i, term_number t) {
  return std::make_shared<const entry>(entry{i, t, entry_kind::data, "12345678"});
}
entry_ref decided(log_index i, term_number t, std::vector<member_id> voters) {
  return std::make_shared<const entry>(
      entry{i, t, entry_kind::configuration, encode({std::move(voters), {}, {}})});
}

} // namespace

TEST_SUITE("consensus/log") {

  TEST_CASE("terms, slices and the last entry not above a term") {
    bool sound = false;
    consensus::log x{{}, {data(1, 1), data(2, 1), data(3, 4), data(4, 4), data(5, 6)}, sound};
    CHECK(sound);
    CHECK(x.last() == 5);
    CHECK(x.last_term() == 6);
    CHECK(x.term(0) == 0);
    CHECK(x.term(3) == 4);
    CHECK_FALSE(x.term(6));
    CHECK(x.slice(2, 1000, 2).size() == 2);
    CHECK(x.slice(2, 1, 100).size() == 1);
    CHECK(x.slice(2, 64, 100).size() == 2);
    CHECK(x.slice(6, 1000, 100).empty());
    CHECK(x.last_not_above(5, 5) == 4);
    CHECK(x.last_not_above(9, 9) == 5);
    CHECK(x.last_not_above(5, 3) == 2);
    CHECK(x.last_not_above(5, 0) == 0);
  }

  TEST_CASE("compacted, it still knows the term it begins after") {
    bool sound = false;
    consensus::log x{{}, {data(1, 1), data(2, 1), data(3, 4)}, sound};
    auto bytes = x.bytes();
    x.compact(2);
    CHECK(x.base() == 2);
    CHECK(x.term(2) == 1);
    CHECK_FALSE(x.term(1));
    CHECK(x.bytes() == bytes / 3);
    x.compact(9);
    CHECK(x.base() == 3);
    CHECK(x.last() == 3);
    CHECK(x.last_term() == 4);
  }

  TEST_CASE("who decides is as of the entry, and goes back with it (4.1)") {
    bool sound = false;
    consensus::log x{founded_by({nth_member(0)}), {data(1, 1)}, sound};
    REQUIRE(x.push(decided(2, 1, {nth_member(0), nth_member(1)})));
    REQUIRE(x.push(data(3, 1)));
    REQUIRE(x.push(decided(4, 1, {nth_member(1)})));
    CHECK(x.members_index() == 4);
    CHECK(x.head_at(3).members.voters.size() == 2);
    CHECK(x.head_at(3).members_index == 2);
    CHECK(x.head_at(1).members_index == 1);
    x.cut_from(4);
    CHECK(x.members_index() == 2);
    x.compact(3);
    CHECK(x.members_index() == 2);
    x.cut_from(1);
    CHECK(x.last() == 3); // what is compacted can't be cut off
  }

  TEST_CASE("what a disk had may begin before its snapshot's end, but has no gaps") {
    snapshot_head head{3, 2, founded_by({nth_member(0)}).members, 0};
    bool sound = false;
    consensus::log x{head, {data(2, 2), data(3, 2), data(4, 2)}, sound};
    CHECK(sound);
    CHECK(x.base() == 2);
    CHECK(x.last() == 4);
    consensus::log none{head, {data(2, 2)}, sound};
    CHECK(sound);
    CHECK(none.base() == 3);
    consensus::log gap{head, {data(5, 2)}, sound};
    CHECK_FALSE(sound);
    consensus::log other{head, {data(2, 1), data(3, 1), data(4, 2)}, sound};
    CHECK_FALSE(sound);
  }

  TEST_CASE("a majority's value, and while joint both majorities' (3.6.2, 4.3)") {
    std::map<member_id, int> has{{nth_member(0), 9},
                                 {nth_member(1), 5},
                                 {nth_member(2), 3},
                                 {nth_member(3), 7},
                                 {nth_member(4), 1}};
    auto of = [&](const member_id& x) { return has[x]; };
    CHECK(agreed<int>(std::vector{nth_member(0)}, of) == 9);
    CHECK(agreed<int>(std::vector{nth_member(0), nth_member(1)}, of) == 5);
    CHECK(agreed<int>(std::vector{nth_member(0), nth_member(1), nth_member(2)}, of) == 5);
    CHECK(agreed<int>(std::vector{nth_member(0), nth_member(1), nth_member(2), nth_member(3)}, of)
          == 5);
    CHECK(agreed<int>(std::vector{nth_member(0), nth_member(1), nth_member(2), nth_member(3),
                                  nth_member(4)},
                      of)
          == 5);
    CHECK(agreed<int>(std::vector<member_id>{}, of) == 0);
    configuration joint{{nth_member(0), nth_member(3)}, {nth_member(2)}, {}};
    CHECK(agreed<int>(joint, of) == 3);
    CHECK(quorum(joint, [&](const member_id& x) { return has[x] >= 3; }));
    CHECK_FALSE(quorum(joint, [&](const member_id& x) { return has[x] >= 4; }));
  }
}

} // namespace legion::log_test
