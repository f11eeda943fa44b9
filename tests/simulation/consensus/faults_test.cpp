#include <doctest/doctest.h>

#include "tests/simulation/consensus/cluster.hpp"

namespace legion::faults_test {

using namespace legion::proof;

namespace {

constexpr std::uint64_t steps = 20'000;
constexpr std::uint64_t most_seeds = 6'000;

/// What the first seed that notices says; empty: none of all does.
std::string noticed(seeded fault) {
  for (std::uint64_t seed = 1; seed <= most_seeds; ++seed) {
    cluster run{{seed, steps, fault, true}};
    if (auto what = run.run(); !what.empty())
      return "seed " + std::to_string(seed) + ": " + what;
  }
  return {};
}

} // namespace

TEST_SUITE("consensus/faults") {

  TEST_CASE("each seeded fault is caught") {
    for (int i = 1; i < seeded_kinds; ++i) {
      auto fault = static_cast<seeded>(i);
      auto what = noticed(fault);
      MESSAGE(std::string{to_string(fault)} << ": " << what);
      CHECK_FALSE(what.empty());
    }
  }

  TEST_CASE("without a fault the same seeds find nothing") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      CAPTURE(seed);
      CHECK(cluster{{seed, steps, seeded::nothing, seed % 2 == 0}}.run() == "");
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
