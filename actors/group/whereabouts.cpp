#include "actors/group/whereabouts.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace legion::group {

namespace {

constexpr std::uint64_t fnv_offset = 14695981039346656037ull;

/// FNV-1a, the same on every machine, unlike std::hash.
std::uint64_t add(std::uint64_t hash, std::string_view bytes) {
  for (unsigned char c : bytes)
    hash = (hash ^ c) * 1099511628211ull;
  return hash;
}

/// MurmurHash3's finaliser: FNV alone leaves the high bits of short names alike.
std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdull;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ull;
  return x ^ (x >> 33);
}

std::uint64_t rank(group_id group, const node_id& node) {
  auto hash = fnv_offset ^ mixed(value(group) + 1);
  for (auto byte : node.raw())
    hash = (hash ^ byte) * 1099511628211ull;
  return mixed(hash);
}

} // namespace

group_id group_of(const resource_name& name) {
  // No name holds a zero byte, so that ("a", "bc") and ("ab", "c") differ.
  constexpr auto zero = std::string_view{"\0", 1};
  auto hash = add(add(add(fnv_offset, name.kind()), zero), name.namespace_());
  hash = add(add(hash, zero), name.name());
  return group_id{static_cast<std::uint32_t>(mixed(hash) % groups_per_zone)};
}

bool ranks_before(group_id group, const node_id& a, const node_id& b) {
  return std::pair{rank(group, b), b} < std::pair{rank(group, a), a};
}

std::vector<node_id> keepers_of(group_id group, const std::vector<candidate_keeper>& members) {
  auto bit = std::uint64_t{1} << (value(group) % groups_per_zone);
  std::vector<candidate_keeper> found;
  auto claimed = std::any_of(members.begin(), members.end(),
                             [&](const auto& x) { return (x.keeps & bit) != 0; });
  for (const auto& x : members)
    if (claimed ? (x.keeps & bit) != 0 : x.alive)
      found.push_back(x);
  std::sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
    return a.alive != b.alive ? a.alive : ranks_before(group, a.id, b.id);
  });
  std::vector<node_id> result;
  for (const auto& x : found)
    result.push_back(x.id);
  return result;
}

} // namespace legion::group
