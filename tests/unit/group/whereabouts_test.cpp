#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>

#include "actors/group/whereabouts.hpp"

using namespace legion;
using namespace legion::group;

namespace {

resource_name named(std::string kind, std::string space, std::string name) {
  resource_name result;
  result.set_kind(std::move(kind));
  result.set_namespace_(std::move(space));
  result.set_name(std::move(name));
  return result;
}

node_id node(std::uint8_t n) {
  std::string bytes(16, '\0');
  bytes[0] = static_cast<char>(n * 37 + 1);
  bytes[15] = static_cast<char>(n);
  return node_id::from_bytes(bytes);
}

std::vector<candidate_keeper> living(int n) {
  std::vector<candidate_keeper> result;
  for (int i = 0; i < n; ++i)
    result.push_back({node(static_cast<std::uint8_t>(i)), true, 0});
  return result;
}

} // namespace

TEST_SUITE("group/whereabouts") {

  TEST_CASE("a name's group never changes: these are on disks") {
    CHECK(value(group_of(named("Deployment", "default", "web"))) == 45);
    CHECK(value(group_of(named("Pod", "default", "web"))) == 26);
  }

  TEST_CASE("kind, namespace and name are told apart") {
    CHECK(group_of(named("Deployment", "ab", "c")) != group_of(named("Deployment", "a", "bc")));
  }

  TEST_CASE("ten thousand names spread evenly over the groups") {
    std::array<int, groups_per_zone> counts{};
    for (int i = 0; i < 10'000; ++i)
      ++counts[value(group_of(named("Deployment", "default", "web-" + std::to_string(i))))];
    auto [low, high] = std::minmax_element(counts.begin(), counts.end());
    CHECK(*low > 100); // 156 each; three standard deviations are 38
    CHECK(*high < 212);
  }

  TEST_CASE("nobody keeps a group where nobody lives") {
    CHECK(!keeper_of(group_id{3}, {}));
    CHECK(!keeper_of(group_id{3}, {{node(1), false, 0}}));
  }

  TEST_CASE("the living share the groups, and every order of the list gives the same keeper") {
    auto members = living(5);
    std::map<node_id, int> counts;
    for (std::uint32_t g = 0; g < groups_per_zone; ++g) {
      auto keeper = keeper_of(group_id{g}, members);
      REQUIRE(keeper);
      ++counts[*keeper];
      auto reversed = members;
      std::reverse(reversed.begin(), reversed.end());
      CHECK(keeper_of(group_id{g}, reversed) == keeper);
    }
    CHECK(counts.size() == 5);
    for (const auto& [id, n] : counts)
      CHECK(n >= 4);
  }

  TEST_CASE("a death moves only the dead node's groups") {
    auto members = living(5);
    auto fewer = members;
    fewer[2].alive = false;
    for (std::uint32_t g = 0; g < groups_per_zone; ++g) {
      auto before = keeper_of(group_id{g}, members);
      auto after = keeper_of(group_id{g}, fewer);
      if (before != members[2].id)
        CHECK(before == after);
      else
        CHECK(after != members[2].id);
    }
  }

  TEST_CASE("a group that holds resources stays where it is, even while that node is dead") {
    auto members = living(5);
    auto g = group_id{17};
    auto first = keeper_of(g, members);
    for (auto& x : members)
      if (x.id != first) {
        x.keeps = std::uint64_t{1} << 17;
        x.alive = false;
        CHECK(keeper_of(g, members) == x.id);
        CHECK(keeper_of(group_id{18}, members) != x.id);
        break;
      }
  }

  TEST_CASE("of two that say they keep it, every node names the same one") {
    auto members = living(4);
    members[1].keeps = members[3].keeps = ~std::uint64_t{0};
    auto keeper = keeper_of(group_id{5}, members);
    CHECK((keeper == members[1].id || keeper == members[3].id));
    std::reverse(members.begin(), members.end());
    CHECK(keeper_of(group_id{5}, members) == keeper);
  }

  TEST_CASE("who has a zone and has heard of nobody there claims no name") {
    CHECK(may_claim(0, 1)); // it founded the cluster, and is alone
    CHECK_FALSE(may_claim(1, 1));
    CHECK_FALSE(may_claim(3, 0));
    CHECK(may_claim(1, 2));
  }

} // TEST_SUITE
