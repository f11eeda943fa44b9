#pragma once

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "actors/consensus/core.hpp"
#include "messages/ids.hpp"
#include "messages/keeping.pb.h"
#include "messages/membership.pb.h"
#include "messages/time.hpp"

namespace legion::group {

/// A node of the zone as the choice of a group's members sees it.
struct resident {
  node_id id;
  consensus::journal_id journal; // null: it did not say, and cannot be a member
  member_state state = member_alive;
  time_point since;    // of this state, as seen here
  bool claims = false; // it says that it is in the group
  bool admitted =
      true; // on the zone's roster, as far as it is known: only then may it become a member
  bool draining = false; // it is about to leave

  /// It runs with another journal than that member's: what that one promised, it cannot know.
  bool lost_journal_of(const consensus::member_id& who) const {
    return !journal.null() && !who.journal.null() && journal != who.journal;
  }
};

/// So many voters where so many nodes could be.
struct group_size {
  std::size_t nodes = 0;
  std::size_t voters = 0; // odd
};

/// What a group's leader should do about who its members are.
struct member_plan {
  std::optional<consensus::configuration> change; // to propose
  std::optional<consensus::member_id> lead;       // to hand leadership to
  bool waits = false;                             // for time or for a learner: look again soon
};

/// Grows a group, from 1 to 3 in one change, when there are nodes, replaces a voter that left, lost
/// its journal or is dead for long, and moves a healthy group to where rendezvous hashing has it.
///
/// Shape:  new voters are learners first. A group never shrinks by itself: a voter that nobody can
///         replace stays. But where so many have left, or ask to, that those who stay have no
///         quorum, it shrinks to one of them that lives. Nobody is replaced who seems to have died
///         together with over a third of the zone, within `patience`.
/// Units:  `may_move`: this look may move what is healthy, or replace who is dead for long; the owner
///         draws it seldom, so that of a zone's groups a few do so at a time.
/// Source: docs/consensus.md; Thaler and Ravishankar 1998 for the hashing.
class member_rules {
public:
  static constexpr auto patience = std::chrono::minutes{5}; // with a voter that is dead
  static constexpr auto settling = milliseconds{500};       // of a node that is new
  static constexpr auto steady = seconds{10};               // before what is healthy moves

  /// `sizes`: in the order of nodes; with fewer than the first says, one decides.
  /// `began`: who was not heard of since then is as good as dead.
  member_rules(group_id group, const consensus::member_id& self, time_point began,
               std::vector<group_size> sizes = {{3, 3}})
      : group_(group), self_(self), began_(began), sizes_(std::move(sizes)) {}

  time_point began() const { return began_; }
  /// Its log was found to be shorter than it once acknowledged: it must be replaced.
  void distrust(const consensus::member_id& who) { distrusted_.insert(who); }

  /// It drains; and it is back, with another start number.
  void let_go(const consensus::member_id& who) { leaving_.insert(who); }
  void welcome_back(const node_id& who) {
    std::erase_if(leaving_, [&](const consensus::member_id& x) { return x.node == who; });
  }
  void welcome_all_back() { leaving_.clear(); }
  /// What becomes of the group without it, as things stand.
  departure without(const consensus::member_id& who, const consensus::core::status& now_is,
                    const std::vector<resident>& zone, time_point now) const;

  member_plan plan(const consensus::core::status& now_is, const std::vector<resident>& zone,
                   bool may_move, time_point now) const;

private:
  bool is_leaving(const consensus::member_id& who, const std::vector<resident>& zone) const;
  std::size_t size_among(std::size_t nodes) const;
  bool may_join(const resident& x, time_point now) const;
  bool stays(const consensus::member_id& who, const std::vector<resident>& zone, bool may_move,
             time_point now) const;
  std::vector<consensus::member_id> wanted(const consensus::core::status& now_is,
                                           const std::vector<resident>& zone, bool may_move,
                                           member_plan& plan, time_point now) const;

  group_id group_;
  consensus::member_id self_;
  time_point began_;
  std::vector<group_size> sizes_;
  std::set<consensus::member_id> distrusted_;
  std::set<consensus::member_id> leaving_;
};

} // namespace legion::group
