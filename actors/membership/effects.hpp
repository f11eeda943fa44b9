#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "actors/membership/shared_member.hpp"
#include "messages/ids.hpp"
#include "messages/membership.pb.h"
#include "messages/time.hpp"

namespace legion::membership {

struct send_packet {
  node_id to;
  swim_packet what;
};

/// Ask a member to compare lists; its answer goes to `swim::on_list`.
struct ask_list {
  node_id to;
  member_list what;
};

/// Ask the contact of this index for admission; the answer goes to `swim::on_join_reply`.
struct ask_join {
  std::size_t contact = 0;
  join_request what;
};

/// Tell the subscribers.
struct tell_change {
  shared_member who;
  member_state state = member_alive;
  time_point since; // of this state
};

/// The cluster's id is known from now on.
struct know_cluster {
  std::string cluster;
};

/// This journal is an old copy: the zone has seen the end of another life of the same start.
struct tell_outdated {
  std::string why;
};

/// From now on this node may take part in what its groups decide. Said once.
struct trust_journal {};

/// For people: a member refused to let this node in, or something is badly wrong.
struct note {
  bool grave = false; // a human must act
  std::string event;
  std::string detail;
};

using effect = std::variant<send_packet, ask_list, ask_join, tell_change, know_cluster,
                            tell_outdated, trust_journal, note>;
using effects = std::vector<effect>;

} // namespace legion::membership
