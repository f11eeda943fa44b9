// Whole clusters of the consensus core under faults; the last line is `consensus: N passed, N failed`.
// Fails too when fewer steps were made under faults than the seeds were to make.
//
//   consensus_simulation --seeds 1-100 [--steps 100000] [--fault NUMBER] [--wild] [--trace]
//                        [--disk model|sqlite]
//
// With `--disk sqlite` the members' journals are SQLite's files in a temporary folder ($TMPDIR,
// else memory), on disks that crash within writes.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/simulation/consensus/cluster.hpp"

using namespace legion::proof;

int main(int argc, char** argv) {
  std::uint64_t first = 1;
  std::uint64_t last = 100;
  cluster::setting x;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    auto value = [&] { return i + 1 < argc ? std::string{argv[++i]} : std::string{}; };
    if (word == "--seeds") {
      auto range = value();
      auto dash = range.find('-');
      first = std::strtoull(range.c_str(), nullptr, 10);
      last =
          dash == std::string::npos ? first : std::strtoull(range.c_str() + dash + 1, nullptr, 10);
    } else if (word == "--steps") {
      x.steps = std::strtoull(value().c_str(), nullptr, 10);
    } else if (word == "--fault") {
      x.broken = static_cast<seeded>(std::strtoul(value().c_str(), nullptr, 10) % seeded_kinds);
    } else if (word == "--wild") {
      x.wild = true;
    } else if (word == "--trace") {
      x.trace = true;
    } else if (word == "--disk") {
      x.sqlite = value() == "sqlite";
    } else {
      std::fprintf(stderr,
                   "usage: %s --seeds A-B [--steps N] [--fault N] [--wild] [--trace] "
                   "[--disk model|sqlite]\n",
                   argv[0]);
      return 2;
    }
  }
  std::uint64_t passed = 0;
  std::uint64_t failed = 0;
  std::uint64_t steps = 0;
  std::uint64_t troubled = 0;
  cluster::counts all;
  for (auto seed = first; seed <= last; ++seed) {
    x.seed = seed;
    cluster run{x};
    auto what = run.run();
    steps += run.steps();
    troubled += run.steps_in_trouble();
    auto c = run.counted();
    all.elections += c.elections;
    all.commits += c.commits;
    all.reads += c.reads;
    all.writes += c.writes;
    all.crashes += c.crashes;
    all.wipes += c.wipes;
    all.restores += c.restores;
    all.partitions += c.partitions;
    all.changes += c.changes;
    all.snapshots += c.snapshots;
    all.readmissions += c.readmissions;
    all.fences += c.fences;
    all.journals += c.journals;
    if (what.empty()) {
      ++passed;
      continue;
    }
    ++failed;
    std::printf("seed %lu, step %lu: %s\n  replay: %s --seeds %lu-%lu --steps %lu%s%s%s\n", seed,
                run.steps(), what.c_str(), argv[0], seed, seed, x.steps,
                x.broken == seeded::nothing
                    ? ""
                    : (" --fault " + std::to_string(static_cast<int>(x.broken))).c_str(),
                x.wild ? " --wild" : "", x.sqlite ? " --disk sqlite" : "");
  }
  std::printf(
      "%lu steps: %lu elections, %lu commits, %lu writes and %lu reads answered, %lu crashes, "
      "%lu wipes, %lu restored, %lu fenced, %lu readmissions asked for, %lu partitions, "
      "%lu changes of members, %lu snapshots installed\n",
      steps, all.elections, all.commits, all.writes, all.reads, all.crashes, all.wipes,
      all.restores, all.fences, all.readmissions, all.partitions, all.changes, all.snapshots);
  if (const auto& j = all.journals; j.transactions != 0)
    std::printf(
        "%lu transactions and %lu openings of journals; the machine stopped in %lu and %lu of "
        "them, at %lu new logs, in %lu checkpoints\n",
        j.transactions, j.openings, j.stops_in_transactions, j.stops_in_openings,
        j.stops_at_new_logs, j.stops_in_checkpoints);
  auto wanted = last < first ? 0 : (last - first + 1) * x.steps;
  std::printf("%lu steps under faults, of %lu\n", troubled, wanted);
  if (troubled < wanted && failed == 0)
    ++failed;
  std::printf("consensus: %lu passed, %lu failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
