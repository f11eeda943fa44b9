#pragma once

#include <string>
#include <vector>

namespace legion::group {

/// A voter of a group, as another one sees it that knows no leader.
struct elector {
  std::string name;
  bool down = false;
  bool lost = false; // up, but with another journal than it voted with: it cannot vote
};

/// Why they elect nobody: with enough of them it is a matter of a moment; else it names who cannot
/// vote, and the cure if journals are lost.
std::string why_no_leader(const std::vector<elector>& voters);

/// Most of them can vote.
bool can_elect(const std::vector<elector>& voters);

} // namespace legion::group
