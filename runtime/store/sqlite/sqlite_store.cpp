#include "runtime/store/sqlite/sqlite_store.hpp"

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "runtime/store/sqlite/journal_file.hpp"

namespace legion::store::sqlite {
namespace {

/// Owns the writer thread and what waits for it.
class sqlite_store final : public store {
public:
  sqlite_store(std::shared_ptr<journal_file> file, sink& to) : file_(std::move(file)), to_(to) {
    writer_ = std::thread{[this] { run(); }};
  }

  ~sqlite_store() override {
    {
      std::lock_guard guard{mutex_};
      stopping_ = true;
    }
    wake_.notify_one();
    writer_.join();
  }

  void append(std::uint64_t correlation, record_batch batch) override {
    auto size = batch.ByteSizeLong();
    if (size > max_batch_bytes) {
      to_.failed(correlation,
                 {errc::too_large, "a batch of " + std::to_string(size) + " bytes; the limit is "
                                       + std::to_string(max_batch_bytes)});
      return;
    }
    {
      std::lock_guard guard{mutex_};
      if (waiting_.size() < max_waiting_batches && waiting_bytes_ + size <= max_waiting_bytes) {
        waiting_.push_back({correlation, std::move(batch)});
        waiting_bytes_ += size;
        wake_.notify_one();
        return;
      }
    }
    to_.failed(correlation, {errc::overloaded, "the journal's queue is full"});
  }

private:
  void run() {
    for (;;) {
      std::deque<waiting_batch> taken;
      {
        std::unique_lock guard{mutex_};
        wake_.wait(guard, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty())
          return;
        taken.swap(waiting_);
        waiting_bytes_ = 0;
      }
      write(taken);
    }
  }

  void write(const std::deque<waiting_batch>& taken) {
    if (auto all = file_->commit(taken); all) {
      for (auto& x : taken)
        to_.written(x.correlation);
      return;
    } else if (taken.size() == 1) {
      to_.failed(taken.front().correlation, all.why());
      return;
    }
    // One that does not fit must not fail the others.
    for (auto& x : taken) {
      if (auto one = file_->commit({x}); one)
        to_.written(x.correlation);
      else
        to_.failed(x.correlation, one.why());
    }
  }

  std::shared_ptr<journal_file> file_;
  sink& to_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<waiting_batch> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool stopping_ = false;
  std::thread writer_;
};

} // namespace

result<opened> open(const std::string& folder) {
  auto file = journal_file::open(folder);
  if (!file)
    return file.why();
  auto records = (*file)->replay();
  if (!records)
    return records.why();
  return opened{std::move(*records), [file = *file](sink& to) -> std::unique_ptr<store> {
                  return std::make_unique<sqlite_store>(file, to);
                }};
}

} // namespace legion::store::sqlite
