#pragma once

#include <string>
#include <string_view>

#include "messages/negotiation.pb.h"

namespace legion::node_process {

/// What this process may use of its machine, cgroup limits included.
///
/// Units:  thousandths of a core, bytes.
/// Source: sched_getaffinity(2), /proc/meminfo, and cpu and memory limits of this process's cgroup
///         and those above it, in whichever of the v1, hybrid and v2 layouts is mounted.
struct machine {
  std::int64_t cpu_millis = 0;
  std::int64_t memory_bytes = 0;
  std::string architecture; // as Kubernetes calls it
};

/// Kubernetes' (that is Go's) word for what uname(2) calls the machine: amd64 for x86_64.
std::string architecture_of(std::string_view kernel);

/// `root` is "/" but for tests, which lay out a /proc and a /sys of their own.
machine measure_machine(const std::string& root = "/");

} // namespace legion::node_process
