#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/consensus/core.hpp"
#include "messages/fault.hpp"
#include "messages/journal.pb.h"

namespace legion::consensus {

/// Between what a consensus member wants on disk and the journal's records of its group.
///
/// Shape:  follows the records in order: hand every write to it once, and write the batches in that
///         order, each whole or not at all.
/// Keys:   "<prefix>log/<index, 20 digits>", "<prefix>snapshot", "<prefix>promised"; a prefix, such
///         as "group/7/", belongs to one group.
/// Errors: `read` fails with `damaged` when a record does not read or one is missing.
class log_records {
public:
  /// A member as its records have it. `head.index` 0: it was never founded, nor asked to join.
  struct kept {
    consensus::ballot ballot;
    log_index removed_at = 0;
    bool fenced = false;
    snapshot_head head;
    std::string state; // of the snapshot; empty: of an empty group
    entry_refs entries;
  };

  explicit log_records(std::string prefix) : prefix_(std::move(prefix)) {}

  /// The first record of a new group, which begins with these voters.
  static void found(std::string prefix, const std::vector<member_id>& voters, record_batch& into);

  result<kept> read(const std::vector<record>& records);

  void add(const write& x, record_batch& into);
  /// A snapshot of the member's own; entries before `keep_from` go with it.
  void add_snapshot(const snapshot_head& head, std::string state, log_index keep_from,
                    record_batch& into);
  void add_fence(record_batch& into);
  /// A tombstone takes the log's place. Returns what stays: the ballot, and where it was removed.
  kept bury(log_index removed_at, record_batch& into);
  /// The same, of a group that was raised anew without this member: its term from now on is one that
  /// was heard of. What it promised in earlier ones counts for nothing.
  kept leave_behind(log_index last, term_number heard, record_batch& into);
  /// The log begins anew, with this state.
  kept raise(const snapshot_head& head, std::string state, record_batch& into);

private:
  std::string entry_key(log_index index) const;
  void drop(log_index from, log_index upto, record_batch& into);
  void put_promised(record_batch& into) const;
  void put_snapshot(const snapshot_head& head, std::string state, record_batch& into) const;

  std::string prefix_;
  ballot ballot_;
  log_index removed_at_ = 0;
  bool fenced_ = false;
  log_index first_ = 1; // the oldest entry with a record
  log_index last_ = 0;  // the newest
};

} // namespace legion::consensus
