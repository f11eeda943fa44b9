// A model disk whose records lie in a real journal.

#include <utility>

#include "tests/simulation/consensus/model_disk.hpp"

namespace legion::proof {

namespace {

std::map<std::string, std::string> by_key(const std::vector<record>& records) {
  std::map<std::string, std::string> result;
  for (const auto& x : records)
    result[x.key()] = x.value();
  return result;
}

} // namespace

/// Closed and opened: nothing may have changed.
void model_disk::open_files() {
  if (std::exchange(opened_, false) || flaw_)
    return;
  auto found = files_->open();
  if (!found)
    flaw_ = found.why();
  else if (by_key(*found) != rows_)
    flaw_ = fault{errc::damaged, "opened once more, its files hold other records than before"};
}

bool model_disk::write_files(std::size_t count) {
  if (!files_ || count == 0)
    return true;
  std::vector<record_batch> all;
  for (std::size_t i = 0; i < count; ++i)
    all.push_back(unsynced[i].records);
  auto done = files_->commit(std::move(all));
  if (!done)
    flaw_ = done.why();
  sure_ = done && *done;
  return !files_->stopped();
}

void model_disk::write_to_files(const record_batch& x) {
  if (auto done = files_->commit({x}); !done)
    flaw_ = done.why();
}

/// The machine stops in what the journal's writer is at, which is all that waited when it began,
/// and is started again at once, though its node may be later.
void model_disk::crash_files(std::mt19937_64& random) {
  auto taken = syncing != 0 ? syncing : random() % (unsynced.size() + 1);
  if (!files_->stopped()) {
    files_->stop_soon();
    sure_ = false;
    write_files(taken);
  }
  files_->crash();
  auto found = files_->open();
  opened_ = true;
  if (!found) {
    flaw_ = found.why();
    return;
  }
  auto now = by_key(*found);
  if (files_->lies())
    return adopt(std::move(now));
  if (now == rows_ && !sure_)
    return;
  for (; taken > 0; --taken)
    sync_one();
  if (now != rows_)
    flaw_ =
        fault{errc::damaged, "after a crash its files hold neither what was synced nor that and "
                             "all of the transaction under way"};
}

/// What a disk that lied still has is what is durable.
void model_disk::adopt(rows found) {
  rows_ = std::move(found);
  auto was = read();
  if (!was) {
    flaw_ = was.why();
    return;
  }
  ballot = was->ballot;
  removed_at = was->removed_at;
  kept.head = was->head;
  kept.state = std::make_shared<const std::string>(was->state);
  entries = was->entries;
}

} // namespace legion::proof
