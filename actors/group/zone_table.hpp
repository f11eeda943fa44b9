#pragma once

#include <functional>
#include <vector>

#include "actors/charter/roster.hpp"
#include "actors/group/member_plan.hpp"
#include "actors/keeper/members.hpp"
#include "actors/membership/shared_member.hpp"

namespace legion::group {

/// Since when a node counts as dead that nobody tells of.
using unheard_since = std::function<time_point(const node_id&)>;

/// The zone as a group's leader sees it.
///
/// Shape:  a row a node, sorted by id; at most what membership knows, 128 and a few dead. The
///         records are membership's own.
class zone_table {
public:
  struct row {
    shared_member who;
    time_point since; // of this state
    member_state state = member_alive;
    bool claims = false; // it says that it is in the group

    node_id id() const { return node_id::from_bytes(who.id()); }
    resident seen() const;
  };

  /// What a change of a member means to a group.
  struct news {
    bool known_before = false;
    bool other_start = false; // than was known before
    bool claims = false;      // whether it says that it is in the group has changed
    bool matters = false;     // its name, start or state have
  };

  /// `since`: of the state, unless it and the journal are as they were.
  news put(group_id group, const shared_member& who, member_state state, time_point since);

  const row* find(const node_id& x) const;
  const std::vector<row>& rows() const { return rows_; }
  bool empty() const { return rows_.empty(); }

  /// As the choice of members wants it; null: nobody is known to be on the roster or not. Who is on
  /// the roster, but was not heard of, is as good as dead.
  std::vector<resident> residents(const charter::roster* roster, const unheard_since& since) const;
  /// As keepers want it.
  keeper::member_table for_keepers() const;

private:
  std::vector<row> rows_;
};

/// Who of the zone is on the roster; and those of it who are not known are dead.
void compare_with(std::vector<resident>& zone, const charter::roster& roster,
                  const unheard_since& since);

} // namespace legion::group
