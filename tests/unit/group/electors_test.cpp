#include <doctest/doctest.h>

#include "actors/group/electors.hpp"

namespace legion::electors_test {

using namespace legion::group;

TEST_SUITE("group/electors") {

  TEST_CASE("with enough voters it is a matter of a moment") {
    CHECK(why_no_leader({{"a"}, {"c"}, {"b", true}})
          == "has no leader: most of a, b and c must be up");
    CHECK(can_elect({{"a"}, {"b"}, {"c", true}}));
    CHECK(can_elect({{"a"}}));
    CHECK_FALSE(can_elect({{"a"}, {"b", true}}));
  }

  TEST_CASE("without, those who cannot vote are named, and the cure if they never can") {
    CHECK(why_no_leader({{"a"}, {"b", true}, {"c", true}})
          == "has no quorum: of a, b and c, b and c are down");
    CHECK(why_no_leader({{"a"}, {"b", false, true}, {"c", true}})
          == "has no quorum: of a, b and c, c is down, and b has lost the journal with which it "
             "voted. Should they not come back, `legionctl keepers rebuild` begins it anew from "
             "what is left");
    CHECK(why_no_leader({{"a"}, {"b", false, true}, {"c", false, true}})
          == "has no quorum: of a, b and c, b and c have lost the journal with which they voted. "
             "`legionctl keepers rebuild` begins it anew from what is left");
  }
}

} // namespace legion::electors_test
