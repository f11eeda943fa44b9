#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <random>
#include <string>

#include "messages/shared_record.hpp"
#include "messages/time.hpp"
#include "runtime/store/store.hpp"

namespace legion::store::memory {

/// A journal that lives as long as this object: it survives the crash of its node, not the process.
///
/// Ordering:  as the contract says. Batches that share a sync are one transaction: at a crash those
///            of the sync that is under way are all kept or all lost, as the seed decides, and
///            those behind it are lost. So a batch is never there without those before it, and a
///            torn one is no batch.
/// Threading: one thread. What was handed to `later` may run after the end of the disk.
class disk {
public:
  /// Sees each batch as it becomes durable.
  using watcher = std::function<void(const record_batch&)>;

  /// `shelf`: where records are that other disks may have, too.
  disk(std::uint64_t seed, run_later later, record_shelf_ptr shelf = nullptr);

  /// What is durable, in the order of its keys, and how to go on writing. Ends the writer before.
  opened open();
  /// The node's process is gone: nobody hears of what was under way.
  void crash();
  /// Another disk in its place, empty, with another journal id; only while no node runs on it.
  void wipe();
  /// What is durable now.
  struct copy {
    std::string id;
    record_table records;
    std::uint64_t rows = 0;
  };
  copy copied() const;
  /// As it was when it was copied, with its id; only while no node runs on it.
  void put_back(const copy& x);
  /// Batches fail with `disk_full` until it is told otherwise, but for `ballast_batches` of those
  /// that may take the ballast.
  void set_full(bool x);
  static constexpr int ballast_batches = 64;
  void set_watcher(watcher x);

  /// The journal's id; a wiped disk has another.
  const std::string& id() const;
  const record_table& records() const;

private:
  class writer;
  struct content;
  std::shared_ptr<content> content_;
};

} // namespace legion::store::memory
