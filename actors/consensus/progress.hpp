#pragma once

#include <memory>
#include <utility>

#include "actors/consensus/lean_queue.hpp"
#include "actors/consensus/message.hpp"
#include "actors/consensus/options.hpp"

namespace legion::consensus {

/// What a leader knows of one follower, and what it may send it.
///
/// Shape:  in `probe` one message at a time, until one is accepted; in `replicate` a window of
///         messages and bytes; in `snapshot` a window of chunks.
/// Source: Ongaro 2014, 10.2.1 (pipelining), 3.5 (probing); flow control as in etcd's raft.
class progress {
public:
  enum class mode : std::uint8_t { probe, replicate, snapshot };

  progress(member_id who, log_index next, log_index since, time_point now)
      : who(who), next(next), since(since), heard(now) {}

  /// Nothing more may be sent until something is answered.
  bool full(const options& limits) const;
  /// `bytes` of entries up to `last` are on their way.
  void sent(log_index last, std::size_t bytes, time_point resend_at);
  /// All up to `index` is on its disk.
  void accepted(log_index index, time_point resend_at);
  /// Find out anew where its log ends, from what it is known to have.
  void begin_probe();
  /// What it acknowledged was another membership's, whose log it has thrown away: all anew.
  void begin_anew();
  /// The same question again: while nothing is known of it, `next` is the best guess there is.
  void probe_again();
  void begin_snapshot(std::shared_ptr<const snapshot> what);
  bool idle() const { return window_.empty(); }
  member_id who;
  log_index match = 0;
  log_index next = 1;
  log_index since = 0; // in this term it was made a member by this entry; 0: it was one before
  mode now = mode::probe;
  time_point heard;                              // last sign of life in this term
  time_point resend_at = time_point::max();      // while something is unanswered
  bool parked = false;                           // silent: nothing is sent until it is heard again
  log_index commit_sent = 0;                     // it knows, or will know, of this commit index
  std::uint64_t round = 0;                       // it confirmed this leader so far (6.4)
  std::pair<std::uint64_t, std::uint64_t> reply; // start and count of its newest acceptance
  bool fallen = false;                           // its log is shorter than it acknowledged
  bool reported = false;                         // a readmission was asked for

  // A learner's rounds (4.2.1).
  bool caught_up = false;
  log_index round_end = 0;
  time_point round_begin;

  // In `snapshot`.
  std::shared_ptr<const snapshot> sending; // null: not at hand yet
  std::shared_ptr<const snapshot_head> head;
  std::uint64_t chunk_sent = 0;
  std::uint64_t chunk_received = 0;
  bool opened = false; // the first chunk, which may be empty, was sent

private:
  struct flight {
    log_index last = 0;
    std::size_t bytes = 0;
  };
  lean_queue<flight> window_;
  std::size_t window_bytes_ = 0;
};

} // namespace legion::consensus
