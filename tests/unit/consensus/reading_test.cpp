#include <doctest/doctest.h>

#include "tests/unit/consensus/few_members.hpp"

namespace legion::reading_test {

using namespace legion::consensus;

TEST_SUITE("consensus/reading") {

  TEST_CASE("a read is granted when a quorum has confirmed the leader (6.4)") {
    few_members group{3};
    auto leader = group.elect();
    auto at = group.rules(leader).propose("x");
    group.settle();
    auto read = group.rules(leader).read();
    REQUIRE(read);
    CHECK(group[leader].reads.empty());
    group.settle();
    REQUIRE(group[leader].reads.size() == 1);
    CHECK(group[leader].reads[0].read == *read);
    CHECK(group[leader].reads[0].index >= at->index);
  }

  TEST_CASE("reads that come together share one round") {
    few_members group{3};
    auto leader = group.elect();
    int confirms = 0;
    group.passes = [&](const message& m) {
      confirms += std::holds_alternative<confirm>(m.body);
      return true;
    };
    for (int i = 0; i < 100; ++i)
      REQUIRE(group.rules(leader).read());
    group.settle();
    CHECK(group[leader].reads.size() == 100);
    CHECK(confirms == 2);
  }

  TEST_CASE("a leader that nobody obeys any more grants nothing, and says so in the end") {
    few_members group{3};
    auto leader = group.elect();
    group.cut_off(leader);
    REQUIRE(group.rules(leader).read());
    group.pass(milliseconds{5'000});
    CHECK(group[leader].reads.empty());
    CHECK(group[leader].refused_reads.size() == 1);
  }

  TEST_CASE("a new leader reads nothing before an entry of its own is committed (6.4, step 1)") {
    few_members group{3};
    auto leader = group.elect();
    REQUIRE(group.rules(leader).propose("x"));
    group.settle();
    auto next = (leader + 1) % 3;
    // `next` takes over; its first entry is kept back.
    group.passes = [](const message& m) {
      auto* x = std::get_if<append>(&m.body);
      return !x || x->entries.empty();
    };
    REQUIRE(group.rules(leader).transfer(group[next].who, group.now()));
    group.settle();
    REQUIRE(group.rules(next).role() == role::leader);
    REQUIRE(group.rules(next).read());
    group.pass(milliseconds{160});
    CHECK(group[next].reads.empty());
    group.passes = nullptr;
    group.pass(milliseconds{400});
    REQUIRE(group[next].reads.size() == 1);
    CHECK(group[next].reads[0].index >= 3);
    CHECK(group[next].state.size() == 1);
  }

  TEST_CASE("a confirmation that is lost is asked for again") {
    few_members group{3};
    auto leader = group.elect();
    int n = 0;
    group.passes = [&](const message& m) {
      return !std::holds_alternative<confirm>(m.body) || ++n > 2;
    };
    REQUIRE(group.rules(leader).read());
    group.pass(milliseconds{400});
    CHECK(group[leader].reads.size() == 1);
  }

  TEST_CASE("reads are bounded, and not for followers") {
    options tuned;
    tuned.waiting_reads = 5;
    few_members group{3, tuned};
    auto leader = group.elect();
    CHECK(group.rules((leader + 1) % 3).read().why().code == errc::refused);
    for (int i = 0; i < 5; ++i)
      CHECK(group.rules(leader).read());
    CHECK(group.rules(leader).read().why().code == errc::overloaded);
    group.settle();
    CHECK(group.rules(leader).read());
  }

  TEST_CASE("alone, a read needs nobody") {
    few_members group{1};
    auto leader = group.elect();
    REQUIRE(leader == 0);
    REQUIRE(group.rules(0).read());
    group.settle();
    CHECK(group[0].reads.size() == 1);
  }
}

} // namespace legion::reading_test
