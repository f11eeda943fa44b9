#include <doctest/doctest.h>

#include <iterator>

#include "tests/simulation/consensus/cluster.hpp"

namespace legion::faults_test {

using namespace legion::proof;

namespace {

constexpr std::uint64_t steps = 20'000;
constexpr std::uint64_t most_seeds = 6'000;

struct row {
  seeded fault;
  const char* checker; // what its complaint begins with
  bool wild = true;    // elections all the time; reads of who was deposed need some quiet
};
constexpr row rows[] = {{seeded::vote_forgotten, "election safety: "},
                        {seeded::term_forgotten, "election safety: "},
                        {seeded::old_term_counted, "leader completeness: "},
                        {seeded::no_noop, "linearizability: "},
                        {seeded::no_log_check, "leader completeness: "},
                        {seeded::answered_before_sync, "leader completeness: "},
                        {seeded::commit_moved_back, "commit index: "},
                        {seeded::snapshot_over_longer_log, "leader completeness: "},
                        {seeded::change_before_noop, "change of members: "},
                        {seeded::unconfirmed_read, "linearizability: ", false},
                        {seeded::removed_member_counted, "leader completeness: "},
                        {seeded::wiped_member_votes, "leader completeness: "},
                        {seeded::applied_twice, "exactly once: "},
                        {seeded::journal_not_synced, "leader completeness: "}};
static_assert(std::size(rows) == seeded_kinds - 1);

/// The first seed at which this checker sees the fault, and what it says. Others may see other
/// things first, at other seeds: they do not count. 0: none of all does.
std::pair<std::uint64_t, std::string> caught(const row& x) {
  for (std::uint64_t seed = 1; seed <= most_seeds; ++seed) {
    cluster run{{seed, steps, x.fault, x.wild}};
    if (auto what = run.run(); what.starts_with(x.checker))
      return {seed, what};
  }
  return {};
}

} // namespace

TEST_SUITE("consensus/faults") {

  TEST_CASE("each seeded fault is caught by its checker, at a seed that is clean without it") {
    for (const auto& x : rows) {
      auto [seed, what] = caught(x);
      MESSAGE(std::string{to_string(x.fault)} << ": seed " << seed << ": " << what);
      CHECK_MESSAGE(seed != 0, std::string{to_string(x.fault)}, " is not seen by ", x.checker);
      cluster::setting whole{seed, steps, seeded::nothing, x.wild};
      whole.sqlite = x.fault == seeded::journal_not_synced;
      CHECK(cluster{whole}.run() == "");
    }
  }

  TEST_CASE("without a fault nothing is found, whether elections are wild or not") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      CAPTURE(seed);
      CHECK(cluster{{seed, steps, seeded::nothing, true}}.run() == "");
      CHECK(cluster{{seed, steps, seeded::nothing, false}}.run() == "");
    }
  }

  TEST_CASE("the same seed, the same run; another seed, another") {
    auto digest = [](std::uint64_t seed) {
      cluster run{{seed, steps}};
      run.run();
      return std::pair{run.digest(), run.steps()};
    };
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      CHECK(digest(seed) == digest(seed));
      CHECK(digest(seed) != digest(seed + 1));
    }
  }

  TEST_CASE("histories of a register: what is linearizable and what is not") {
    history x; // write 1, then read it
    x.wrote(0, 1, 1, 2);
    x.read(0, 1, 3, 4);
    CHECK(x.flaw() == "");

    history stale; // 2 is written after 1, then 1 is read
    stale.wrote(0, 1, 1, 2);
    stale.wrote(0, 2, 3, 4);
    CHECK(stale.flaw() == "");
    stale.read(0, 1, 5, 6);
    CHECK(stale.flaw() != "");

    history beside; // while 2 is being written, 1 and then 2 may be read, but not 2 and then 1
    beside.wrote(0, 1, 1, 2);
    beside.wrote(0, 2, 3, 9);
    beside.read(0, 1, 4, 5);
    beside.read(0, 2, 6, 7);
    CHECK(beside.flaw() == "");
    beside.read(0, 1, 8, 10);
    CHECK(beside.flaw() != "");

    history open; // a write that nobody answered may have happened, or not
    open.wrote(0, 1, 1, 2);
    open.wrote(0, 2, 3, history::never);
    open.read(0, 1, 4, 5);
    CHECK(open.flaw() == "");
    open.read(0, 2, 6, 7);
    CHECK(open.flaw() == "");
    open.read(0, 1, 8, 9);
    CHECK(open.flaw() != "");

    history first; // what a key holds at first can't come back
    first.read(0, 0, 1, 2);
    first.wrote(0, 1, 3, 4);
    CHECK(first.flaw() == "");
    first.read(0, 0, 5, 6);
    CHECK(first.flaw() != "");

    history unborn;
    unborn.read(0, 7, 1, 2);
    CHECK(unborn.flaw() != "");
    history early;
    early.wrote(0, 7, 5, 6);
    early.read(0, 7, 1, 2);
    CHECK(early.flaw() != "");
  }
}

} // namespace legion::faults_test
