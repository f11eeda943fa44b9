#pragma once

#include <cstdint>

#include "actors/consensus/member.hpp"

namespace legion::consensus {

/// What a member says of itself, of its term. There is at most one leader in a term, so `follows`
/// needs no name.
enum class standing : std::uint8_t {
  gone = 0,  // not in this group any more, or not up
  alone = 1, // knows no leader
  follows = 2,
  leads = 3,
};

struct beat_item {
  term_number term = 0;
  consensus::standing standing = standing::gone;

  friend bool operator==(const beat_item&, const beat_item&) = default;
};

} // namespace legion::consensus
