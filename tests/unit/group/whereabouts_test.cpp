#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>

#include "actors/group/whereabouts.hpp"

namespace legion::whereabouts_test {

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
    CHECK(keepers_of(group_id{3}, {}).empty());
    CHECK(keepers_of(group_id{3}, {{node(1), false, 0}}).empty());
  }

  TEST_CASE("the first ranks spread over the nodes, and every order of the list gives the same") {
    auto members = living(5);
    std::map<node_id, int> counts;
    for (std::uint32_t g = 0; g < groups_per_zone; ++g) {
      auto keepers = keepers_of(group_id{g}, members);
      REQUIRE(keepers.size() == 5);
      ++counts[keepers.front()];
      auto reversed = members;
      std::reverse(reversed.begin(), reversed.end());
      CHECK(keepers_of(group_id{g}, reversed) == keepers);
    }
    CHECK(counts.size() == 5);
    for (const auto& [id, n] : counts)
      CHECK(n >= 4);
  }

  TEST_CASE("one node less changes the order of no others") {
    auto members = living(5);
    auto fewer = members;
    fewer.erase(fewer.begin() + 2);
    for (std::uint32_t g = 0; g < groups_per_zone; ++g) {
      auto before = keepers_of(group_id{g}, members);
      std::erase(before, members[2].id);
      CHECK(keepers_of(group_id{g}, fewer) == before);
    }
  }

  TEST_CASE("who says to keep a group goes before all others, the living before the dead") {
    auto members = living(5);
    for (int i : {0, 1, 2})
      members[static_cast<std::size_t>(i)].keeps = std::uint64_t{1} << 17;
    auto all = keepers_of(group_id{17}, members);
    REQUIRE(all.size() == 3);
    for (auto& x : members)
      if (x.id == all.front())
        x.alive = false;
    CHECK(keepers_of(group_id{17}, members) == std::vector{all[1], all[2], all[0]});
    CHECK(keepers_of(group_id{18}, members).size() == 4);
  }

} // TEST_SUITE

} // namespace legion::whereabouts_test
