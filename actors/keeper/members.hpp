#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "messages/ids.hpp"
#include "messages/membership.pb.h"

namespace legion::keeper {

struct known_member {
  std::string name;
  std::uint64_t start = 0;
  member_state state = member_alive;
};

/// The zone as a group and all its keepers see it: one table, shared, never changed.
using member_table = std::map<node_id, known_member>;
using member_table_ptr = std::shared_ptr<const member_table>;

inline bool is_gone(const known_member& x) {
  return x.state == member_dead || x.state == member_left;
}

} // namespace legion::keeper
