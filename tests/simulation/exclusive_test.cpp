#include <doctest/doctest.h>

#include "tests/simulation/exclusive_trial.hpp"
#include "tests/simulation/raised_exclusive_trial.hpp"

namespace legion::exclusive_test {

namespace {

using namespace legion::simulator;

std::string text_of(std::uint64_t seed, const trial_outcome& x, const std::string& kind = {}) {
  auto result = "replay: build/tests/simulation/simulation " + kind + "--exclusive --seed "
                + std::to_string(seed) + " --log\n";
  for (auto& v : x.violations)
    result += time_text(v.time) + " " + v.checker + ": " + v.what + "\n";
  for (auto& e : x.errors)
    result += e + "\n";
  return result;
}

TEST_SUITE("simulation/exclusive") {

  TEST_CASE("an exclusive replica never runs twice at once, and runs in the end") {
    std::uint64_t begun = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      exclusive_options options;
      options.seed = seed;
      auto x = run_exclusive_trial(options);
      CHECK_MESSAGE(x.good(), text_of(seed, x));
      begun += x.accepts;
    }
    CHECK(begun > 40); // it moved
  }

  TEST_CASE("nor when its keepers are lost, raised at once, and asked for it again") {
    std::uint64_t begun = 0;
    // 9 to 239: it was called while its lost keepers' lease still held; 62: it came back late.
    for (std::uint64_t seed :
         {1, 2, 3, 4, 5, 6, 9, 13, 24, 50, 56, 62, 132, 148, 173, 192, 223, 239}) {
      raised_exclusive_options options;
      options.seed = seed;
      auto x = run_raised_exclusive_trial(options);
      CHECK_MESSAGE(x.good(), text_of(seed, x, "--rebuild "));
      begun += x.accepts;
    }
    CHECK(begun > 30);
  }

  TEST_CASE("the checker catches two at once") {
    for (auto what : {lease_sabotage::ignored_leases, lease_sabotage::forged_end}) {
      auto caught = false;
      for (std::uint64_t seed = 1; seed <= 3 && !caught; ++seed) {
        exclusive_options options;
        options.seed = seed;
        options.sabotage = what;
        for (auto& v : run_exclusive_trial(options).violations)
          caught = caught || v.checker == "exclusive";
      }
      CHECK(caught);
    }
  }

} // TEST_SUITE

} // namespace

} // namespace legion::exclusive_test
