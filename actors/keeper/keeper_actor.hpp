#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/group/state.hpp"
#include "actors/keeper/members.hpp"
#include "actors/message_types.hpp"
#include "actors/node_context.hpp"
#include "actors/placement/placement_actor.hpp"

namespace legion {

/// What a keeper wants committed; answered once it is, fails with `disk_full` or `overloaded`.
struct propose_entries {
  std::vector<group_entry> entries;
};
struct entries_proposed {};

/// Entries about the keeper's resource, whoever proposed them, in their order.
struct entries_committed {
  std::vector<group_entry> entries;
};

/// The zone's members changed.
struct zone_is {
  keeper::member_table_ptr members;
};

struct read_view {
  bool events = false;
};
struct keeper_view {
  resource_view what;
};
struct explain_slot {
  std::string pod;
};
struct keeper_explanation {
  std::optional<explanation> what;
};

/// A node asked for leases, and a quorum confirmed since that the group is led here.
struct renew_slots {
  node_id from;
  std::vector<std::string> uids;
};
struct slots_renewed {
  std::vector<std::string> uids;
};

/// The keeper's own timer.
struct keeper_tick {
  std::uint64_t generation = 0;
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::propose_entries)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::entries_proposed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::entries_committed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::zone_is)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::read_view)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::keeper_view)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::explain_slot)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::keeper_explanation)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::renew_slots)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::slots_renewed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::keeper_tick)

namespace legion {

/// Where keepers commit: their group.
using commit_handle = caf::typed_actor<caf::replies_to<propose_entries>::with<entries_proposed>>;

/// Keeps one resource, on the node that leads its group.
using keeper_handle = caf::typed_actor<caf::reacts_to<entries_committed>,                       //
                                       caf::reacts_to<zone_is>,                                 //
                                       caf::reacts_to<report>,                                  //
                                       caf::reacts_to<round_ended>,                             //
                                       caf::reacts_to<answered_late>,                           //
                                       caf::replies_to<read_view>::with<keeper_view>,           //
                                       caf::replies_to<explain_slot>::with<keeper_explanation>, //
                                       caf::replies_to<renew_slots>::with<slots_renewed>,       //
                                       caf::reacts_to<keeper_tick>>;

/// Owned by its group, which ends it when nothing is left of the resource, or when this node leads
/// no more. `term` is the leader's; `index` counts on in it, so that the same node seed never gives
/// the same names twice. What is exclusive is not called before `exclusive_from`.
keeper_handle spawn_keeper(caf::actor_system& system, const context_ptr& context, group_id group,
                           group::resource_state kept, std::uint64_t term, std::uint64_t index,
                           keeper::member_table_ptr members, const commit_handle& log,
                           time_point exclusive_from);

} // namespace legion
