// Three cores in one process, on one thread, with disks that are always done: what the rules alone cost, in
// processor time, so that what else the machine does changes little.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "actors/consensus/core.hpp"
#include "actors/consensus/wire.hpp"

using namespace legion;
using namespace legion::consensus;

namespace {

struct three_cores {
  std::array<std::unique_ptr<core>, 3> cores;
  std::array<std::deque<message>, 3> inbox;
  std::array<std::uint64_t, 3> applied{};
  time_point now = time_point{} + std::chrono::hours{1};

  explicit three_cores(options tuned) {
    std::vector<member_id> all;
    for (char c : {'a', 'b', 'c'})
      all.push_back(
          {node_id::from_bytes(std::string(16, c)), journal_id::from_bytes(std::string(16, 'j'))});
    for (std::size_t i = 0; i < 3; ++i) {
      core::setting s;
      s.self = all[i];
      s.seed = i;
      s.tuned = tuned;
      s.head = founded_by(all);
      cores[i] = std::make_unique<core>(std::move(s), now);
    }
    while (cores[0]->role() != role::leader) {
      now += milliseconds{100};
      cores[0]->on_tick(now);
      run();
    }
  }

  /// Until nothing is to be done.
  template <class Via>
  void run_via(Via via) {
    for (bool busy = true; busy;) {
      busy = false;
      for (std::size_t i = 0; i < 3; ++i) {
        for (; !inbox[i].empty(); inbox[i].pop_front())
          cores[i]->on_message(std::move(inbox[i].front()), now);
        if (!cores[i]->has_work())
          continue;
        busy = true;
        auto todo = cores[i]->take_work(now);
        if (todo.write)
          cores[i]->on_written(todo.write->sequence, now);
        for (auto& m : todo.messages)
          for (std::size_t k = 0; k < 3; ++k)
            if (cores[k]->self() == m.to)
              inbox[k].push_back(via(std::move(m)));
        if (!todo.committed.empty()) {
          applied[i] = todo.committed.back()->index;
          cores[i]->on_applied(applied[i]);
          if (applied[i] % 4096 < todo.committed.size())
            cores[i]->compact(applied[i] - 1024);
        }
      }
    }
  }
  void run() {
    run_via([](message&& x) { return std::move(x); });
  }
};

double proposals_a_second(std::size_t batch, bool encoded, std::uint64_t total) {
  three_cores group{options{}};
  auto begin = std::clock();
  auto first = group.applied[0];
  for (std::uint64_t done = 0; done < total;) {
    for (std::size_t i = 0; i < batch; ++i, ++done)
      if (!group.cores[0]->propose(std::string(16, 'x')))
        break;
    if (encoded)
      group.run_via([](message&& x) {
        auto bytes = to_wire(x).SerializeAsString();
        consensus_message back;
        back.ParseFromString(bytes);
        return *from_wire(back, x.from, x.to);
      });
    else
      group.run();
  }
  auto spent = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  return static_cast<double>(group.applied[0] - first) / spent;
}

void report(const char* what, std::size_t batch, bool encoded, std::uint64_t total) {
  std::vector<double> runs;
  for (int i = 0; i < 5; ++i)
    runs.push_back(proposals_a_second(batch, encoded, total));
  std::sort(runs.begin(), runs.end());
  std::printf("%-58s %10.0f /s (median of 5; %.0f to %.0f)\n", what, runs[2], runs[0], runs[4]);
}

} // namespace

int main() {
  std::printf("three cores in one process, one core, 16-byte proposals\n");
  report("in batches of 256", 256, false, 2'000'000);
  report("in batches of 256, each message encoded and decoded", 256, true, 500'000);
  report("in batches of 16", 16, false, 1'000'000);
  report("one at a time", 1, false, 200'000);
}
