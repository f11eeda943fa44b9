#pragma once

#include <cstdint>
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

/// Whether `a` comes before `b` in the order in which nodes are to keep this group.
/// Source: Thaler and Ravishankar 1998, rendezvous hashing.
bool ranks_before(group_id group, const node_id& a, const node_id& b);

/// The nodes that say to keep a group: the living first, each part by rank. While nobody does (the
/// zone has only just been founded, or this node knows little of it): all the living.
std::vector<node_id> keepers_of(group_id group, const std::vector<candidate_keeper>& members);

} // namespace legion::group
