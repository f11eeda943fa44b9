#pragma once

#include <utility>

#include <caf/actor_clock.hpp>
#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/message_types.hpp"
#include "actors/node_context.hpp"
#include "messages/time.hpp"

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

/// Asks for a write, and forgets the timeout with the answer. CAF keeps a request's timeout until it
/// is due: of a minute each, a node that writes a thousand batches a second would have 60,000, and
/// each wakes somebody in the end.
template <class Self, class Done, class Failed>
void write(Self* self, const store_handle& store, time_point::duration within, record_batch batch,
           Done done, Failed failed) {
  auto asked = self->request(store, within, std::move(batch));
  auto answered = [self, id = asked.id()] { self->clock().cancel_request_timeout(self, id); };
  asked.then(
      [answered, done = std::move(done)](written x) mutable {
        answered();
        done(x);
      },
      [answered, failed = std::move(failed)](const caf::error& why) mutable {
        answered();
        failed(why);
      });
}

store_handle spawn_store(caf::actor_system& system, const context_ptr& context);

} // namespace legion
