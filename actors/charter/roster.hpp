#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "messages/charter.pb.h"
#include "messages/fault.hpp"
#include "messages/ids.hpp"
#include "messages/message_pool.hpp"

namespace legion::charter {

/// Which of two rosters is newer: of a higher incarnation of the charter, or of a later entry.
struct version {
  std::uint64_t incarnation = 0;
  std::uint64_t index = 0;

  friend auto operator<=>(const version&, const version&) = default;
};

class roster;

/// One copy of equal rows for all nodes of a process, and of whole rosters.
struct row_pool {
  message_pool<roster_node> nodes;
  message_pool<group_hint> hints;
  std::vector<std::weak_ptr<const roster>> rosters; // the few that nodes have just now
};
using row_pool_ptr = std::shared_ptr<row_pool>;
using roster_ptr = std::shared_ptr<const roster>;

/// Who is a member of the zone, and hints to who forms which group: the fold of the charter's
/// entries, or a copy of it.
///
/// Shape:  at most 128 nodes of at most 4096 bytes each, whose names are unique; a hint for each
///         group. A copy is made cheaply: it shares its rows.
/// Errors: what an entry may not do has no effect, the same on every node; news that do not follow
///         on what is known are told from those that do.
class roster {
public:
  static constexpr std::size_t most_nodes = 128;
  static constexpr std::size_t most_node_bytes = 4096;
  static constexpr std::size_t most_departures = 128;
  static constexpr std::size_t most_hinted = 16; // nodes in one hint

  using row = std::shared_ptr<const roster_node>;
  using hint_row = std::shared_ptr<const group_hint>;

  /// `rows`: where its rows are kept; null: each roster has its own.
  explicit roster(row_pool_ptr rows = nullptr) : pool_(std::move(rows)) {}

  /// Of a snapshot or a record; fails with `damaged`.
  static result<roster> from(const roster_state& x, row_pool_ptr rows = nullptr);

  void apply(const charter_entry& x, version at);
  /// The same roster, where a later incarnation of the charter begins.
  void raise(version at) { at_ = at; }

  /// What came of news of another node's roster.
  enum class learnt {
    nothing,  // it was known, or makes no sense
    all,      // this is that roster now
    too_late, // something between is missing: ask for what comes after `at`
  };
  learnt learn(const roster_state& news);

  version at() const { return at_; }
  const std::vector<row>& nodes() const { return nodes_; }      // sorted by id
  const std::vector<hint_row>& hints() const { return hints_; } // sorted by group
  const roster_node* find(const node_id& id) const;
  /// By name, by id, or by at least 8 digits of the id; null if none or several match.
  const roster_node* named(std::string_view text) const;
  /// Null: nobody has told.
  const group_hint* hint(group_id group) const;

  roster_state whole() const;
  /// The bytes of `whole`, without a copy of each row.
  std::string whole_bytes() const;
  /// What a roster of that version lacks, with the hint to the charter's own voters.
  roster_state since(version known) const;

  /// An equal one that another node of the process has, if its rows are kept in the same place.
  friend roster_ptr shared(roster x);

private:
  bool is(const roster& x) const;
  row keep(roster_node x) const;
  hint_row keep(group_hint x) const;
  void put(roster_node x);
  void put(group_hint x);
  void remove(const node_id& id);
  void admit(const roster_node& x);
  void hear(const group_hint& x);
  bool name_is_free(const roster_node& x) const;

  row_pool_ptr pool_;
  version at_;
  std::vector<row> nodes_;
  std::vector<hint_row> hints_;
  std::vector<roster_departure> departures_; // oldest first
  std::uint64_t forgot_until_ = 0;
};

roster_ptr shared(roster x);

/// Whether this can be on a roster at all.
bool acceptable(const roster_node& x);
bool acceptable(const group_hint& x);

/// Whether what a node says of itself is the same: all but its cordon.
bool says_the_same(const roster_node& a, const roster_node& b);

} // namespace legion::charter
