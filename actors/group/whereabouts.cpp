#include "actors/group/whereabouts.hpp"

#include <string_view>

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

std::optional<node_id> keeper_of(group_id group, const std::vector<candidate_keeper>& members) {
  auto bit = std::uint64_t{1} << (value(group) % groups_per_zone);
  std::optional<node_id> best;
  auto best_claims = false;
  std::uint64_t best_rank = 0;
  for (const auto& x : members) {
    auto claims = (x.keeps & bit) != 0;
    if ((!claims && !x.alive) || (best_claims && !claims))
      continue;
    auto its_rank = rank(group, x.id);
    auto wins = !best || claims != best_claims || its_rank > best_rank
                || (its_rank == best_rank && x.id > *best);
    if (!wins)
      continue;
    best = x.id;
    best_claims = claims;
    best_rank = its_rank;
  }
  return best;
}

bool may_claim(std::size_t contacts, std::size_t members_known) {
  return contacts == 0 || members_known > 1; // the first is the node itself
}

} // namespace legion::group
