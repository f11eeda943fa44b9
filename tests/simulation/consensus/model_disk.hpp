#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <variant>

#include "actors/consensus/work.hpp"

namespace legion::proof {

/// A snapshot of the state, and how much of the log may go with it.
struct keep_snapshot {
  consensus::snapshot what;
  consensus::log_index compact_to = 0;
};

/// What a journal has of one group. Items become durable in order, each whole or not at all; a sync
/// takes several at once, and a crash meanwhile leaves any number of the first.
class model_disk {
public:
  using item = std::variant<consensus::write, keep_snapshot>;

  // What is durable.
  consensus::ballot ballot;
  consensus::snapshot kept;
  consensus::entry_refs entries;
  consensus::log_index removed_at = 0; // a tombstone

  std::deque<item> unsynced;
  std::size_t syncing = 0; // of them

  /// The last configuration that the log or the snapshot names.
  consensus::snapshot_head newest_members() const;
  void sync_one();
  void crash(std::mt19937_64& random);
  model_disk durable() const; // without what is not synced
  void bury(consensus::log_index at);

private:
  void apply(const consensus::write& x);
  void apply(const keep_snapshot& x);
};

} // namespace legion::proof
