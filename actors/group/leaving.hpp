#pragma once

#include <optional>
#include <vector>

#include "actors/consensus/core.hpp"
#include "actors/group/member_plan.hpp"
#include "messages/ids.hpp"
#include "messages/keeping.pb.h"
#include "messages/time.hpp"

namespace legion::group {

/// How a voter goes that drains, of a keeper group or of the charter: not before its leader says that
/// the others can do without it, or that they cannot and nobody is there to take its place.
///
/// Units: a leader is waited for 4 s. An election takes less; without a quorum there is none.
class leaving {
public:
  enum class step {
    go,    // nothing holds it
    stuck, // it goes all the same: without it there is no quorum
    judge, // it leads, and says itself what becomes of the others
    ask,   // the leader
    again, // in a moment
  };

  /// What it sees of its group.
  struct look {
    const consensus::core* core = nullptr; // null: it is no member
    bool fenced = false;                   // no more a member
    bool zone_known = false;
    bool alone = false;   // nobody else is up in the zone
    bool awaited = false; // others of it may come back, and need what is kept here
    bool leads = false;

    /// What the zone says of the others.
    void see(const std::vector<resident>& zone, const node_id& self);
  };

  step next(const look& x, time_point now);
  /// What becomes of the others, as a leader says.
  step on(departure x);
  /// An answer that is none is of somebody who leads no more.
  step on(const group_reply& x);

private:
  std::optional<time_point> leaderless_since_;
};

/// Whether a voter is up that does not drain: then who drains neither leads on nor stands for it.
bool another_stays(const consensus::core& core, const std::vector<resident>& zone);

/// What asks a leader to let this member go.
group_request leave_request(group_id group, const consensus::member_id& who);

/// Who asks to leave; its ids are null if the request does not say.
consensus::member_id who_leaves(const group_request& x);

} // namespace legion::group
