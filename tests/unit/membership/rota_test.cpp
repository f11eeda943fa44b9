#include <doctest/doctest.h>

#include <set>

#include "actors/membership/rota.hpp"

namespace legion::rota_test {

using namespace legion::membership;

TEST_SUITE("membership/rota") {

  TEST_CASE("in one cycle each of the others is probed once: no repeats (SWIM 4.3)") {
    for (std::size_t others : {1, 2, 63, 127}) {
      for (std::uint32_t cycle : {0u, 7u}) {
        std::set<std::size_t> seen;
        for (std::size_t i = 0; i < others; ++i)
          seen.insert(rota::distance(
              cycle * static_cast<std::uint32_t>(others) + static_cast<std::uint32_t>(i), others));
        CHECK(seen.size() == others);
        CHECK(*seen.begin() == 1);
        CHECK(*seen.rbegin() == others);
      }
    }
  }

  TEST_CASE("another cycle has another order") {
    auto differ = 0;
    for (std::uint32_t i = 0; i < 63; ++i)
      differ += rota::distance(i, 63) != rota::distance(63 + i, 63);
    CHECK(differ > 50);
  }

  TEST_CASE("a later round that was heard of is taken up; an earlier one is not") {
    rota x;
    CHECK(x.advance() == 1);
    x.heard(9);
    CHECK(x.advance() == 9);
    x.heard(4);
    CHECK(x.advance() == 10);
    x.heard(11); // whom it will be in anyway
    CHECK(x.advance() == 11);
    x.heard(rota::rounds + 5); // a stranger's nonsense
    CHECK(x.advance() == 12);
  }

  TEST_CASE("after the last round comes the first again") {
    rota x;
    x.heard(rota::rounds / 2 - 1);
    x.advance();
    x.heard(rota::rounds - 2);
    CHECK(x.advance() == rota::rounds - 2);
    CHECK(x.advance() == rota::rounds - 1);
    CHECK(x.advance() == 0);
    CHECK(x.advance() == 1);
  }

} // TEST_SUITE

} // namespace legion::rota_test
