#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace legion::drivers {

/// One cgroup hierarchy of this machine, as the mount table shows it.
struct hierarchy {
  int version = 2;
  std::string mount;                    // where it is mounted
  std::string own;                      // our own cgroup below it: "" or "/a/b"
  std::vector<std::string> controllers; // v1: of "cpu", "memory", "pids"; v2: asked from the files
};

/// What the tables say: v1 (one hierarchy per controller), v2 (one for all) or hybrid (both). Never
/// assumed; a controller that is in no hierarchy is simply not there.
/// Source: proc_pid_mountinfo(5), cgroups(7).
std::vector<hierarchy> cgroup_layout(std::string_view mountinfo, std::string_view own_cgroups);

/// What one life may use; 0: no limit.
struct limits {
  std::int64_t cpu_millis = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t pids = 0;
  std::int64_t cpu_weight_millis = 0; // the share under contention
};

/// A control file, what to write, and whether the limit is lost if that fails.
struct control_write {
  std::string file;
  std::string value;
  bool needed = true;
};

/// The writes that set one controller's limits.
std::vector<control_write> control_writes(int version, std::string_view controller,
                                          const limits& x);

/// The number behind a word in a control file of lines "word number", as in memory.events; 0 if
/// none.
std::int64_t counter_in(std::string_view text, std::string_view word);

} // namespace legion::drivers
