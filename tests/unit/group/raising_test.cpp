#include <doctest/doctest.h>

#include "actors/consensus/incarnation.hpp"
#include "actors/group/raising.hpp"
#include "actors/group/whereabouts.hpp"

namespace legion::raising_test {

using namespace legion::group;

namespace {

node_id a_node(char x) {
  return node_id::from_bytes(std::string(16, x));
}

remains with_log(char node, std::uint64_t term, std::uint64_t index,
                 const std::string& voters = "abc") {
  remains x;
  x.node = a_node(node);
  x.standing.set_member(true);
  x.standing.set_votes(voters.find(node) != std::string::npos);
  x.standing.set_term(term);
  x.standing.set_last_term(term);
  x.standing.set_last_index(index);
  for (auto v : voters)
    x.standing.add_voters(std::string(16, v));
  return x;
}

remains with_promises(char node, std::uint32_t promises, std::uint64_t index,
                      std::uint64_t incarnation = 1) {
  remains x;
  x.node = a_node(node);
  x.holding.set_promises(promises);
  x.holding.set_resources(1);
  x.holding.mutable_highest()->set_index(index);
  x.holding.mutable_highest()->set_incarnation(incarnation);
  return x;
}

} // namespace

TEST_SUITE("group/raising") {

  TEST_CASE("the longest log that is left raises the group, by term first") {
    auto x = choose_raising(
        group_id{3}, {with_log('a', 4, 90), with_promises('d', 5, 40), with_log('b', 5, 10)}, 7);
    REQUIRE(x);
    CHECK(x->node == a_node('b'));
    CHECK(x->from_log);
    CHECK(x->voters.size() == 3);
    CHECK(x->promises == 5);
  }

  TEST_CASE("a log that was found short is used only where there is no other") {
    auto fenced = with_log('a', 9, 90);
    fenced.standing.set_fenced(true);
    CHECK(choose_raising(group_id{3}, {fenced, with_log('b', 5, 10)}, 7)->node == a_node('b'));
    CHECK(choose_raising(group_id{3}, {fenced, with_promises('d', 1, 1)}, 7)->node == a_node('a'));
  }

  TEST_CASE("without a log the node that ranks first begins with promises") {
    std::vector<remains> left{with_promises('a', 1, 5), with_promises('b', 1, 6),
                              with_promises('c', 0, 0)};
    auto x = choose_raising(group_id{3}, left, 7);
    REQUIRE(x);
    CHECK(!x->from_log);
    for (auto node : {'a', 'b', 'c'})
      if (a_node(node) != x->node)
        CHECK(ranks_before(group_id{3}, x->node, a_node(node)));
    CHECK(!x->has_quorum());
  }

  TEST_CASE("its incarnation and its index are above all that any of them has seen") {
    auto raised_before = with_log('a', consensus::first_term(3u << 20) + 8, 90, "a");
    raised_before.standing.set_incarnation(3u << 20);
    auto x = choose_raising(group_id{3}, {raised_before, with_promises('b', 1, 700, 5u << 20)}, 7);
    REQUIRE(x);
    CHECK((x->incarnation >> 20) == 6);
    CHECK((x->incarnation & 0xfffff) == 7);
    CHECK(x->above == 700);
    CHECK(consensus::raised_index(x->above) > (std::uint64_t{1} << 32));
    // What was restored into it gives orders of the backup's incarnation, whatever its terms are.
    raised_before.standing.set_incarnation(8u << 20);
    x = choose_raising(group_id{3}, {raised_before, with_promises('b', 1, 700, 5u << 20)}, 7);
    REQUIRE(x);
    CHECK((x->incarnation >> 20) == 9);
  }

  TEST_CASE("a quorum that is there is not raised over") {
    CHECK(choose_raising(group_id{3}, {with_log('a', 1, 5), with_log('b', 1, 5)}, 1)->has_quorum());
    CHECK(!choose_raising(group_id{3}, {with_log('a', 1, 5)}, 1)->has_quorum());
    auto fenced = with_log('b', 1, 5);
    fenced.standing.set_fenced(true); // it may not vote
    CHECK(!choose_raising(group_id{3}, {with_log('a', 1, 5), fenced}, 1)->has_quorum());
    auto another = with_log('b', 1, 5);
    another.standing.set_votes(false); // it lost the journal with which it voted
    CHECK(!choose_raising(group_id{3}, {with_log('a', 1, 5), another}, 1)->has_quorum());
    // d is there, but has no say
    CHECK(!choose_raising(group_id{3}, {with_log('a', 1, 5), with_promises('d', 1, 1)}, 1)
               ->has_quorum());
  }

  TEST_CASE("nothing is left, or no incarnation") {
    CHECK(!choose_raising(group_id{3}, {}, 1));
    auto last = with_log('a', consensus::first_term(consensus::most_incarnation), 5, "a");
    CHECK(!choose_raising(group_id{3}, {last}, 1));
  }
}

} // namespace legion::raising_test
