#pragma once

#include "tests/simulation/trial.hpp"

namespace legion::simulator {

/// A fault that the checker "exclusive" must catch.
enum class lease_sabotage {
  none,
  ignored_leases, // machines run what is leased past its deadline
  forged_end,     // nodes say of what still stops that they saw it end
};

struct exclusive_options {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 5;
  std::chrono::seconds trouble{180};
  std::uint32_t incidents = 20;
  std::chrono::seconds settling{120};
  lease_sabotage sabotage = lease_sabotage::none;
  event_log::writer log;
};

/// A cluster's life with one exclusive replica: the nodes that run it are killed, stopped and cut
/// off, its template changes, clocks are wrong by 0.5%; it never runs twice at once, and in the end
/// it runs. In `accepts`: how often it was begun.
trial_outcome run_exclusive_trial(const exclusive_options& options);

} // namespace legion::simulator
