#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "actors/consensus/log_records.hpp"
#include "actors/consensus/work.hpp"

namespace legion::proof {

/// A snapshot of the state, and how much of the log may go with it.
struct keep_snapshot {
  consensus::snapshot what;
  consensus::log_index compact_to = 0;
};

/// The member promises nothing any more until its node has another journal.
struct keep_fence {};

/// A node's journal as far as one group goes: the very records that a group writes, and reads when
/// it begins.
/// Batches become durable in order, each whole or not at all; a sync takes several at once, and a
/// crash meanwhile leaves any number of the first.
class model_disk {
public:
  struct batch {
    std::variant<consensus::write, keep_snapshot, keep_fence> what;
    record_batch records;
  };

  // What is durable, as it was handed over: the checkers look at these, and what is read must agree.
  consensus::ballot ballot;
  consensus::snapshot kept;
  consensus::entry_refs entries;
  consensus::log_index removed_at = 0; // a tombstone

  std::deque<batch> unsynced;
  std::size_t syncing = 0; // of them

  void found(const std::vector<consensus::member_id>& voters);
  void append(consensus::write x);
  void append(keep_snapshot x);
  void append_fence();
  /// The member as its records have it, when its node starts. Fails as they do, or when they differ
  /// from what was handed over.
  result<consensus::log_records::kept> open();

  /// The last configuration that the log or the snapshot names.
  consensus::snapshot_head newest_members() const;
  void sync_one();
  void crash(std::mt19937_64& random);
  model_disk durable() const; // without what is not synced
  void bury(consensus::log_index at);

private:
  void apply(const consensus::write& x);
  void apply(const keep_snapshot& x);
  void apply(const keep_fence&) {}
  void write(const record_batch& x);
  std::string difference(const consensus::log_records::kept& x) const;

  static constexpr const char* prefix = "group/0/";

  std::map<std::string, std::string> rows_; // durable
  consensus::log_records records_{prefix};
};

} // namespace legion::proof
