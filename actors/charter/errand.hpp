#pragma once

#include <optional>
#include <set>
#include <vector>

#include "messages/charter.pb.h"
#include "messages/ids.hpp"

namespace legion::charter {

/// Whom of the charter's voters a node asks, one after another, until one answers for the charter.
///
/// Shape:  each voter is asked at most once; a voter that names the leader sends there next.
class errand {
public:
  /// `voters`: the likeliest first.
  explicit errand(std::vector<node_id> voters) : voters_(std::move(voters)) {}

  /// Nothing: all were asked.
  std::optional<node_id> next();
  /// True: this is the answer. Else ask the next.
  bool on(const charter_reply& x);

private:
  std::vector<node_id> voters_;
  std::optional<node_id> named_;
  std::set<node_id> asked_;
};

} // namespace legion::charter
