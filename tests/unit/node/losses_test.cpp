#include "actors/node/losses.hpp"

#include <doctest/doctest.h>

namespace legion::losses_test {

TEST_SUITE("node/losses") {

  TEST_CASE("most first, at most 32, and nothing that adds up to nothing") {
    std::vector<lost_messages> all(50);
    for (int i = 0; i < 50; ++i) {
      all[i].set_peer(std::string(16, static_cast<char>('a' + i % 26)));
      all[i].set_reason(node::word_of(failure_unreachable));
      all[i].set_messages(static_cast<std::uint64_t>(i));
    }
    node_view view;
    node::add_losses(view, all);
    REQUIRE(view.lost_size() == 32);
    CHECK(view.lost(0).messages() == 49);
    CHECK(view.lost(31).messages() == 18);
    node_view none;
    node::add_losses(none, {all[0]});
    CHECK(none.lost().empty());
  }

  TEST_CASE("reasons are words; a gap is what the receiver saw missing") {
    CHECK(node::word_of(failure_overloaded) == "overloaded");
    CHECK(node::word_of(failure_wrong_cluster) == "wrong_cluster");
    CHECK(node::word_of(failure_none) == "gap");
  }
}

} // namespace legion::losses_test
