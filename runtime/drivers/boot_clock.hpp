#pragma once

#include <cstdint>
#include <ctime>

namespace legion::drivers {

/// Milliseconds since this machine started, with the time it was suspended: the clock of leases.
inline std::int64_t boot_ms() {
  struct timespec now {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

} // namespace legion::drivers
