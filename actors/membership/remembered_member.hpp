#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages/ids.hpp"
#include "messages/time.hpp"

namespace legion {

/// A member as this node knew it when it ran last.
struct remembered_member {
  node_id id;
  start_number start{};
  std::uint32_t life = 0;
  std::optional<time_point> died;
  std::string journal;    // 16 bytes; empty: nothing was heard of it
  std::uint64_t rows = 0; // that it had
  start_number rows_start{};
};

/// When a member of which nobody tells died: as is remembered, else when `began` was.
inline auto died_by(const std::vector<remembered_member>& known, time_point began) {
  return [&known, began](const node_id& x) {
    for (const auto& y : known)
      if (y.id == x && y.died)
        return *y.died;
    return began;
  };
}

} // namespace legion
