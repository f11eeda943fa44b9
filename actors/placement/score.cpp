#include "actors/placement/score.hpp"

#include <algorithm>

#include "messages/saturating.hpp"

namespace legion::placement {

namespace {

/// Thousandths of `total` that stay free; a node that says no total counts as full.
std::int64_t stays_free(std::int64_t free, std::int64_t total, std::int64_t taken) {
  if (total <= 0)
    return 0;
  // In parts, so that hostile numbers do not overflow.
  auto left = static_cast<double>(free) - static_cast<double>(taken);
  return static_cast<std::int64_t>(std::clamp(left / static_cast<double>(total), 0.0, 1.0) * 1000);
}

std::int64_t times(std::int64_t x, std::uint32_t n) {
  std::int64_t result = 0;
  return __builtin_mul_overflow(x, static_cast<std::int64_t>(n), &result) ? INT64_MAX : result;
}

struct parts {
  int cpu = 0;    // up to 300
  int memory = 0; // up to 300
  int preference = 0;
  int taints = 0;
};

parts parts_of(const offer& x, const capacity& demand, std::uint32_t replicas) {
  parts result;
  result.cpu = static_cast<int>(stays_free(x.free().cpu_millis(), x.total().cpu_millis(),
                                           times(demand.cpu_millis(), replicas))
                                * 3 / 10);
  result.memory = static_cast<int>(stays_free(x.free().memory_bytes(), x.total().memory_bytes(),
                                              times(demand.memory_bytes(), replicas))
                                   * 3 / 10);
  result.preference = std::clamp(x.preference(), 0, 100) * 2;
  result.taints = 200 - 100 * static_cast<int>(std::min(2u, x.untolerated_soft_taints()));
  return result;
}

} // namespace

capacity demand_of(const pod_template& x) {
  capacity result;
  for (const auto& container : x.spec().containers()) {
    // Kubernetes: a limit without a request is the request.
    const auto& asks = container.requests();
    const auto& most = container.limits();
    result.set_cpu_millis(saturating_sum(
        result.cpu_millis(), asks.has_cpu_millis() ? asks.cpu_millis() : most.cpu_millis()));
    result.set_memory_bytes(saturating_sum(result.memory_bytes(), asks.has_memory_bytes()
                                                                      ? asks.memory_bytes()
                                                                      : most.memory_bytes()));
    result.set_ports(result.ports() + container.ports_size());
  }
  result.set_pods(1);
  return result;
}

int points_of(const offer& x, const capacity& demand, std::uint32_t replicas) {
  auto sum = parts_of(x, demand, replicas);
  return sum.cpu + sum.memory + sum.preference + sum.taints;
}

grade grade_of(const offer& x, const capacity& demand, std::uint32_t replicas) {
  auto sum = parts_of(x, demand, replicas);
  grade result;
  result.points = points_of(x, demand, replicas);
  result.detail = "cpu free " + std::to_string(x.free().cpu_millis()) + "m of "
                  + std::to_string(x.total().cpu_millis()) + "m (" + std::to_string(sum.cpu)
                  + "), memory free " + std::to_string(x.free().memory_bytes() >> 20) + "Mi of "
                  + std::to_string(x.total().memory_bytes() >> 20) + "Mi ("
                  + std::to_string(sum.memory) + "), preference " + std::to_string(x.preference())
                  + " (" + std::to_string(sum.preference) + "), soft taints "
                  + std::to_string(x.untolerated_soft_taints()) + " (" + std::to_string(sum.taints)
                  + ")";
  return result;
}

} // namespace legion::placement
