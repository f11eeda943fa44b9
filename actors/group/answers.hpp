#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "actors/consensus/lean_queue.hpp"
#include "messages/keeping.pb.h"
#include "messages/time.hpp"

namespace legion::group {

/// What requests were answered, by their ids, so that a retry is applied once.
///
/// Shape: encoded, as a snapshot holds them: a busy group keeps thousands, and takes its snapshots
///        of all of them. The last 256, and up to 16384 of the last two minutes, longer than anybody
///        tries again.
class answers {
public:
  /// Without effect when the id is known.
  void remember(const remembered_request& x);
  std::optional<remembered_request> find(const std::string& request_id) const;
  bool contains(const std::string& request_id) const { return by_id_.contains(request_id); }

  /// Behind a `group_state` that is encoded already: its requests, oldest first.
  void append_to(std::string& encoded_state) const;

private:
  struct kept {
    std::string encoded; // a remembered_request
    wall_ms time = 0;
  };

  std::map<std::string, kept> by_id_;
  consensus::lean_queue<std::string> ids_; // oldest first
};

} // namespace legion::group
