#pragma once

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/message_types.hpp"
#include "actors/node_context.hpp"

namespace legion {

/// The batch is on disk and synced.
struct written {};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::written)

namespace legion {

/// The journal's one door: a batch is atomic, and on disk when it is answered. Fails with
/// `disk_full` or `overloaded`.
using store_handle = caf::typed_actor<caf::replies_to<record_batch>::with<written>>;

store_handle spawn_store(caf::actor_system& system, const context_ptr& context);

} // namespace legion
