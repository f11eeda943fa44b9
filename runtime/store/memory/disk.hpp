#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "messages/time.hpp"
#include "runtime/store/store.hpp"

namespace legion::store::memory {

/// A journal that lives as long as this object: it survives the crash of its node, not the process.
///
/// Ordering:  as the contract says. A batch that is under way at a crash is kept or lost, as the
/// seed decides, but never one without those before it. Threading: one thread. What was handed to
/// `later` may run after the end of the disk.
class disk {
public:
  /// Sees each batch as it becomes durable.
  using watcher = std::function<void(const record_batch&)>;

  disk(std::uint64_t seed, run_later later);

  /// What is durable, in the order of its keys, and how to go on writing. Ends the writer before.
  opened open();
  /// The node's process is gone: nobody hears of what was under way.
  void crash();
  /// Batches fail with `disk_full` until it is told otherwise.
  void set_full(bool x);
  void set_watcher(watcher x);

  const std::map<std::string, std::string>& records() const;

private:
  class writer;
  struct content;
  std::shared_ptr<content> content_;
};

} // namespace legion::store::memory
