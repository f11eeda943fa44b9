// The journal alone on a disk that crashes; and whole clusters of the core over such journals.

#include <doctest/doctest.h>

#include <deque>
#include <filesystem>
#include <map>
#include <tuple>

#include <unistd.h>

#include "runtime/store/sqlite/journal_file.hpp"
#include "tests/simulation/consensus/cluster.hpp"

namespace legion::journal_test {

using namespace legion::proof;
using store::sqlite::journal_file;

namespace {

constexpr int batches = 12;
constexpr int checkpoint_after = 9; // pages: several times in so many batches
constexpr std::uint64_t steps = 20'000;

using rows = std::map<std::string, std::string>;

/// Batch n: a counter, an entry of up to three pages, and the end of an old entry.
record_batch batch_number(int n) {
  record_batch result;
  auto put = [&](std::string key, std::string value) {
    auto& x = *result.add_records();
    x.set_key(std::move(key));
    x.set_value(std::move(value));
  };
  put("counter", std::to_string(n));
  put("entry/" + std::to_string(n), std::string(static_cast<std::size_t>(n * 4099 % 9000), 'x'));
  if (n > 3)
    put("entry/" + std::to_string(n - 3), "");
  return result;
}

rows after(int n) {
  rows result;
  for (int i = 1; i <= n; ++i) {
    auto batch = batch_number(i);
    for (const auto& x : batch.records())
      if (x.value().empty())
        result.erase(x.key());
      else
        result[x.key()] = x.value();
  }
  return result;
}

/// A disk in memory, with the journal of one life after another.
struct life {
  explicit life(std::uint64_t seed) : disk(folder(), seed) { seed_sqlite(seed); }
  ~life() {
    file.reset();
    std::filesystem::remove_all(disk.folder());
  }
  static std::string folder() {
    static int number = 0;
    auto path = std::filesystem::temp_directory_path()
                / ("legion-life-" + std::to_string(::getpid()) + "-" + std::to_string(++number));
    std::filesystem::create_directories(path);
    return path.string();
  }

  /// False: the machine stopped.
  bool open() {
    file.reset();
    auto opened = journal_file::open(disk.folder());
    auto records = opened ? (*opened)->replay() : opened.why();
    if (disk.stopped())
      return false;
    REQUIRE_MESSAGE(records, records.why().detail);
    file = *opened;
    found.clear();
    for (const auto& x : *records)
      found[x.key()] = x.value();
    return true;
  }
  /// Batch by batch until the machine stops, or all are written.
  void write(int upto) {
    while (last < upto && !disk.stopped()) {
      std::deque<store::sqlite::waiting_batch> one;
      one.push_back({1, batch_number(last + 1), false});
      auto done = file->commit(one);
      REQUIRE((done || disk.stopped()));
      last += done ? 1 : 0;
      if (done && file->log_pages() >= checkpoint_after)
        file->checkpoint();
    }
  }
  void crash() {
    disk.stop();
    file.reset();
    disk.crash();
  }
  /// All that was answered, and of the next batch all or nothing.
  void check() {
    if (found != after(last)) {
      ++last;
      CHECK(found == after(last));
    }
  }

  crashing_disk disk;
  std::shared_ptr<journal_file> file;
  rows found;
  int last = 0; // batch, that is on disk for sure
};

} // namespace

TEST_SUITE("consensus/journal") {

  TEST_CASE("a machine that stops at any operation keeps what was answered, and no torn batch") {
    std::uint64_t operations = 0;
    {
      life whole{1};
      REQUIRE(whole.open());
      whole.write(batches);
      operations = whole.disk.operations();
    }
    CHECK(operations > 100);
    for (std::uint64_t stop = 0; stop < operations; ++stop)
      for (std::uint64_t k = 1; k <= 6; ++k) {
        auto seed = stop * 6 + k;
        CAPTURE(stop);
        CAPTURE(seed);
        life x{seed};
        x.disk.stop_at(crashing_disk::place::anywhere, stop);
        if (x.open())
          x.write(batches);
        REQUIRE(x.disk.stopped());
        for (std::uint64_t again = 0; again < 3; ++again) { // and once more soon after
          x.crash();
          REQUIRE(x.open());
          x.check();
          x.disk.stop_at(crashing_disk::place::anywhere, (stop * 7 + seed + again * 5) % 17);
          x.write(x.last + 3);
        }
        x.disk.go_on();
      }
  }

  TEST_CASE("a disk that answers a sync and does not do it loses what was answered") {
    auto lost = 0; // a crash keeps what it likes of what was not synced
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      life x{seed};
      REQUIRE(x.open());
      x.disk.lie();
      x.write(batches);
      x.crash();
      REQUIRE(x.open());
      lost += x.found != after(batches) ? 1 : 0;
    }
    CHECK(lost >= 10);
  }

  TEST_CASE(
      "clusters over SQLite's files: what a journal answered before it was synced is missed") {
    auto caught = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      cluster run{{seed, steps, seeded::journal_not_synced, true}};
      auto what = run.run();
      caught += what.empty() ? 0 : 1;
      if (seed == 1)
        MESSAGE(what);
    }
    CHECK(caught >= 10);
  }

  TEST_CASE("clusters over SQLite's files: without a fault the same seeds find nothing") {
    real_journal::counts all;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      CAPTURE(seed);
      cluster run{{seed, steps, seeded::nothing, seed % 2 == 0, false, true}};
      CHECK(run.run() == "");
      all += run.counted().journals;
    }
    CHECK(all.stops_in_transactions > 100);
    CHECK(all.stops_in_openings > 10);
    CHECK(all.stops_in_checkpoints > 10);
    CHECK(all.stops_at_new_logs > 10);
  }

  TEST_CASE("clusters over SQLite's files: the same seed, the same run") {
    auto digest = [](std::uint64_t seed) {
      cluster run{{seed, steps, seeded::nothing, false, false, true}};
      run.run();
      return std::tuple{run.digest(), run.steps(), run.counted().journals.transactions,
                        run.counted().journals.stops_in_transactions};
    };
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      CHECK(digest(seed) == digest(seed));
      CHECK(digest(seed) != digest(seed + 1));
    }
  }

} // TEST_SUITE

} // namespace legion::journal_test
