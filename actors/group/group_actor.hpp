#pragma once

#include <vector>

#include <caf/actor_system.hpp>
#include <caf/typed_actor.hpp>

#include "actors/group/journal_copy.hpp"
#include "actors/membership/membership_actor.hpp"
#include "actors/message_types.hpp"
#include "actors/node/node_actor.hpp"
#include "actors/node_context.hpp"
#include "actors/store/store_actor.hpp"

namespace legion {

/// One keeper group on this node: its log, its resources' state, and the keepers of the resources
/// it leads.
using group_handle = caf::typed_actor<caf::replies_to<group_request>::with<group_reply>, //
                                      caf::replies_to<report>::with<report_reply>,       //
                                      caf::reacts_to<member_change>>;

/// Owned by the node actor, which may start another one from `journal` when it fails: the records
/// whose keys begin with "group/<g>/". It subscribes to membership by itself, and tells the node by
/// `group_claimed` once it holds a resource, and once it has held none for 30 s.
group_handle spawn_group(caf::actor_system& system, const context_ptr& context, group_id group,
                         group::journal_copy_ptr journal, const store_handle& store,
                         const membership_handle& membership, const node_handle& node);

} // namespace legion
