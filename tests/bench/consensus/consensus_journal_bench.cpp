// Three cores in one process, each with its own journal of SQLite on disk: what is committed in a
// second when the leader's proposals wait for syncs. In the temporary folder; $TMPDIR chooses
// another disk.
//
// As in the product (actors/consensus/seat): one batch of a member is under way, and all that it
// wants to write meanwhile goes to the disk together, next. Everybody's messages pass as they are;
// what is measured is rules, records and disks, in the time of the wall.

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "actors/consensus/core.hpp"
#include "actors/consensus/log_records.hpp"
#include "runtime/store/sqlite/sqlite_store.hpp"

using namespace legion;
using namespace legion::consensus;
using wall_clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t proposal_bytes = 16;
constexpr log_index snapshot_interval = 4096; // entries; so the log and its rows stay short

struct folder {
  folder() {
    auto pattern = (std::filesystem::temp_directory_path() / "legion-bench-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
      std::abort();
    path = pattern;
  }
  ~folder() { std::filesystem::remove_all(path); }
  std::string path;
};

/// Which members' batches were synced since the last look; the journals' own threads say so.
class done_writes {
public:
  void add(std::size_t member) {
    std::lock_guard guard{mutex_};
    ++done_[member];
    changed_.notify_one();
  }
  std::array<int, 3> wait() {
    std::unique_lock guard{mutex_};
    changed_.wait(guard, [this] { return done_[0] + done_[1] + done_[2] > 0; });
    return std::exchange(done_, {});
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<int, 3> done_{};
};

struct told final : store::sink {
  told(done_writes& all, std::size_t member) : all(all), member(member) {}
  void written(std::uint64_t) override { all.add(member); }
  void failed(std::uint64_t, fault why) override {
    std::fprintf(stderr, "failed: %s\n", why.detail.c_str());
    std::abort();
  }
  done_writes& all;
  std::size_t member;
};

struct pending {
  record_batch batch;
  std::uint64_t sequence = 0;
  log_index compact_to = 0;
};

struct member {
  folder here;
  std::unique_ptr<told> sink;
  std::unique_ptr<store::store> journal;
  log_records records{"group/0/"};
  std::unique_ptr<core> rules;
  std::deque<message> inbox;
  std::deque<pending> waiting;
  pending writing;
  bool busy = false;
  log_index applied = 0, snapshot_at = 0;
};

class three_members {
public:
  three_members() {
    std::vector<member_id> all;
    for (char c : {'a', 'b', 'c'})
      all.push_back(
          {node_id::from_bytes(std::string(16, c)), journal_id::from_bytes(std::string(16, 'j'))});
    for (std::size_t i = 0; i < 3; ++i) {
      auto& m = members_[i];
      auto opened = store::sqlite::open(m.here.path);
      if (!opened)
        std::abort();
      m.sink = std::make_unique<told>(done_, i);
      m.journal = opened->start(*m.sink);
      core::setting s;
      s.self = all[i];
      s.seed = i;
      s.head = founded_by(all);
      pending first;
      log_records::found("group/0/", all, first.batch);
      m.waiting.push_back(std::move(first));
      m.applied = m.snapshot_at = s.head.index;
      m.rules = std::make_unique<core>(std::move(s), now_);
    }
    while (leader().role() != role::leader || leader().commit() < 2) {
      now_ += milliseconds{100};
      leader().on_tick(now_);
      settle();
    }
  }

  core& leader() { return *members_[0].rules; }
  log_index applied() const { return members_[0].applied; }

  /// All that can be done without waiting for a disk.
  void work() {
    for (bool busy = true; busy;) {
      busy = false;
      for (auto& m : members_) {
        for (; !m.inbox.empty(); m.inbox.pop_front())
          m.rules->on_message(std::move(m.inbox.front()), now_);
        if (m.rules->has_work()) {
          busy = true;
          perform(m, m.rules->take_work(now_));
        }
        write_next(m);
      }
    }
  }
  void wait_for_disks() {
    auto done = done_.wait();
    for (std::size_t i = 0; i < 3; ++i)
      if (auto& m = members_[i]; done[i] != 0) {
        m.busy = false;
        if (m.writing.sequence != 0)
          m.rules->on_written(m.writing.sequence, now_);
        if (m.writing.compact_to != 0)
          m.rules->compact(m.writing.compact_to);
      }
  }
  void settle() {
    for (work(); members_[0].busy || members_[1].busy || members_[2].busy; work())
      wait_for_disks();
  }

private:
  void perform(member& m, consensus::work todo) {
    if (todo.write) {
      pending x;
      m.records.add(*todo.write, x.batch);
      x.sequence = todo.write->sequence;
      m.waiting.push_back(std::move(x));
    }
    for (auto& x : todo.messages)
      for (auto& to : members_)
        if (to.rules->self() == x.to)
          to.inbox.push_back(std::move(x));
    if (todo.committed.empty())
      return;
    m.applied = todo.committed.back()->index;
    m.rules->on_applied(m.applied);
    if (m.applied - m.snapshot_at < snapshot_interval)
      return;
    pending x;
    m.snapshot_at = m.applied;
    m.records.add_snapshot(m.rules->head_at(m.applied), "state", m.applied - 128, x.batch);
    x.compact_to = m.applied - 129;
    m.waiting.push_back(std::move(x));
  }

  void write_next(member& m) {
    if (m.busy || m.waiting.empty())
      return;
    m.writing = {};
    for (auto& x : m.waiting) {
      for (auto& y : *x.batch.mutable_records())
        *m.writing.batch.add_records() = std::move(y);
      m.writing.sequence = std::max(m.writing.sequence, x.sequence);
      m.writing.compact_to = std::max(m.writing.compact_to, x.compact_to);
    }
    m.waiting.clear();
    m.busy = true;
    m.journal->append(1, std::move(m.writing.batch));
  }

  done_writes done_;
  std::array<member, 3> members_;
  time_point now_ = time_point{} + std::chrono::hours{1};
};

/// So many proposals are always under way; each that is committed is followed by another.
double committed_a_second(std::uint64_t under_way, std::uint64_t total) {
  three_members group;
  auto first = group.applied();
  auto begin = wall_clock::now();
  std::uint64_t proposed = 0;
  auto done = [&] { return group.applied() - first; };
  while (done() < total) {
    for (; proposed < total && proposed - done() < under_way; ++proposed)
      if (!group.leader().propose(std::string(proposal_bytes, 'x')))
        break;
    group.work();
    if (done() < total && (proposed == total || proposed - done() >= under_way))
      group.wait_for_disks();
  }
  auto spent = std::chrono::duration<double>(wall_clock::now() - begin).count();
  group.settle();
  return static_cast<double>(total) / spent;
}

void report(std::uint64_t under_way, std::uint64_t total) {
  std::vector<double> runs;
  for (int i = 0; i < 5; ++i)
    runs.push_back(committed_a_second(under_way, total));
  std::sort(runs.begin(), runs.end());
  std::printf("%5lu under way %35s %10.0f /s (median of 5; %.0f to %.0f)\n", under_way, "", runs[2],
              runs[0], runs[4]);
}

} // namespace

int main() {
  std::printf(
      "three cores in one process, each with its journal on disk in %s, %zu-byte proposals\n"
      "(20,000 a second wanted)\n",
      std::filesystem::temp_directory_path().c_str(), proposal_bytes);
  report(4096, 60'000);
  report(1024, 30'000);
  report(256, 10'000);
  report(1, 500);
}
