#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "actors/group/state.hpp"
#include "messages/fault.hpp"
#include "messages/journal.pb.h"
#include "messages/keeping.pb.h"

namespace legion::group {

/// A group's log with one member: proposals in, writes out; `written` in, commits out. Consensus
/// will stand behind the same four.
///
/// Shape:  one write at a time; what is proposed meanwhile shares the next, up to 2 MiB of entries.
///         Indexes are given when a batch is formed, so a refused one leaves no gap.
/// Keys:   "group/<g>/entry/<index, 20 digits>", "group/<g>/snapshot".
/// Errors: refuse{disk_full or overloaded} when nothing of the batch was kept; a write whose end is
///         unknown is written again, with the same keys.
class log {
public:
  /// Entries between two snapshots.
  static constexpr std::uint64_t snapshot_interval = 128;

  struct write {
    record_batch batch;
    milliseconds after{0};
  };
  struct commit {
    std::uint64_t proposal = 0;
    std::vector<group_entry> entries; // with index and incarnation
  };
  struct refuse {
    std::uint64_t proposal = 0;
    fault why;
  };
  using effect = std::variant<write, commit, refuse>;

  /// An empty log; or the one that `replay` found.
  explicit log(group_id group);

  /// Reads the journal's records of this group into `into`; fails with `damaged` when one does not
  /// read or is missing.
  result<void> replay(const std::vector<record>& records, state& into);

  /// All entries of one proposal share one batch.
  std::vector<effect> propose(std::uint64_t proposal, std::vector<group_entry> entries);
  std::vector<effect> on_written();
  std::vector<effect> on_failed(const fault& why);

  /// A snapshot is due: `compact` with the state after the last commit rides with the next write.
  bool wants_snapshot() const { return index_ - snapshot_index_ >= snapshot_interval; }
  void compact(group_state snapshot);

  std::uint64_t index() const { return index_; }
  std::size_t waiting() const { return queue_.size(); }

private:
  struct waiting_proposal {
    std::uint64_t proposal = 0;
    std::vector<group_entry> entries;
  };

  std::vector<effect> form_batch();

  group_id group_;
  std::uint64_t incarnation_ = 1;
  std::uint64_t index_ = 0;          // of the last commit
  std::uint64_t snapshot_index_ = 0; // of the last snapshot on disk or on its way
  std::uint64_t first_entry_ = 1;    // the oldest entry whose key lives
  std::optional<group_state> snapshot_;
  std::uint64_t snapshot_in_write_ = 0;
  std::deque<waiting_proposal> queue_;
  std::vector<waiting_proposal> writing_;
  record_batch batch_;
};

} // namespace legion::group
