#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "messages/fault.hpp"
#include "messages/journal.pb.h"

/// The durable journal: a log of keyed records.
namespace legion::store {

/// Most bytes of records in one batch.
inline constexpr std::size_t max_batch_bytes = 8 * 1024 * 1024;

/// Receives completions, on the implementation's own thread.
class sink {
public:
  virtual ~sink() = default;
  virtual void written(std::uint64_t correlation) = 0;
  virtual void failed(std::uint64_t correlation, fault why) = 0;
};

/// One writer; a batch is atomic, and synced before `written`.
///
/// Ordering:  completions come in the order of `append`.
/// Errors:    `disk_full` (nothing of the batch is kept, later batches may succeed), `overloaded`
/// (bounded queue).
///            A failed sync ends the process: what is on disk is then unknown.
/// Threading: `append` from one thread at a time; it returns at once.
class store {
public:
  virtual ~store() = default;
  virtual void append(std::uint64_t correlation, record_batch batch) = 0;
};

/// Starts writing to an opened journal.
using factory = std::function<std::unique_ptr<store>(sink&)>;

/// A journal that was opened: what lives in it, in the order of its keys, and how to go on writing.
struct opened {
  std::vector<record> records;
  factory start;
};

} // namespace legion::store
