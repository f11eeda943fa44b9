#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "messages/ids.hpp"

namespace legion::group {

/// A member as the choice of keepers sees it.
struct candidate_keeper {
  node_id id;
  bool alive = false;      // suspected members count as alive, dead ones do not
  std::uint64_t keeps = 0; // bit g: it says that it keeps group g
};

/// The group whose log claims this name: a hash of kind, namespace and name, the same on every
/// node, for good.
group_id group_of(const resource_name& name);

/// The node that keeps a group: who says that it does, dead or alive (of several the one that ranks
/// highest); else the highest of the living by rendezvous hashing; nothing if there is nobody.
/// Source: Thaler and Ravishankar 1998, rendezvous hashing. Differs: a group that holds resources
///         stays where it is.
std::optional<node_id> keeper_of(group_id group, const std::vector<candidate_keeper>& members);

/// Whether a node may claim a name for a group that it knows nobody to keep: not before it has
/// heard of its zone, if it has one (`contacts`), for somebody there may keep the group.
bool may_claim(std::size_t contacts, std::size_t members_known);

} // namespace legion::group
