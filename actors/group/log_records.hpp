#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/consensus/core.hpp"
#include "messages/fault.hpp"
#include "messages/journal.pb.h"

namespace legion::group {

/// Between what a consensus member wants on disk and the journal's records of its group.
///
/// Shape:  follows the records in order: hand every write to it once, and write the batches in that
///         order, each whole or not at all.
/// Keys:   "group/<g>/log/<index, 20 digits>", "group/<g>/snapshot", "group/<g>/promised".
/// Errors: `read` fails with `damaged` when a record does not read or one is missing.
class log_records {
public:
  /// A member as its records have it. `head.index` 0: it was never founded, nor asked to join.
  struct kept {
    consensus::ballot ballot;
    consensus::log_index removed_at = 0;
    bool fenced = false;
    consensus::snapshot_head head;
    std::string state; // of the snapshot; empty: of an empty group
    consensus::entry_refs entries;
  };

  explicit log_records(group_id group);

  /// The first record of a new group, which begins with these voters.
  static void found(group_id group, const std::vector<consensus::member_id>& voters,
                    record_batch& into);

  result<kept> read(const std::vector<record>& records);

  void add(const consensus::write& x, record_batch& into);
  /// A snapshot of the member's own; entries before `keep_from` go with it.
  void add_snapshot(const consensus::snapshot_head& head, std::string state,
                    consensus::log_index keep_from, record_batch& into);
  void add_fence(record_batch& into);
  /// A tombstone takes the log's place. Returns what stays: the ballot, and where it was removed.
  kept bury(consensus::log_index removed_at, record_batch& into);

private:
  std::string entry_key(consensus::log_index index) const;
  void drop(consensus::log_index from, consensus::log_index upto, record_batch& into);
  void put_promised(record_batch& into) const;
  void put_snapshot(const consensus::snapshot_head& head, std::string state,
                    record_batch& into) const;

  std::string prefix_;
  consensus::ballot ballot_;
  consensus::log_index removed_at_ = 0;
  bool fenced_ = false;
  consensus::log_index first_ = 1; // the oldest entry with a record
  consensus::log_index last_ = 0;  // the newest
};

/// Bit g: by the journal, this node is in group g; so does one whose records do not read.
std::uint64_t groups_in(const std::vector<record>& journal);

/// The keeper group whose record this is, from "group/<g>/...".
std::optional<group_id> group_of_key(std::string_view key);

} // namespace legion::group
