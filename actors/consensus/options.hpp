#pragma once

#include <cstddef>
#include <cstdint>

#include "messages/time.hpp"

namespace legion::consensus {

/// Rules that the proof breaks, one at a time, to see that it notices. Those that can be broken from
/// outside (a disk that forgets, a vote request that lies) are broken there.
enum class rule : std::uint8_t {
  none = 0,
  own_term_only,      // commit by counting only entries of the own term (3.6.2)
  noop_first,         // a leader begins with an entry of its own; reads and changes wait for it
  commit_forward,     // the commit index never moves back
  longer_log_stays,   // a snapshot of what the log has is not installed over it (5.3)
  change_after_noop,  // no change of members before the term's own entry is committed
  only_members_count, // what is committed and confirmed, the present members have
  read_after_round,   // a read waits for a round in which a quorum obeys (6.4)
};

struct options {
  /// T: a leader that was not heard for T to 2T (at random) is replaced; one that does not hear a
  /// quorum for T steps down.
  milliseconds election_timeout{500};
  /// At most this (at random) between a known death of a leader and asking for votes.
  milliseconds prompt_pause{20};
  /// Unanswered appends, chunks and confirmations are sent anew.
  milliseconds resend_after{150};
  /// A commit index that no entry took along is told this late.
  milliseconds commit_pause{50};

  std::size_t append_bytes = 64 * 1024; // of entries in one message; one entry may be larger
  std::size_t append_entries = 2048;
  std::size_t window_messages = 64; // unanswered, for each follower
  std::size_t window_bytes = 256 * 1024;
  std::size_t chunk_bytes = 64 * 1024;
  std::size_t window_chunks = 4;
  std::size_t snapshot_bytes = 256 * 1024 * 1024; // a larger one is refused

  std::size_t entry_bytes = 1024 * 1024;           // a larger proposal is refused
  std::size_t uncommitted_bytes = 8 * 1024 * 1024; // proposals beyond are refused: overloaded
  std::size_t unapplied_bytes = 8 * 1024 * 1024;   // handed out, not yet said to be applied
  std::size_t waiting_reads = 4096;
  std::size_t retained_bytes = 32 * 1024 * 1024; // of entries kept for a follower's snapshot

  rule broken = rule::none; // only the proof sets this
};

} // namespace legion::consensus
