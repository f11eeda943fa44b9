#include "runtime/store/sqlite/sqlite_store.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "runtime/store/sqlite/ballast.hpp"
#include "runtime/store/sqlite/end_mark.hpp"
#include "runtime/store/sqlite/journal_file.hpp"
#include "runtime/store/sqlite/salvage.hpp"

namespace legion::store::sqlite {
namespace {

using clock = std::chrono::steady_clock;

constexpr auto cure = "; free space there: changes are taken again once there is some";
/// While the disk is full, space is looked for so often.
constexpr auto look_again = std::chrono::seconds{1};
/// Nothing to write for so long: the moment to tidy up.
constexpr auto lull = std::chrono::milliseconds{100};
/// Beside the ballast, so much must fit before the disk counts as having space.
constexpr std::size_t least_space = 256 * 1024;
/// Free on the disk before the log is given space that it does not need yet.
constexpr std::size_t plenty = 64 * 1024 * 1024;

/// Owns the writer thread and what waits for it.
///
/// On a full disk every batch is still tried, for a small one may fit where a large one did not.
/// Once the ballast was given back, its space is for those that may take it only.
class sqlite_store final : public store {
public:
  sqlite_store(std::shared_ptr<journal_file> file, const std::string& folder, row_count rows,
               sink& to)
      : file_(std::move(file)), ballast_(folder), mark_(folder, file_->id()),
        rows_(std::move(rows)), folder_(folder), to_(to) {
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
    auto takes_ballast = may_take_ballast(batch);
    batch.clear_from_ballast(); // for this door only, not for the disk
    auto size = batch.ByteSizeLong();
    if (size > max_batch_bytes) {
      to_.failed(correlation,
                 {errc::too_large, "a batch of " + std::to_string(size) + " bytes; the limit is "
                                       + std::to_string(max_batch_bytes)});
      return;
    }
    if (enqueue({correlation, std::move(batch), takes_ballast}, size))
      wake_.notify_one();
    else
      to_.failed(correlation, {errc::overloaded, "the journal's queue is full"});
  }

private:
  bool enqueue(waiting_batch what, std::size_t size) {
    std::lock_guard guard{mutex_};
    if (waiting_.size() >= max_waiting_batches || waiting_bytes_ + size > max_waiting_bytes)
      return false;
    waiting_.push_back(std::move(what));
    waiting_bytes_ += size;
    return true;
  }

  void run() {
    if (!ballast_.take())
      set_full("there is no space for the ballast of "
               + std::to_string(ballast::bytes / 1024 / 1024) + " MiB");
    for (;;) {
      if (full_ && clock::now() >= look_at_)
        look_for_space();
      std::deque<waiting_batch> taken;
      {
        std::unique_lock guard{mutex_};
        auto ready = [this] { return stopping_ || !waiting_.empty(); };
        auto tidies = file_->wants_checkpoint();
        if (full_)
          wake_.wait_until(guard, look_at_, ready);
        else if (!tidies)
          wake_.wait(guard, ready);
        else if (!wake_.wait_for(guard, lull, ready)) {
          guard.unlock();
          file_->checkpoint();
          continue;
        }
        if (waiting_.empty() && stopping_)
          return;
        taken.swap(waiting_);
        waiting_bytes_ = 0;
      }
      if (!taken.empty()) {
        write(taken);
        reserve_once();
      }
      if (file_->needs_checkpoint()) // after those who wait were told
        file_->checkpoint();
    }
  }

  void write(std::deque<waiting_batch>& taken) {
    if (!full_ && taken.size() > 1 && file_->commit(taken)) {
      mark_end();
      for (auto& x : taken)
        to_.written(x.correlation);
      return;
    }
    // One that does not fit must not fail the others.
    for (auto& x : taken) {
      auto correlation = x.correlation;
      auto one = write_one(std::move(x));
      if (!one) {
        to_.failed(correlation, one.why());
        continue;
      }
      mark_end();
      to_.written(correlation);
    }
  }

  /// What was committed is told next.
  void mark_end() {
    file_->check_folder();
    mark_.put(file_->next_row());
    rows_->store(static_cast<std::uint64_t>(file_->next_row() - 1));
  }

  /// Where space is plenty. Behind the first commit: the log's header is on disk then.
  void reserve_once() {
    std::error_code error;
    if (!full_ && ballast_.whole() && !std::exchange(reserved_, true)
        && std::filesystem::space(folder_, error).available >= plenty && !error)
      file_->reserve_log();
  }

  result<void> write_one(waiting_batch what) {
    auto entitled = what.takes_ballast;
    if (full_ && !ballast_.whole() && !entitled)
      return fault{errc::disk_full, folder_ + ": the disk is full" + cure};
    std::deque<waiting_batch> alone;
    alone.push_back(std::move(what));
    auto how = full_ ? journal_file::clearing::later : journal_file::clearing::yes;
    auto done = file_->commit(alone, how);
    if (done || done.why().code != errc::disk_full)
      return done;
    set_full(done.why().detail);
    if (!entitled || !ballast_.whole())
      return fault{errc::disk_full, done.why().detail + cure};
    ballast_.drop();
    return file_->commit(alone, journal_file::clearing::later);
  }

  void set_full(const std::string& detail) {
    if (full_)
      return;
    full_ = true;
    look_at_ = clock::now() + look_again;
    to_.health_changed({true, detail});
  }

  void look_for_space() {
    look_at_ = clock::now() + look_again;
    if ((!ballast_.whole() && !ballast_.take()) || !ballast_.fits(least_space))
      return;
    full_ = false;
    to_.health_changed({});
  }

  std::shared_ptr<journal_file> file_;
  ballast ballast_;
  end_mark mark_;
  row_count rows_;
  std::string folder_;
  sink& to_;
  bool full_ = false; // this and the next two belong to the writer's thread
  bool reserved_ = false;
  clock::time_point look_at_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<waiting_batch> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool stopping_ = false;
  std::thread writer_;
};

} // namespace

result<opened> open(const std::string& folder) {
  if (std::filesystem::exists(damage_mark(folder))) {
    auto why = marked_reason(folder);
    return fault{errc::damaged,
                 folder + "/journal.db: "
                     + (why.empty() ? "was found damaged and is not set aside yet" : why)};
  }
  auto file = journal_file::open(folder);
  if (!file)
    return file.why();
  auto records = (*file)->replay();
  if (!records)
    return records.why();
  auto reached = end_mark::read(folder, (*file)->id());
  if (reached && *reached > (*file)->next_row())
    return fault{errc::damaged, folder + "/journal.db: it ends at row "
                                    + std::to_string((*file)->next_row() - 1) + ", but went on to "
                                    + std::to_string(*reached - 1)
                                    + ": its end is lost, or it is an old copy"};
  opened result{(*file)->id(), std::move(*records), {}};
  result.rows->store(static_cast<std::uint64_t>((*file)->next_row() - 1));
  result.start = [file = *file, folder, rows = result.rows](sink& to) -> std::unique_ptr<store> {
    return std::make_unique<sqlite_store>(file, folder, rows, to);
  };
  return result;
}

} // namespace legion::store::sqlite
