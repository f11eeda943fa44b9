#pragma once

#include <vector>

#include <caf/actor_system.hpp>
#include <caf/typed_actor.hpp>

#include "actors/charter/charter_actor.hpp"
#include "actors/consensus/beats_actor.hpp"
#include "actors/consensus/journal_copy.hpp"
#include "actors/membership/membership_actor.hpp"
#include "actors/message_types.hpp"
#include "actors/node/node_actor.hpp"
#include "actors/node_context.hpp"
#include "actors/store/store_actor.hpp"

namespace legion {

/// One keeper group on this node: its consensus member, its resources' state, and while it leads,
/// the keepers of its resources.
using group_handle = caf::typed_actor<caf::replies_to<group_request>::with<group_reply>, //
                                      caf::replies_to<report>::with<report_reply>,       //
                                      caf::replies_to<lease_ask>::with<lease_answer>,    //
                                      caf::reacts_to<member_change>,                     //
                                      caf::reacts_to<store::health>,                     //
                                      caf::reacts_to<stand_back>,                        //
                                      caf::reacts_to<journal_trusted>,                   //
                                      caf::reacts_to<roster_known>,                      //
                                      caf::reacts_to<group_mail>,                        //
                                      caf::reacts_to<peer_beat>,                         //
                                      caf::reacts_to<peer_silent>,                       //
                                      caf::reacts_to<peer_refused>>;

/// Whom a group works with; all of them outlive it.
struct group_partners {
  store_handle store;
  membership_handle membership;
  beats_handle beats;
  node_handle node;
  charter_handle charter; // null: the group's members may be any of the zone
};

/// Owned by the node actor, which may start another one from `journal` when it fails: the records
/// whose keys begin with "group/<g>/". One without records waits to be admitted by the group's
/// leader. It subscribes to membership by itself, and tells the node by `group_claimed` whether it
/// is in the group.
group_handle spawn_group(caf::actor_system& system, const context_ptr& context, group_id group,
                         consensus::journal_copy_ptr journal, const group_partners& partners);

} // namespace legion
