#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages/api.pb.h"
#include "messages/ids.hpp"
#include "messages/keeping.pb.h"

namespace legion::group {

/// What a living node has of a group whose quorum is lost.
struct remains {
  node_id node;
  group_standing standing; // of its member; `member` false: it has no log of it
  group_holding holding;   // its promises
};

/// Which node raises a group anew, and as which incarnation.
struct raising {
  node_id node;
  std::uint64_t incarnation = 0; // higher than any that was seen
  std::uint64_t above = 0;       // the highest index that was seen
  bool from_log = false;
  std::uint32_t promises = 0;
  std::uint32_t resources = 0; // at least so many
  std::vector<node_id> voters; // as the log that is used has them
  std::size_t there = 0;       // of the voters: with a log that may vote

  /// Then it is to be waited for, not raised.
  bool has_quorum() const { return there * 2 > voters.size(); }
};

/// Of the logs that are left the one that was longest by the rules of elections (Raft, 3.6.1): each
/// entry that a quorum had is in the longest of a quorum's logs, and the longest of what is left of
/// one lacks the least. A log that was found short is used where there is no other. Without any log
/// the node that ranks first for the group; it begins with promises only.
///
/// Shape:  `random` decides the lower bits of the incarnation, so that two who raise the group at
///         once do not raise the same.
/// Errors: nothing, when no node is left, or the group was raised 4095 times.
std::optional<raising> choose_raising(group_id group, const std::vector<remains>& left,
                                      std::uint64_t random);

} // namespace legion::group
