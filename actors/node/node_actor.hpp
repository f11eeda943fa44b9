#pragma once

#include <string>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/bridge/bridge_actor.hpp"
#include "actors/charter/charter_actor.hpp"
#include "actors/consensus/beats_actor.hpp"
#include "actors/membership/membership_actor.hpp"
#include "actors/message_types.hpp"
#include "actors/node_context.hpp"
#include "actors/runtime/runtime_actor.hpp"
#include "actors/store/store_actor.hpp"

namespace legion {

/// Ends every workload with its grace period, withdraws the promises, hands over what this node
/// keeps, as far as anybody is there, then answers: `legion-node --drain`.
struct drain {};
struct drained {
  std::string note; // what could not be handed over, for a person; empty: nothing
};

/// Whether this node is in a group: the member record must say so.
struct group_claimed {
  group_id group{};
  bool keeps = true;
};

/// What came of that: the group goes on without this node, or nobody was there to take its place.
struct group_let_go {
  group_id group{};
  bool stuck = false;
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::group_let_go)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::drain)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::drained)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::group_claimed)

namespace legion {

/// Path "node": the node as others address it. It answers calls for itself, and passes what is for
/// a keeper group on to the group, which it spawns on first use.
using node_handle = caf::typed_actor<caf::replies_to<call>::with<call_reply>,           //
                                     caf::replies_to<accept>::with<accept_reply>,       //
                                     caf::replies_to<release>::with<release_reply>,     //
                                     caf::replies_to<report>::with<report_reply>,       //
                                     caf::replies_to<lease_ask>::with<lease_answer>,    //
                                     caf::replies_to<group_request>::with<group_reply>, //
                                     caf::replies_to<node_request>::with<node_view>,    //
                                     caf::replies_to<logs_request>::with<log_lines>,    //
                                     caf::reacts_to<member_change>,                     //
                                     caf::reacts_to<group_claimed>,                     //
                                     caf::reacts_to<group_let_go>,                      //
                                     caf::reacts_to<roster_known>,                      //
                                     caf::reacts_to<group_mail>,                        //
                                     caf::replies_to<drain>::with<drained>>;

/// Whom the node actor works with; all of them outlive it.
struct node_partners {
  store_handle store;
  membership_handle membership;
  runtime_handle runtime;
  beats_handle beats;
  charter_handle charter;
};

/// Rebuilds its promises from `replayed`, the whole journal, adopts what runs, and spawns the
/// groups that have records; the founder of a cluster founds them all.
node_handle spawn_node(caf::actor_system& system, const context_ptr& context,
                       const node_partners& partners, std::vector<record> replayed);

} // namespace legion
