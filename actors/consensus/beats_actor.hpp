#pragma once

#include <vector>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/consensus/beat_item.hpp"
#include "actors/consensus/message.hpp"
#include "actors/message_types.hpp"
#include "actors/node_context.hpp"

namespace legion {

/// What other members of one group have said to this node's member.
struct group_mail {
  group_id group{};
  std::vector<consensus::message> messages;
};
/// What a peer is in the group has changed.
struct peer_beat {
  consensus::member_id from;
  consensus::beat_item what;
};
/// No beat of this node has come since then.
struct peer_silent {
  node_id node;
  time_point since;
};
/// It is dead for certain: it refused to be connected to, or starts anew.
struct peer_refused {
  node_id node;
};

/// The transport lost a peer; `refused`: nobody listens there.
struct peer_lost {
  node_id node;
  bool refused = false;
};

/// The node is about to leave: its groups should be led by others.
struct stand_back {
  bool back = true;
};

struct beats_tick {
  std::uint64_t generation = 0;
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::group_mail)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::peer_beat)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::peer_silent)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::peer_refused)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::peer_lost)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::stand_back)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::beats_tick)

namespace legion {

/// A group's consensus member, as the beats see it.
using consensus_member_handle =
    caf::typed_actor<caf::reacts_to<group_mail>, caf::reacts_to<peer_beat>,
                     caf::reacts_to<peer_silent>, caf::reacts_to<peer_refused>>;

/// What this node's member is in its group now, and which nodes share the group.
struct group_stands {
  group_id group{};
  consensus::beat_item item;
  std::vector<node_id> members;
  consensus_member_handle who;
};
/// This node is not in that group any more.
struct group_forgotten {
  group_id group{};
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::group_stands)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::group_forgotten)

namespace legion {

/// Path "consensus": the node's heart, and the door for its groups' mail. One beat goes to each
/// peer for all groups; mail for a group that has no actor here yet goes to the node actor.
using beats_handle = caf::typed_actor<caf::reacts_to<consensus_batch>, //
                                      caf::reacts_to<consensus_beat>,  //
                                      caf::reacts_to<group_stands>,    //
                                      caf::reacts_to<group_forgotten>, //
                                      caf::reacts_to<peer_lost>,       //
                                      caf::reacts_to<beats_tick>>;

/// Units: a beat to each peer every 500 ms, silence after 1.5 s; groups take both from here. A node
///        that dies is not waited for: its connections are refused.
inline constexpr milliseconds beat_interval{500};
inline constexpr milliseconds election_timeout{1500};

beats_handle spawn_beats(caf::actor_system& system, const context_ptr& context);

} // namespace legion
