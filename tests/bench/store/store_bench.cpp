// What the journal does on real files, beside what the disk itself does: an append of one page and
// its fdatasync, in the same run and the same folder. Medians of 5. Exit code 1: a bound is missed.
//
//   tests/bench/run store        in the temporary folder; $TMPDIR chooses another disk

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "actors/consensus/core.hpp"
#include "actors/consensus/log_records.hpp"
#include "actors/group/group_keys.hpp"
#include "runtime/store/sqlite/sqlite_store.hpp"

using namespace legion;
namespace fs = std::filesystem;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr int runs = 5;
constexpr int entries = 100'000;
constexpr int groups = 64;
constexpr int value_bytes = 200;

// The bounds.
constexpr double least_records_per_second = 20'000;
constexpr double most_replay_seconds = 1;

struct folder {
  folder() {
    auto pattern = (fs::temp_directory_path() / "legion-bench-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
      std::abort();
    path = pattern;
  }
  ~folder() { fs::remove_all(path); }
  std::string path;
};

/// Counts what was written; the caller waits until few enough are open.
struct counter final : store::sink {
  void written(std::uint64_t) override {
    std::lock_guard guard{mutex};
    ++done;
    changed.notify_one();
  }
  void failed(std::uint64_t, fault why) override {
    std::fprintf(stderr, "failed: %s\n", why.detail.c_str());
    std::abort();
  }
  void wait_for(std::uint64_t n) {
    std::unique_lock guard{mutex};
    changed.wait(guard, [&] { return done >= n; });
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t done = 0;
};

double seconds_since(clock_type::time_point from) {
  return std::chrono::duration<double>(clock_type::now() - from).count();
}

double median_of(const std::function<double()>& once) {
  std::vector<double> all;
  for (int i = 0; i < runs; ++i)
    all.push_back(once());
  std::sort(all.begin(), all.end());
  return all[runs / 2];
}

store::opened open(const std::string& path) {
  auto opened = store::sqlite::open(path);
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.why().detail.c_str());
    std::abort();
  }
  return std::move(*opened);
}

void add_entry(record_batch& to, int group, int index) {
  char key[64];
  std::snprintf(key, sizeof(key), "group/%d/entry/%020d", group, index);
  auto& x = *to.add_records();
  x.set_key(key);
  x.set_value(std::string(value_bytes, static_cast<char>('a' + index % 26)));
}

/// One page appended and synced: what no journal on this disk can beat for a commit alone.
double syncs_per_second() {
  folder here;
  auto file = ::open((here.path + "/peer").c_str(), O_WRONLY | O_CREAT, 0600);
  std::string page(4096, 'x');
  constexpr int count = 500;
  auto from = clock_type::now();
  for (int i = 0; i < count; ++i)
    if (::write(file, page.data(), page.size()) < 0 || ::fdatasync(file) != 0)
      std::abort();
  ::close(file);
  return count / seconds_since(from);
}

/// One batch of one record, and the next only when it is answered.
double alone() {
  folder here;
  counter told;
  auto journal = open(here.path).start(told);
  constexpr int count = 1000;
  auto from = clock_type::now();
  for (int i = 1; i <= count; ++i) {
    record_batch batch;
    add_entry(batch, 1, i);
    journal->append(i, std::move(batch));
    told.wait_for(i);
  }
  return count / seconds_since(from);
}

/// 64 groups, each with one batch of `size` records under way: they share syncs.
double together(int size, int rounds) {
  folder here;
  counter told;
  auto journal = open(here.path).start(told);
  std::uint64_t sent = 0;
  auto from = clock_type::now();
  for (int round = 1; round <= rounds; ++round) {
    for (int g = 0; g < groups; ++g) {
      record_batch batch;
      for (int i = 0; i < size; ++i)
        add_entry(batch, g, round * size + i);
      journal->append(++sent, std::move(batch));
    }
    told.wait_for(sent - groups / 2); // half of them may still be under way
  }
  told.wait_for(sent);
  return static_cast<double>(sent) * size / seconds_since(from);
}

