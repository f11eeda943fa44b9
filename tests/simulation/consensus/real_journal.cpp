#include "tests/simulation/consensus/real_journal.hpp"

#include <cstdlib>
#include <deque>
#include <filesystem>

namespace legion::proof {

namespace fs = std::filesystem;

namespace {

/// In memory where the machine has such a file system: nothing here needs to outlive the process.
std::string new_folder() {
  auto* chosen = std::getenv("TMPDIR");
  fs::path in = chosen ? chosen : fs::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
  auto pattern = (in / "legion-proof-XXXXXX").string();
  if (!mkdtemp(pattern.data()))
    std::abort();
  return pattern;
}

} // namespace

real_journal::real_journal(std::uint64_t seed)
    : random_(seed), checkpoint_after_(4 << random_() % 8), disk_(new_folder(), random_()) {}

real_journal::~real_journal() {
  file_.reset();
  std::error_code ignored;
  fs::remove_all(disk_.folder(), ignored);
}

result<std::vector<record>> real_journal::open_once() {
  auto opened = store::sqlite::journal_file::open(disk_.folder());
  if (!opened)
    return opened.why();
  file_ = *opened;
  auto records = file_->replay();
  if (!records || disk_.stopped())
    return records;
  if (!id_.empty() && id_ != file_->id() && !disk_.lies())
    return fault{errc::damaged, "the journal has another id than before"};
  id_ = file_->id();
  return records;
}

result<std::vector<record>> real_journal::open() {
  for (;;) {
    file_.reset();
    disk_.go_on();
    if (random_() % 4 == 0)
      disk_.stop_at(crashing_disk::place::anywhere, random_() % 40);
    ++counts_.openings;
    auto records = open_once();
    if (!disk_.stopped()) {
      disk_.go_on();
      return records;
    }
    ++counts_.stops_in_openings;
    crash();
  }
}

result<bool> real_journal::commit(std::vector<record_batch> batches) {
  std::deque<store::sqlite::waiting_batch> all;
  for (auto& x : batches)
    all.push_back({0, std::move(x), false});
  ++counts_.transactions;
  auto done = file_->commit(all);
  if (done && file_->log_pages() >= checkpoint_after_)
    file_->checkpoint();
  if (disk_.stopped()) {
    auto at = disk_.stopped_at();
    ++(at == crashing_disk::place::checkpoint    ? counts_.stops_in_checkpoints
       : at == crashing_disk::place::log_restart ? counts_.stops_at_new_logs
                                                 : counts_.stops_in_transactions);
    return static_cast<bool>(done);
  }
  if (!done)
    return done.why();
  return true;
}

/// Small numbers as often as large ones.
std::uint64_t real_journal::any_size(int bits) {
  auto limit = std::uint64_t{2} << random_() % static_cast<std::uint64_t>(bits);
  return random_() % limit;
}

void real_journal::stop_some_time() {
  using place = crashing_disk::place;
  switch (random_() % 4) {
    case 0:
      return disk_.stop_at(place::anywhere, any_size(11));
    case 1:
      return disk_.stop_at(place::checkpoint, any_size(10));
    case 2:
      return disk_.stop_at(place::log_restart, random_() % 4);
    default:
      return disk_.go_on();
  }
}

void real_journal::stop_soon() {
  disk_.stop_at(crashing_disk::place::anywhere, any_size(6));
}

void real_journal::crash() {
  disk_.stop();
  file_.reset();
  disk_.crash();
}

real_journal::counts& real_journal::counts::operator+=(const counts& x) {
  transactions += x.transactions;
  openings += x.openings;
  stops_in_transactions += x.stops_in_transactions;
  stops_in_openings += x.stops_in_openings;
  stops_in_checkpoints += x.stops_in_checkpoints;
  stops_at_new_logs += x.stops_at_new_logs;
  return *this;
}

std::shared_ptr<real_journal> real_journal::copy() {
  auto result = std::make_shared<real_journal>(random_());
  for (const auto& x : fs::directory_iterator{disk_.folder()})
    fs::copy_file(x.path(), result->disk_.folder() / x.path().filename());
  result->id_ = id_;
  if (disk_.lies())
    result->disk_.lie();
  return result;
}

} // namespace legion::proof
