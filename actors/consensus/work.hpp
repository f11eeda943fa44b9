#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/consensus/message.hpp"

namespace legion::consensus {

enum class role : std::uint8_t { follower, pre_candidate, candidate, leader };

/// What was promised in elections; on disk before anyone hears of it (3.8).
struct ballot {
  term_number term = 0;
  member_id vote; // null: for nobody yet

  friend bool operator==(const ballot&, const ballot&) = default;
};

/// To be made durable as one: all of it or, after a crash, nothing. In the order of `sequence`;
/// many groups' may share one sync. Then `core::on_written(sequence)`, which stands for all before
/// it.
struct write {
  std::uint64_t sequence = 0;
  consensus::ballot ballot;
  /// Takes the place of the whole log: all entries end here, those below follow it.
  std::optional<consensus::snapshot> installed;
  /// They replace what the log has from the first one's index on. In order, without gaps.
  entry_refs entries;
  /// Not 0: all entries from here on end, and `entries` begins here.
  log_index truncate_from = 0;
};

/// An answer to `core::read`: answer from the state as soon as it holds all entries up to `index`.
struct read_grant {
  std::uint64_t read = 0;
  log_index index = 0;
};

/// A member of the configuration can't keep its promises any more: its journal is gone (`now` is
/// who the node is today) or is shorter than it once acknowledged (`now` equals `was`). It has to
/// be removed, and readmitted as a learner with a new journal.
struct readmission {
  member_id was;
  member_id now;
};

/// All that the core wants done, in the order of the members here. Messages may leave at once:
/// those that depend on a write come out only after `on_written`.
struct work {
  std::optional<consensus::write> write;
  std::vector<message> messages;
  /// The state is this now; `committed` goes on after it. It is on disk already.
  std::optional<snapshot> restore;
  /// To be applied in order; `core::on_applied` then makes room for more.
  entry_refs committed;
  std::vector<read_grant> reads;
  /// Ask again elsewhere: this is not the leader any more.
  std::vector<std::uint64_t> refused_reads;
  /// A follower needs what the log no longer has: call `core::offer_snapshot`.
  bool wants_snapshot = false;
  std::vector<readmission> readmissions;
  /// These learners may be made voters.
  std::vector<member_id> caught_up;
  /// Role, term, leader or configuration differ from when work was last taken, or it is the first:
  /// see `core::describe`, and tell `beats`.
  bool changed = false;
  /// A member found this journal shorter than it was: nothing is promised from here any more, in
  /// this start or another, until the node has a new journal. To be kept on disk.
  bool fenced = false;
  /// Not 0: the group goes on without this member, as of this entry. A tombstone may take the log's
  /// place: this number, and the ballot, which must stay (see `core::setting::removed_at`).
  log_index removed = 0;
  /// What must never happen, happened: the peer's or the disk's error. For people, as an error.
  std::vector<std::string> alarms;

  bool empty() const {
    return !write && messages.empty() && !restore && committed.empty() && reads.empty()
           && refused_reads.empty() && !wants_snapshot && readmissions.empty() && caught_up.empty()
           && !changed && !fenced && removed == 0 && alarms.empty();
  }
};

} // namespace legion::consensus
