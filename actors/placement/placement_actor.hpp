#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/message_types.hpp"
#include "actors/node_context.hpp"
#include "actors/placement/round.hpp"

namespace legion {

/// A round of placement is decided.
struct round_ended {
  placement::outcome what;
};

/// A node answered a decided round.
struct answered_late {
  placement::note_late what;
};

/// The round's own timer.
struct placement_tick {};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::round_ended)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::answered_late)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::placement_tick)

namespace legion {

using placement_handle = caf::typed_actor<caf::reacts_to<placement_tick>>;
using round_listener = caf::typed_actor<caf::reacts_to<round_ended>, caf::reacts_to<answered_late>>;

/// One round: asks, decides within 3 s, tells `listener` once; what comes too late is released and
/// told as late; then it ends.
placement_handle spawn_placement(caf::actor_system& system, const context_ptr& context,
                                 std::string path, call what,
                                 std::vector<placement::volunteer> among, std::uint64_t seed,
                                 round_listener listener);

} // namespace legion
