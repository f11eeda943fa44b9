#pragma once

#include <cstdint>
#include <string>

#include "actors/membership/membership_actor.hpp"

// Membership as a test says that it is.

namespace legion {

inline void add_member(members_known& to, const node_id& id, const std::string& name,
                       std::uint64_t keeps = 0, member_state state = member_alive) {
  member who;
  who.set_id(id.bytes());
  who.set_name(name);
  who.set_start(1);
  who.set_keeps(keeps);
  member_change change;
  change.who = std::move(who);
  change.state = state;
  to.members.push_back(std::move(change));
}

/// `known()` is asked each time; nobody is told of changes.
template <class Known>
membership_handle::behavior_type membership_that_knows(Known known) {
  return {
      [](const swim_packet&) {},
      [](const join_request&) { return join_reply{}; },
      [](const member_list& x) { return x; },
      [known](const list_members&) { return known(); },
      [](await_trust) { return journal_trusted{}; },
      [](const subscribe_members&) {},
      [known](const follow_members&) { return known(); },
      [](const unfollow_members&) {},
      [](const describe_self&) {},
      [](const connection_hint&) {},
      [](const peer_heard&) {},
      [](const admit_through&) {},
      [](const leave_zone&) {},
  };
}

} // namespace legion
