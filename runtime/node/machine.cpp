#include "runtime/node/machine.hpp"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

#include <sched.h>
#include <sys/utsname.h>

namespace legion::node_process {

namespace {

std::optional<std::string> first_line(const std::string& path) {
  std::ifstream file{path};
  std::string line;
  if (!std::getline(file, line))
    return std::nullopt;
  return line;
}

/// Of "max 100000" or "200000 100000", in thousandths of a core.
std::optional<std::int64_t> quota_v2(const std::string& folder) {
  auto line = first_line(folder + "/cpu.max");
  if (!line || line->starts_with("max"))
    return std::nullopt;
  std::int64_t quota = 0, period = 0;
  std::istringstream{*line} >> quota >> period;
  return quota > 0 && period > 0 ? std::optional{quota * 1000 / period} : std::nullopt;
}

std::optional<std::int64_t> quota_v1(const std::string& folder) {
  auto quota = first_line(folder + "/cpu.cfs_quota_us");
  auto period = first_line(folder + "/cpu.cfs_period_us");
  if (!quota || !period || std::atoll(quota->c_str()) <= 0 || std::atoll(period->c_str()) <= 0)
    return std::nullopt;
  return std::atoll(quota->c_str()) * 1000 / std::atoll(period->c_str());
}

std::optional<std::int64_t> bytes_in(const std::string& path) {
  auto line = first_line(path);
  if (!line || line->starts_with("max"))
    return std::nullopt;
  auto bytes = std::atoll(line->c_str());
  return bytes > 0 ? std::optional<std::int64_t>{bytes} : std::nullopt;
}

void lower(std::int64_t& value, const std::optional<std::int64_t>& limit) {
  if (limit)
    value = std::min(value, *limit);
}

/// A limit holds for all below it: the folder itself and every one above it count.
std::vector<std::string> folders_up(const std::string& mount, std::string path) {
  std::vector<std::string> result;
  while (path.size() > 1) {
    result.push_back(mount + path);
    path.erase(path.rfind('/'));
  }
  result.push_back(mount);
  return result;
}

} // namespace

std::string architecture_of(std::string_view kernel) {
  if (kernel == "x86_64")
    return "amd64";
  if (kernel == "aarch64")
    return "arm64";
  if (kernel.starts_with("armv"))
    return "arm";
  if (kernel.size() == 4 && kernel[0] == 'i' && kernel.ends_with("86"))
    return "386";
  return std::string{kernel}; // the same word in both: ppc64le, s390x, riscv64
}

machine measure_machine(const std::string& root) {
  machine result;
  struct utsname kernel {};
  if (uname(&kernel) == 0)
    result.architecture = architecture_of(kernel.machine);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  result.cpu_millis =
      sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) * 1000 : 1000;
  std::ifstream meminfo{root + "proc/meminfo"};
  for (std::string key, unit; meminfo >> key;) {
    std::int64_t kib = 0;
    meminfo >> kib;
    std::getline(meminfo, unit);
    if (key == "MemTotal:")
      result.memory_bytes = kib * 1024;
  }
  std::ifstream membership{root + "proc/self/cgroup"};
  for (std::string line; std::getline(membership, line);) {
    auto first = line.find(':');
    auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos)
      continue;
    auto controllers = line.substr(first + 1, second - first - 1);
    auto path = line.substr(second + 1);
    auto mounts = root + "sys/fs/cgroup";
    if (controllers.empty()) {
      for (const auto& mount : {mounts, mounts + "/unified"})
        for (const auto& folder : folders_up(mount, path)) {
          lower(result.cpu_millis, quota_v2(folder));
          lower(result.memory_bytes, bytes_in(folder + "/memory.max"));
        }
      continue;
    }
    for (const auto& folder : folders_up(mounts + "/" + controllers, path)) {
      lower(result.cpu_millis, quota_v1(folder));
      lower(result.memory_bytes, bytes_in(folder + "/memory.limit_in_bytes"));
    }
  }
  return result;
}

} // namespace legion::node_process
