#include <doctest/doctest.h>

#include "actors/journal_ends.hpp"
#include "tests/unit/consensus/few_members.hpp"

namespace legion::journal_ends_test {

using namespace legion::consensus;

TEST_SUITE("consensus/journal_ends") {

  TEST_CASE("what earlier starts said of a journal counts, not what this one says") {
    journal_ends x;
    auto who = nth_member(1);
    auto before = [&](std::uint64_t start) { return x.before(who, start_number{start}); };
    CHECK(before(1) == 0);
    x.heard(who, start_number{1}, 40);
    x.heard(who, start_number{1}, 30); // an older mail
    CHECK(before(1) == 0);
    CHECK(before(2) == 40);
    x.heard(who, start_number{2}, 60);
    CHECK(before(2) == 40);
    CHECK(before(3) == 60);
    x.heard(who, start_number{1}, 90); // late: that start is over
    CHECK(before(2) == 40);
    x.heard(who, start_number{3}, 50); // it found less than the second had
    CHECK(before(3) == 60);
    CHECK(before(4) == 60);
  }

  TEST_CASE("another journal counts anew, and nodes are bounded") {
    journal_ends x;
    x.heard(nth_member(1), start_number{1}, 40);
    auto anew = nth_member(1, 9);
    CHECK(x.before(anew, start_number{2}) == 0);
    x.heard(anew, start_number{2}, 3);
    CHECK(x.before(anew, start_number{3}) == 3);
    CHECK(x.before(nth_member(1), start_number{3}) == 0);
    CHECK(x.of(anew.node).rows == 3);
    x.heard(nth_member(1), start_number{1}, 41); // late, of the journal before
    CHECK(x.before(anew, start_number{3}) == 3);
    for (std::size_t i = 0; i < journal_ends::most + 10; ++i) {
      std::string bytes(16, 'x');
      bytes[0] = static_cast<char>(i & 0xff);
      bytes[1] = static_cast<char>(i >> 8);
      x.heard({node_id::from_bytes(bytes), anew.journal}, start_number{1}, 7);
    }
    x.heard(anew, start_number{2}, 5); // who is known stays so
    CHECK(x.of(anew.node).rows == 5);
  }

} // TEST_SUITE

} // namespace legion::journal_ends_test
