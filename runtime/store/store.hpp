#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "messages/fault.hpp"
#include "messages/journal.pb.h"

/// The durable journal: a log of keyed records.
namespace legion::store {

/// Most bytes of records in one batch.
inline constexpr std::size_t max_batch_bytes = 8 * 1024 * 1024;

/// How the journal is, beyond the fate of single batches.
struct health {
  bool full = false; // the disk had no space; false again only once the ballast is whole
  std::string detail;
};

/// Receives completions, on the implementation's own thread.
class sink {
public:
  virtual ~sink() = default;
  virtual void written(std::uint64_t correlation) = 0;
  virtual void failed(std::uint64_t correlation, fault why) = 0;
  /// Told when it changes; a journal begins well.
  virtual void health_changed(const health&) {}
};

/// Whether a batch may take the ballast, the space that is kept for a full disk: the writer asked
/// for it, or the batch only ends keys.
inline bool may_take_ballast(const record_batch& x) {
  if (x.from_ballast())
    return true;
  for (const auto& y : x.records())
    if (!y.value().empty())
      return false;
  return true;
}

/// One writer; a batch is atomic, and synced before `written`.
///
/// Ordering:  completions come in the order of `append`.
/// Errors:    `disk_full` (nothing of the batch is kept, later batches may succeed), `overloaded`
///            (bounded queue). A batch that may take the ballast is written on a full disk too, for
///            as long as that lasts. A failed sync ends the process: what is on disk is unknown.
/// Threading: `append` from one thread at a time; it returns at once.
class store {
public:
  virtual ~store() = default;
  virtual void append(std::uint64_t correlation, record_batch batch) = 0;
};

/// Starts writing to an opened journal.
using factory = std::function<std::unique_ptr<store>(sink&)>;

/// How many rows, of a journal's whole life, are on disk. Written before a batch's `written` is told.
/// Safe from any thread.
using row_count = std::shared_ptr<std::atomic<std::uint64_t>>;

/// A journal that was opened: what lives in it, in the order of its keys, and how to go on writing.
struct opened {
  std::string id; // 16 random bytes, made with the journal: another journal is another member
  std::vector<record> records;
  factory start;
  row_count rows = std::make_shared<std::atomic<std::uint64_t>>(0); // as found, until it is written
};

} // namespace legion::store