consensus::member_id this_member() {
  return {node_id::from_bytes(std::string(16, 'n')),
          consensus::journal_id::from_bytes(std::string(16, 'j'))};
}

/// Fills a journal with the logs of all groups, that many entries in all, in writes of `size`.
void fill(const std::string& path, int size) {
  counter told;
  auto journal = open(path).start(told);
  std::uint64_t sent = 0;
  std::vector<consensus::log_records> records;
  std::vector<consensus::log_index> last(groups, 1); // entry 1 is in no log
  for (std::uint32_t g = 0; g < groups; ++g) {
    auto prefix = group::key_prefix(group_id{g});
    record_batch batch;
    consensus::log_records::found(prefix, {this_member()}, batch);
    journal->append(++sent, std::move(batch));
    records.emplace_back(prefix);
  }
  for (int i = 0; i < entries; i += size) {
    auto g = static_cast<std::size_t>(i / size) % groups;
    consensus::write x;
    x.ballot = {1, this_member()};
    for (int k = 0; k < size; ++k)
      x.entries.push_back(std::make_shared<const consensus::entry>(
          consensus::entry{++last[g], 1, consensus::entry_kind::data,
                           std::string(value_bytes, static_cast<char>('a' + k % 26))}));
    record_batch batch;
    records[g].add(x, batch);
    journal->append(++sent, std::move(batch));
    if (sent > 1000)
      told.wait_for(sent - 1000);
  }
  told.wait_for(sent);
}

/// From the files to members that could take part.
double replay(const std::string& path) {
  auto from = clock_type::now();
  auto opened = open(path);
  std::vector<std::vector<record>> of(groups);
  for (auto& x : opened.records)
    if (auto g = group::group_of_key(x.key()))
      of[value(*g)].push_back(std::move(x));
  std::vector<consensus::core> members;
  std::size_t found = 0;
  for (std::uint32_t g = 0; g < groups; ++g) {
    auto kept = consensus::log_records{group::key_prefix(group_id{g})}.read(of[g]);
    if (!kept) {
      std::fprintf(stderr, "%s\n", kept.why().detail.c_str());
      std::abort();
    }
    found += kept->entries.size();
    consensus::core::setting x;
    x.self = this_member();
    x.ballot = kept->ballot;
    x.head = std::move(kept->head);
    x.entries = std::move(kept->entries);
    members.emplace_back(std::move(x), time_point{});
  }
  auto result = seconds_since(from);
  if (found != entries)
    std::abort();
  return result;
}

} // namespace

int main() {
  std::printf("in %s, values of %d bytes, medians of %d\n", fs::temp_directory_path().c_str(),
              value_bytes, runs);
  auto disk = median_of(syncs_per_second);
  std::printf("the disk alone: %.0f appends of a page a second, each synced\n", disk);
  auto one = median_of(alone);
  std::printf("commits alone: %.0f/s, %.2f of the disk's\n", one, one / disk);
  auto shared = median_of([] { return together(1, 100); });
  std::printf("64 groups, one record each, sharing syncs: %.0f records/s, %.1f of the disk's\n",
              shared, shared / disk);
  auto batched = median_of([] { return together(32, 20); });
  std::printf("64 groups, 32 records each, sharing syncs: %.0f records/s (%.0f wanted)\n", batched,
              least_records_per_second);
  auto missed = batched < least_records_per_second;
  for (int size : {1, 32}) {
    folder here;
    fill(here.path, size);
    auto took = median_of([&] { return replay(here.path); });
    std::printf("replay of %d entries into %d members, %d a batch: %.2f s (under %.0f)\n", entries,
                groups, size, took, most_replay_seconds);
    missed = missed || took >= most_replay_seconds;
  }
  if (missed)
    std::printf("a bound is missed\n");
  return missed ? 1 : 0;
}
