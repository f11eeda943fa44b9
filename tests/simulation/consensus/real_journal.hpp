#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "messages/fault.hpp"
#include "messages/journal.pb.h"
#include "runtime/store/sqlite/journal_file.hpp"
#include "tests/simulation/consensus/crashing_disk.hpp"

namespace legion::proof {

/// A node's journal as `runtime/store/sqlite` keeps it, in real files of a temporary folder, on a
/// disk that can crash.
///
/// What the store's own thread does is done here when it is told: all batches that wait are one
/// transaction of `journal_file`. Opening is what `store::sqlite::open` does: the log is scanned,
/// the format settled, the rows replayed.
class real_journal {
public:
  explicit real_journal(std::uint64_t seed);
  ~real_journal();

  /// All live records; makes the journal if there is none. The machine may crash meanwhile, also
  /// more than once: then it is opened again.
  /// Errors: those of the journal; `damaged` when it has another id than before.
  result<std::vector<record>> open();

  /// All of these are one transaction. True: they are durable, also if the machine stopped in the
  /// checkpoint after it. False: it stopped before that.
  result<bool> commit(std::vector<record_batch> batches);

  /// In one of the next transactions: in any, in one that is followed by a checkpoint, or in one
  /// that begins the log anew.
  void stop_some_time();
  /// In the next one, or right after it.
  void stop_soon();
  void go_on() { disk_.go_on(); }
  bool stopped() const { return disk_.stopped(); }

  /// The machine crashes here, if it has not stopped before: see `crashing_disk`.
  void crash();

  /// The same files in another folder, as a backup of them is.
  std::shared_ptr<real_journal> copy();

  void lie() { disk_.lie(); }
  bool lies() const { return disk_.lies(); }

  struct counts {
    std::uint64_t transactions = 0, openings = 0, stops_in_transactions = 0, stops_in_openings = 0,
                  stops_in_checkpoints = 0, stops_at_new_logs = 0;
    counts& operator+=(const counts& x);
  };
  const counts& counted() const { return counts_; }

private:
  result<std::vector<record>> open_once();
  std::uint64_t any_size(int bits);

  std::mt19937_64 random_;
  int checkpoint_after_; // pages of log: some journals do it often
  crashing_disk disk_;
  std::shared_ptr<store::sqlite::journal_file> file_;
  std::string id_;
  counts counts_;
};

} // namespace legion::proof
