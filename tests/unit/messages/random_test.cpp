#include <doctest/doctest.h>

#include "messages/random.hpp"

namespace legion::random_test {

TEST_SUITE("messages/random") {
  TEST_CASE("the numbers are those of splitmix64, on every machine") {
    // The reference implementation's, for this seed.
    legion::seeded_random random{1234567};
    CHECK(random() == 6457827717110365317u);
    CHECK(random() == 3203168211198807973u);
    CHECK(random() == 9817491932198370423u);
    random.seed(1234567);
    CHECK(random() == 6457827717110365317u);
  }
}

} // namespace legion::random_test
