#include "runtime/simulator/zone_by_zone.hpp"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace legion::simulator {

std::uint32_t zones_at_once() {
  return std::max(1u, std::thread::hardware_concurrency());
}

void zone_by_zone(std::uint32_t zones, std::uint32_t at_once,
                  const std::function<bool(std::uint32_t zone)>& live) {
  std::atomic<std::uint32_t> next = 0;
  std::atomic<bool> goes_on = true;
  auto work = [&] {
    while (goes_on) {
      auto zone = next++;
      if (zone >= zones)
        return;
      if (!live(zone))
        goes_on = false;
    }
  };
  std::vector<std::jthread> others;
  for (std::uint32_t i = 1; i < std::min(at_once, zones); ++i)
    others.emplace_back(work);
  work();
}

} // namespace legion::simulator
