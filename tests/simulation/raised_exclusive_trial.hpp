#pragma once

#include "tests/simulation/trial.hpp"

namespace legion::simulator {

struct raised_exclusive_options {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 5;
  std::chrono::seconds settling{120};
  bool debug = false;
  event_log::writer log;
};

/// An exclusive replica's node is cut off, stopped or killed, and at the same moment all others but
/// one are lost. That one raises the keeper groups at once; the replica's author applies it again,
/// or restores it from a backup, while it may still run under the lease that its lost keepers gave.
/// Then its node comes back, and maybe the others, with new disks. It never runs twice at once, and
/// in the end it runs. In `accepts`: how often it was begun.
trial_outcome run_raised_exclusive_trial(const raised_exclusive_options& options);

} // namespace legion::simulator
