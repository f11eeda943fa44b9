#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "actors/consensus/log_records.hpp"
#include "actors/consensus/work.hpp"
#include "tests/simulation/consensus/real_journal.hpp"

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
///
/// Or a real journal holds the records, and this only says what must be in it: after a crash
/// exactly what was synced, with all of the transaction that was under way or with nothing of it.
class model_disk {
public:
  model_disk() = default;
  explicit model_disk(std::shared_ptr<real_journal> files) : files_(std::move(files)) {}

  struct batch {
    std::variant<consensus::write, keep_snapshot, keep_fence> what;
    record_batch records;
  };

  // What is durable, as it was handed over: checkers look at these, and what is read must agree.
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
  /// What is syncing goes to the real files, if there are any. False: the machine stopped
  /// meanwhile.
  bool write_files() { return write_files(syncing); }

  /// The last configuration that the log or the snapshot names.
  consensus::snapshot_head newest_members() const;
  void sync_one();
  void crash(std::mt19937_64& random);
  model_disk durable() const; // without what is not synced
  void bury(consensus::log_index at);
  const std::shared_ptr<real_journal>& files() const { return files_; }

private:
  using rows = std::map<std::string, std::string>;

  void apply(const consensus::write& x);
  void apply(const keep_snapshot& x);
  void apply(const keep_fence&) {}
  void put(const record_batch& x);
  result<consensus::log_records::kept> read();

  // model_disk_files.cpp: the real files
  void open_files();
  bool write_files(std::size_t count);
  void write_to_files(const record_batch& x);
  void crash_files(std::mt19937_64& random);
  void adopt(rows found);
  std::string difference(const consensus::log_records::kept& x) const;

  static constexpr const char* prefix = "group/0/";

  rows rows_; // durable
  std::shared_ptr<real_journal> files_;
  bool opened_ = false;       // since the last crash, and nothing was written
  bool sure_ = false;         // what was syncing is durable, though the machine stopped
  std::optional<fault> flaw_; // what the files hold, and should not
  consensus::log_records records_{prefix};
};

} // namespace legion::proof
