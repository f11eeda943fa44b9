#include "runtime/drivers/supervisor/cgroup_layout.hpp"

#include <algorithm>
#include <charconv>

namespace legion::drivers {
namespace {

constexpr std::string_view wanted_controllers[] = {"cpu", "memory", "pids"};
constexpr std::int64_t period_us = 100'000;

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> result;
  while (!text.empty()) {
    auto end = std::min(text.find(by), text.size());
    if (end > 0)
      result.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

bool has(const std::vector<std::string_view>& list, std::string_view x) {
  return std::find(list.begin(), list.end(), x) != list.end();
}

/// Our own cgroup in the hierarchy with this controller ("" for v2), relative to what is mounted.
std::string own_cgroup(std::string_view table, std::string_view controller,
                       std::string_view mounted_root) {
  for (auto line : split(table, '\n')) {
    auto first = line.find(':');
    auto second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos)
      continue;
    auto names = line.substr(first + 1, second - first - 1);
    auto path = line.substr(second + 1);
    if (controller.empty() ? !names.empty() : !has(split(names, ','), controller))
      continue;
    if (mounted_root != "/") {
      if (!path.starts_with(mounted_root))
        return {}; // we are outside of what is mounted here
      path.remove_prefix(mounted_root.size());
    }
    return path == "/" ? std::string{} : std::string{path};
  }
  return {};
}

} // namespace

std::vector<hierarchy> cgroup_layout(std::string_view mountinfo, std::string_view own_cgroups) {
  std::vector<hierarchy> result;
  std::vector<std::string_view> seen;
  for (auto line : split(mountinfo, '\n')) {
    auto dash = line.find(" - ");
    if (dash == line.npos)
      continue;
    auto before = split(line.substr(0, dash), ' ');
    auto after = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3)
      continue;
    hierarchy x;
    x.mount = before[4];
    if (after[0] == "cgroup2") {
      if (has(seen, "cgroup2"))
        continue;
      seen.push_back("cgroup2");
      x.own = own_cgroup(own_cgroups, "", before[3]);
      result.push_back(std::move(x));
    } else if (after[0] == "cgroup") {
      x.version = 1;
      auto options = split(after[2], ',');
      for (auto name : wanted_controllers)
        if (has(options, name) && !has(seen, name)) {
          seen.push_back(name);
          x.controllers.emplace_back(name);
        }
      if (x.controllers.empty())
        continue;
      x.own = own_cgroup(own_cgroups, x.controllers.front(), before[3]);
      result.push_back(std::move(x));
    }
  }
  return result;
}

std::vector<control_write> control_writes(int version, std::string_view controller,
                                          const limits& x) {
  std::vector<control_write> result;
  if (controller == "cpu") {
    // The kernel takes no quota under a millisecond.
    auto quota = std::to_string(std::max<std::int64_t>(x.cpu_millis * period_us / 1000, 1000));
    auto period = std::to_string(period_us);
    auto weight = x.cpu_weight_millis ? x.cpu_weight_millis : x.cpu_millis;
    auto shares = std::clamp<std::int64_t>(weight * 1024 / 1000, 2, 262144);
    if (weight && version == 1)
      result.push_back({"cpu.shares", std::to_string(shares), false});
    if (weight && version == 2) // as Kubernetes turns shares into weights
      result.push_back({"cpu.weight", std::to_string(1 + (shares - 2) * 9999 / 262142), false});
    if (x.cpu_millis && version == 1) {
      result.push_back({"cpu.cfs_period_us", period});
      result.push_back({"cpu.cfs_quota_us", quota});
    }
    if (x.cpu_millis && version == 2)
      result.push_back({"cpu.max", quota + " " + period});
  } else if (controller == "memory" && x.memory_bytes) {
    auto bytes = std::to_string(x.memory_bytes);
    if (version == 1) {
      result.push_back({"memory.limit_in_bytes", bytes});
      result.push_back({"memory.memsw.limit_in_bytes", bytes, false}); // no way out through swap
    } else {
      result.push_back({"memory.max", bytes});
      result.push_back({"memory.swap.max", "0", false});
      result.push_back({"memory.oom.group", "1", false}); // all of a container or none of it
    }
  } else if (controller == "pids" && x.pids) {
    result.push_back({"pids.max", std::to_string(x.pids + 1)}); // the init is one
  }
  return result;
}

std::int64_t counter_in(std::string_view text, std::string_view word) {
  for (auto line : split(text, '\n')) {
    auto parts = split(line, ' ');
    std::int64_t value = 0;
    if (parts.size() == 2 && parts[0] == word)
      std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), value);
    if (parts.size() == 2 && parts[0] == word)
      return value;
  }
  return 0;
}

} // namespace legion::drivers
