#pragma once

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/message_types.hpp"
#include "actors/node_context.hpp"

namespace legion {

/// The batch is on disk and synced.
struct written {};

/// Tells whoever asks how the journal is: now, and when it changes. One subscriber; a later one
/// replaces the earlier.
struct subscribe_health {
  caf::strong_actor_ptr who; // hears `store::health`
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::written)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::subscribe_health)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::store::health)

namespace legion {

/// The journal's one door: a batch is atomic, and on disk when it is answered. Fails with
/// `disk_full` or `overloaded`.
using store_handle = caf::typed_actor<caf::replies_to<record_batch>::with<written>,
                                      caf::reacts_to<subscribe_health>>;

store_handle spawn_store(caf::actor_system& system, const context_ptr& context);

} // namespace legion
