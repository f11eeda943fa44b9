#include <doctest/doctest.h>

#include "tests/simulation/rebuilding_trial.hpp"

namespace legion::rebuilding_test {

namespace {

using namespace legion::simulator;

std::string text_of(std::uint64_t seed, const trial_outcome& x) {
  auto result = "replay: build/tests/simulation/simulation --rebuild --seed " + std::to_string(seed)
                + " --log\n";
  for (auto& v : x.violations)
    result += time_text(v.time) + " " + v.checker + ": " + v.what + "\n";
  for (auto& e : x.errors)
    result += e + "\n";
  return result;
}

TEST_SUITE("simulation/rebuilding") {

  TEST_CASE("groups whose quorum is lost are raised, and those of before change nothing") {
    std::uint64_t raised = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      if (seed > 8 && seed < 32 && seed != 24)
        continue;
      rebuilding_options options;
      options.seed = seed;
      auto x = run_rebuilding_trial(options);
      CHECK_MESSAGE(x.good(), text_of(seed, x));
      raised += x.accepts;
    }
    CHECK(raised > 1500);
  }

} // TEST_SUITE

} // namespace

} // namespace legion::rebuilding_test
