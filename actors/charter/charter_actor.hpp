#pragma once

#include <string>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/charter/roster.hpp"
#include "actors/consensus/beats_actor.hpp"
#include "actors/membership/membership_actor.hpp"
#include "actors/message_types.hpp"
#include "actors/node_context.hpp"
#include "actors/store/store_actor.hpp"

namespace legion {

/// The roster that this node knows has changed, or its own part in the charter.
struct roster_known {
  charter::roster_ptr roster; // null: it knows none yet
  std::string standing;       // "leader", "voter", "learner" or "follower"; empty: no charter
};

/// Tells `who` of the roster: now, and when it changes. `who` must accept `roster_known`.
struct subscribe_roster {
  caf::strong_actor_ptr who;
};

/// What a group's leader knows of its members: a hint for the charter.
struct group_members_are {
  group_hint hint;
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::roster_known)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::subscribe_roster)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::group_members_are)

namespace legion {

/// Path "charter": the zone's roster on this node, and its place in the charter if it has one. Any
/// node answers: what it cannot do itself it passes on to the charter's leader. A `roster_state` is
/// answered with what is known then. A `group_request` to leave is answered by the leader; who is
/// told to `stand_back` answers its sender with `group_let_go`.
using charter_handle = caf::typed_actor<caf::replies_to<charter_request>::with<charter_reply>, //
                                        caf::replies_to<group_request>::with<group_reply>,     //
                                        caf::replies_to<roster_ask>::with<roster_state>,       //
                                        caf::replies_to<roster_state>::with<roster_ask>,       //
                                        caf::reacts_to<subscribe_roster>,                      //
                                        caf::reacts_to<group_members_are>,                     //
                                        caf::reacts_to<member_change>,                         //
                                        caf::reacts_to<store::health>,                         //
                                        caf::reacts_to<stand_back>,                            //
                                        caf::reacts_to<group_mail>,                            //
                                        caf::reacts_to<peer_beat>,                             //
                                        caf::reacts_to<peer_silent>,                           //
                                        caf::reacts_to<peer_refused>>;

/// Whom the charter actor works with; all of them outlive it.
struct charter_partners {
  store_handle store;
  membership_handle membership;
  beats_handle beats;
};

/// `replayed`: the whole journal, of which it reads its own records, "charter/..." and "roster".
/// `founds`: without any, it begins the charter with this node as its only voter.
charter_handle spawn_charter(caf::actor_system& system, const context_ptr& context,
                             const charter_partners& partners, const std::vector<record>& replayed,
                             bool founds);

} // namespace legion
