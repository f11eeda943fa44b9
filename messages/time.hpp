#pragma once

#include <chrono>
#include <cstdint>

namespace legion {

/// The node's monotonic clock, as handed to rules by their actor; virtual in the simulator.
using time_point = std::chrono::steady_clock::time_point;

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Wall-clock time as messages carry it: milliseconds since the Unix epoch.
using wall_ms = std::int64_t;

} // namespace legion
