#pragma once

#include "tests/simulation/trial.hpp"

namespace legion::simulator {

struct rebuilding_options {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 5;
  std::chrono::seconds settling{180};
  bool debug = false;
  event_log::writer log;
};

/// A cluster of which most nodes are lost at once, some with their disks; those that are left raise
/// the keeper groups, and go on; the lost ones come back, in part as members of before, together or
/// one by one, while things change. In `accepts`: how many groups were raised.
trial_outcome run_rebuilding_trial(const rebuilding_options& options);

} // namespace legion::simulator
