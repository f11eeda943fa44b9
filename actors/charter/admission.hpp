#pragma once

#include <map>
#include <set>
#include <string>
#include <variant>

#include "actors/charter/roster.hpp"
#include "messages/membership.pb.h"
#include "messages/time.hpp"

namespace legion::charter {

/// A node as the failure detector has it.
struct seen {
  std::string name;
  member_state state = member_alive;
  time_point since;   // of this state
  bool keeps = false; // a keeper group
  bool full = false;  // its disk: it can neither vote nor be elected
};
using zone_view = std::map<node_id, seen>;

/// It is on the roster just so.
struct on_it {};
/// Nothing is wrong with this zone but its being full, or with that node but its name or key.
struct not_admitted {
  std::string why;
};

/// What the charter's leader does about a node that wants to be on the roster: an entry's part,
/// which may remove a node that is dead or gone, to make room or to free its name.
///
/// Shape:  a node that left, or that the zone has forgotten, makes room at once; a dead one after 10
///         minutes, unless it keeps a group. Else 128 nodes are the limit.
using judgement = std::variant<on_it, not_admitted, charter_entry>;
judgement judge(const roster& now_is, const roster_node& who, const zone_view& zone,
                const std::string& zone_name, time_point now);

/// The name that people know it by, else the first digits of its id.
std::string name_of(const roster& now_is, const zone_view& zone, const node_id& who);

/// Most of the voters can vote, as far as is known here. `lost`: those who are up, but without the
/// journal with which they voted.
bool may_elect(const std::vector<node_id>& voters, const std::set<node_id>& lost,
               const zone_view& zone);

/// Why nobody decides about the roster now, in a sentence that names the voters and who of them is
/// down. `lost` as above.
std::string no_quorum(const roster* now_is, const std::vector<node_id>& voters,
                      const std::set<node_id>& lost, const zone_view& zone,
                      const std::string& zone_name);

} // namespace legion::charter
