#pragma once

#include <memory>
#include <string>
#include <variant>

#include "actors/consensus/configuration.hpp"
#include "actors/consensus/entry.hpp"

namespace legion::consensus {

/// Where a log begins: the last entry that a snapshot stands for, and who decided then.
struct snapshot_head {
  log_index index = 0;
  term_number term = 0;
  configuration members;
  log_index members_index = 0; // of the entry that made them so; 0: from the beginning

  friend bool operator==(const snapshot_head&, const snapshot_head&) = default;
};

/// A whole state, shared by whoever sends or keeps it.
struct snapshot {
  snapshot_head head;
  std::shared_ptr<const std::string> state;
};

struct vote_request {
  bool trial = false; // pre-vote (9.6): would you? Changes nothing
  log_index last_index = 0;
  term_number last_term = 0;
  bool transfer = false; // the leader itself asked for this election (3.10)
};

struct vote_reply {
  bool trial = false;
  bool granted = false;
};

struct append {
  log_index previous_index = 0;
  term_number previous_term = 0;
  log_index commit = 0;
  entry_refs entries;
};

struct append_reply {
  bool accepted = false;
  log_index index = 0;       // accepted: on disk up to here; refused: the previous_index refused
  log_index hint_index = 0;  // refused: the logs agree at most up to here
  term_number hint_term = 0; // the term there
  log_index last_index = 0;
  std::uint64_t count = 0; // of this member's replies in this start
  std::uint64_t start = 0;
};

struct snapshot_chunk {
  std::shared_ptr<const snapshot_head> head;
  std::uint64_t offset = 0;
  std::uint64_t size = 0; // of the whole state
  std::string data;
};

struct snapshot_reply {
  log_index index = 0;
  std::uint64_t received = 0; // bytes without a gap
  bool done = false;          // on disk up to index
  std::uint64_t count = 0;    // as in append_reply
  std::uint64_t start = 0;
};

/// Am I still the leader? (6.4)
struct confirm {
  std::uint64_t round = 0;
};
struct confirmed {
  std::uint64_t round = 0;
};

/// Stand for election now (3.10).
struct take_over {};

/// The node keeps another journal than the one addressed; the sender is who is there now.
struct stranger {};

/// Your log is shorter than what you once acknowledged: promise nothing until readmitted.
struct fence {
  log_index acknowledged = 0;
};

/// You are in no configuration since this entry, which is committed.
struct removed {
  log_index members_index = 0;
};

using message_body =
    std::variant<vote_request, vote_reply, append, append_reply, snapshot_chunk, snapshot_reply,
                 confirm, confirmed, take_over, stranger, fence, removed>;

/// From one member of a group to another. What it says is never trusted further than the protocol
/// needs.
struct message {
  member_id from;
  member_id to;
  term_number term = 0;
  message_body body;
};

} // namespace legion::consensus
