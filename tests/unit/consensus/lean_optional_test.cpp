#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "actors/consensus/lean_optional.hpp"

namespace legion::lean_optional_test {

using legion::consensus::lean_optional;

TEST_SUITE("consensus/lean_optional") {
  TEST_CASE("nothing is there until somebody makes it, and nothing once it was taken") {
    lean_optional<std::string> x;
    CHECK(!x);
    x.made() += "a";
    x.made() += "b";
    REQUIRE(x);
    CHECK(*x == "ab");
    CHECK(x.take() == "ab");
    CHECK(!x);
    CHECK(x.take() == "");
    x = std::string{"c"};
    CHECK(x->size() == 1);
    x.reset();
    CHECK(!x);
    CHECK(sizeof(x) == sizeof(void*));
  }
}

} // namespace legion::lean_optional_test
