#pragma once

#include <vector>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/membership/shared_member.hpp"
#include "actors/message_types.hpp"
#include "actors/node_context.hpp"
#include "messages/time.hpp"

namespace legion {

/// A member's record or state changed; the first ones after `subscribe` tell what is.
struct member_change {
  shared_member who;
  member_state state = member_alive;
  time_point since; // when that became known here
};

/// Tells `who` of every change from now on, after all that is known now. `who` must accept
/// `member_change`.
struct subscribe_members {
  caf::strong_actor_ptr who;
};

/// Asks for all that is known, dead members included.
struct list_members {};

/// As `subscribe_members`, but what is known now is the answer.
struct follow_members {
  caf::strong_actor_ptr who;
};
/// Tells `who` nothing more.
struct unfollow_members {
  caf::strong_actor_ptr who;
};

struct members_known {
  std::string cluster;                // 16 bytes; empty before a join
  std::string join_trouble;           // what came of the last try to join, for people
  bool join_refused = false;          // for good, as far as that contact is concerned
  bool joining = false;               // nobody has answered yet that this node is a member
  std::vector<member_change> members; // sorted by node id; with this node itself
};

/// Changes what this node says of itself: the record's version rises, and the news spreads.
struct describe_self {
  member record; // id, start, version, endpoint and key are kept as they are
};

/// The transport saw a connection close or open: a hint that makes a probe come at once.
struct connection_hint {
  node_id peer;
  bool up = false;
};

/// Answered as soon as this node's journal is not taken for an old copy any more.
struct await_trust {};
struct journal_trusted {};

/// This peer was heard of by other means, just now: it need not be probed.
struct peer_heard {
  node_id peer;
};

/// From now on a node that joins is accepted only when the charter has admitted it.
struct admit_through {
  caf::strong_actor_ptr charter; // accepts `charter_request`
};

/// This node leaves the zone for good, or until it starts again: `node remove`.
struct leave_zone {};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::member_change)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::subscribe_members)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::list_members)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::follow_members)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::unfollow_members)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::members_known)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::describe_self)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::await_trust)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::journal_trusted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::connection_hint)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::peer_heard)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::admit_through)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::leave_zone)

namespace legion {

/// Path "membership". The first three messages come from other nodes.
using membership_handle = caf::typed_actor<caf::reacts_to<swim_packet>,                          //
                                           caf::replies_to<join_request>::with<join_reply>,      //
                                           caf::replies_to<member_list>::with<member_list>,      //
                                           caf::replies_to<list_members>::with<members_known>,   //
                                           caf::replies_to<await_trust>::with<journal_trusted>,  //
                                           caf::reacts_to<subscribe_members>,                    //
                                           caf::replies_to<follow_members>::with<members_known>, //
                                           caf::reacts_to<unfollow_members>,                     //
                                           caf::reacts_to<describe_self>,                        //
                                           caf::reacts_to<connection_hint>,                      //
                                           caf::reacts_to<peer_heard>,                           //
                                           caf::reacts_to<admit_through>,                        //
                                           caf::reacts_to<leave_zone>>;

/// Joins through `context.join`, or founds a cluster, and keeps the zone's member list. Who asks it
/// to join is a member at once, or, after `admit_through`, once the charter says so. Owned by
/// the node's wiring. Tells the bridge, found under this node's own path "bridge", of contacts and
/// of the cluster; the bridge learns of members as any subscriber does.
membership_handle spawn_membership(caf::actor_system& system, const context_ptr& context);

} // namespace legion
