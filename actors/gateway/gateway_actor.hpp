#pragma once

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/charter/charter_actor.hpp"
#include "actors/membership/membership_actor.hpp"
#include "actors/message_types.hpp"
#include "actors/node_context.hpp"

namespace legion {

struct api_arrived {
  std::uint64_t request = 0;
  std::string frame;
};
struct api_cancelled {
  std::uint64_t request = 0;
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::api_arrived)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::api_cancelled)

namespace legion {

/// Takes users' requests on any node and asks whoever has the answer, through "node" of every
/// member, and through this node's own "charter". `replies_to<api_request>` serves programs that are
/// not behind a socket (the simulator): its stream is cut to one reply.
using gateway_handle = caf::typed_actor<caf::reacts_to<api_arrived>,                   //
                                        caf::reacts_to<api_cancelled>,                 //
                                        caf::replies_to<api_request>::with<api_reply>, //
                                        caf::reacts_to<member_change>,                 //
                                        caf::reacts_to<roster_known>>;

/// Opens the API's socket if the context has one.
result<gateway_handle> spawn_gateway(caf::actor_system& system, const context_ptr& context,
                                     const membership_handle& membership);

} // namespace legion
