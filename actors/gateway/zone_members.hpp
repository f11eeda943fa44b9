#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/charter/roster.hpp"
#include "actors/membership/shared_member.hpp"
#include "messages/ids.hpp"
#include "messages/time.hpp"

namespace legion::gateway {

/// The zone as this gateway knows it: who is there, since when, and who keeps what.
///
/// Shape: one row per member, the dead included, sorted by id.
class zone_members {
public:
  struct row {
    shared_member who;
    member_state state = member_alive;
    time_point since{}; // of this state, as this node saw it

    node_id id() const { return node_id::from_bytes(who.id()); }
    bool down() const { return state == member_dead || state == member_left; }
  };

  void on(const shared_member& who, member_state state, time_point now);

  /// The charter's roster: cordons, and hints to who keeps what.
  void know(charter::roster_ptr x) { roster_ = std::move(x); }
  const charter::roster_ptr& roster() const { return roster_; }

  /// A node proved that it leads a group.
  void learn_leader(const node_id& node, group_id group);

  const std::vector<row>& rows() const { return rows_; }
  const row* find(const node_id& who) const;
  /// By name, by id, or by at least 8 digits of the id; nothing if none or several match.
  const row* named(std::string_view text) const;
  /// Members that can be asked: alive or suspected.
  std::vector<node_id> living() const;
  /// Whom to ask about a group, the best first: its leader as last heard, then the other members,
  /// the living before the dead. Empty: nobody lives.
  std::vector<node_id> keepers_of(group_id group) const;
  /// Who is in a group, up or not, by the charter's hint, or else by what they say themselves.
  std::vector<node_id> members_of(group_id group) const;
  /// On the roster, and not heard of since this node began: it looks for them, or they are down.
  std::vector<member> unheard() const;
  /// The groups that somebody, dead or alive, says to keep, or is said to by the charter's hints.
  std::vector<group_id> kept_groups() const;
  /// For messages: its name, else the first digits of its id.
  std::string name_of(const node_id& who) const;
  /// For messages: "legion-1, and legion-2, down for 12 s".
  std::string with_states(const std::vector<node_id>& who, time_point now) const;
  /// For messages: "legion-2, down for 12 s".
  std::string with_state(const node_id& who, time_point now) const;

private:
  std::vector<row> rows_;
  std::map<group_id, node_id> leaders_;
  charter::roster_ptr roster_; // null: not known
};

/// "12 s", "3 min", "5 h", "2 d".
std::string ago(std::chrono::milliseconds x);

} // namespace legion::gateway
