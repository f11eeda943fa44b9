#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace legion {

/// The node's monotonic clock, as handed to rules by their actor; virtual in the simulator.
using time_point = std::chrono::steady_clock::time_point;

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Wall-clock time as messages carry it: milliseconds since the Unix epoch.
using wall_ms = std::int64_t;

/// Runs something after a delay, in the order of due times: how what is simulated waits without a
/// thread or a clock of its own.
using run_later = std::function<void(std::chrono::microseconds delay, std::function<void()> what)>;

} // namespace legion
