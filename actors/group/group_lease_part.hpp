#pragma once

#include <functional>
#include <map>
#include <utility>

#include <caf/typed_response_promise.hpp>

#include "actors/keeper/lease.hpp"
#include "messages/negotiation.pb.h"

/// The group's part in leases; the group actor's files only include this.

namespace legion {

using lease_reply = caf::typed_response_promise<lease_answer>;

/// Nodes that asked, and the round of the quorum that is to confirm that the group is led here.
struct group_leases {
  keeper::lease_desk desk;
  std::map<node_id, std::pair<std::uint64_t, lease_reply>> asked; // the newest sequence of each
  std::uint64_t round = 0;
  bool under_way = false;
  std::map<std::uint64_t, std::function<void(bool)>> confirming; // by read
};

} // namespace legion
