#include <doctest/doctest.h>

#include "actors/consensus/incarnation.hpp"

namespace legion::incarnation_test {

using namespace legion::consensus;

TEST_SUITE("consensus/incarnation") {

  TEST_CASE("each term of a later incarnation is higher than any of an earlier one") {
    auto last = first_term(5) + 0xffff'ffff;
    CHECK(incarnation_of(last) == 5);
    CHECK(first_term(6) > last);
    CHECK(incarnation_of(first_term(6)) == 6);
    CHECK(incarnation_of(1) == 0);
  }

  TEST_CASE("the next is above all that was seen, whatever the random bits were and are") {
    for (std::uint64_t seen : {0ull, 1ull, 1ull << 20, (1ull << 20) + 0xfffff, (7ull << 20) + 5})
      for (std::uint64_t random : {0ull, 1ull, ~0ull}) {
        auto next = incarnation_after(seen, random);
        REQUIRE(next);
        CHECK(*next > seen);
        CHECK(incarnation_of(first_term(*next)) == *next);
        CHECK(!is_first(*next));
      }
    CHECK(incarnation_after(0, 1) != incarnation_after(0, 2)); // two at once
    CHECK(is_first(0));
    CHECK(is_first(1));
  }

  TEST_CASE("there is an end to them") {
    CHECK(!incarnation_after(most_incarnation, 0));
    CHECK(!incarnation_after((4095ull << 20) + 3, 0));
    CHECK(!incarnation_after(~0ull, 0));
    CHECK(incarnation_after((4094ull << 20) + 3, ~0ull) == most_incarnation);
  }
}

} // namespace legion::incarnation_test
