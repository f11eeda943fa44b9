#pragma once

#include <optional>
#include <vector>

#include "actors/consensus/lean_queue.hpp"
#include "actors/consensus/message.hpp"

namespace legion::consensus {

/// The entries in memory, and who decides as of each.
///
/// Shape: entries base + 1 .. last, without gaps. What a configuration's entry says holds from the
///        moment the entry is in the log, committed or not (4.1), until the entry is cut off.
class log {
public:
  log() = default;
  /// What a disk had: `entries` may begin before the snapshot's end. False in `sound` if they do
  /// not belong together.
  log(snapshot_head head, entry_refs entries, bool& sound);

  log_index base() const { return base_; }
  log_index last() const { return base_ + entries_.size(); }
  term_number last_term() const { return entries_.empty() ? base_term_ : entries_.back()->term; }
  std::size_t bytes() const { return bytes_; }

  /// Nothing: not in memory (any more, or yet).
  std::optional<term_number> term(log_index i) const;
  bool has(log_index i, term_number t) const { return term(i) == t; }
  const entry_ref& at(log_index i) const { return entries_[i - base_ - 1]; }

  /// A log that ends so knows at least as much (3.6.1).
  bool not_newer_than(log_index last_index, term_number last_term) const;

  /// False: a configuration that can't be read, and the log is as it was.
  bool push(entry_ref x);
  void cut_from(log_index i);
  void compact(log_index upto);
  void reset(const snapshot_head& head);

  /// As many as fit, at least one if there is one.
  entry_refs slice(log_index from, std::size_t bytes, std::size_t count) const;

  /// The last index, up to `i`, whose term is not above `t` (Raft paper 5.3): below it at the
  /// latest the two logs agree.
  log_index last_not_above(log_index i, term_number t) const;

  const configuration& members() const { return history_.back().members; }
  log_index members_index() const { return history_.back().index; }
  /// Those who decided before.
  const configuration& previous_members() const { return previous().members; }
  log_index previous_index() const { return previous().index; }
  const configuration& oldest_members() const { return history_.front().members; }
  snapshot_head head_at(log_index i) const;

private:
  struct decided {
    log_index index = 0;
    configuration members;
  };
  const decided& previous() const;

  log_index base_ = 0;
  term_number base_term_ = 0;
  lean_queue<entry_ref> entries_;
  std::size_t bytes_ = 0;
  std::vector<decided> history_{1}; // the first holds as of `base_`
};

} // namespace legion::consensus
