#pragma once

#include <caf/actor_system.hpp>
#include <caf/typed_actor.hpp>

#include "actors/membership/membership_actor.hpp"
#include "actors/message_types.hpp"
#include "actors/node_context.hpp"

namespace legion {

/// The cluster's id became known, by founding it or by a join that was accepted.
struct cluster_known {
  std::string cluster; // 16 bytes
};

/// Makes a contact known before it is a member: how a join reaches it.
struct introduce_contact {
  transport::peer who;
};

/// Messages that this node knows to be lost, per peer and reason.
struct loss_count {
  node_id peer;
  failure reason = failure_none;
  std::uint64_t messages = 0;
};
struct list_losses {};
struct losses {
  std::vector<loss_count> counts;
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::cluster_known)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::introduce_contact)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::list_losses)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::losses)

namespace legion {

/// Owns the transport; learns from membership who may be reached where and who is dead.
using bridge_handle = caf::typed_actor<caf::reacts_to<member_change>,     //
                                       caf::reacts_to<cluster_known>,     //
                                       caf::reacts_to<introduce_contact>, //
                                       caf::replies_to<list_losses>::with<losses>>;

/// The bridge and its directory. `context.directory` must be the result's before other actors are
/// spawned.
struct spawned_bridge {
  bridge_handle handle;
  std::shared_ptr<legion::directory> directory;
};

/// Starts the transport; fails as its factory does. Frames that arrive before the cluster is known
/// carry joins only.
result<spawned_bridge> spawn_bridge(caf::actor_system& system, const node_context& context,
                                    std::shared_ptr<legion::census> census);

} // namespace legion
