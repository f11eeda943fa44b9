#pragma once

#include <cstdint>

namespace legion {

/// Rules of keepers and nodes that the proof breaks, one at a time, to see that it notices.
/// Consensus has its own: `consensus::rule`.
enum class broken_rule : std::uint8_t {
  none = 0,
  silence_is_no_answer, // a slot is called anew after regret, release or death only
  highest_order_holds,  // an order below the highest that was seen is refused
  requests_count_once,  // a request that was applied before is answered as it was then
  contacts_are_sought,  // after a join, contacts of which nobody tells are asked on
};

} // namespace legion
