#pragma once

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace legion::drivers {

/// What the first process of a life must do before it becomes the workload; all memory is set aside
/// beforehand.
struct init_plan {
  std::vector<std::string> argv;
  std::vector<std::string> env; // NAME=value
  std::string working_dir;      // empty: `own_folder`
  std::string own_folder;
  std::optional<std::int64_t> user;
  std::optional<std::int64_t> group;
  std::vector<std::string> doors; // cgroup.procs files to enter
  bool namespaces = false;        // own pid and mount namespaces
  int output = -1;                // becomes stdout and stderr
  int channel = -1;               // where `init_note`s go
};

/// What the init tells its supervisor, one datagram each. The credentials that come with `entering`
/// are the workload's own: that is how its pid is known outside of its namespace.
struct init_note {
  enum kind_of : std::int32_t { entering, started, failed, ended };
  kind_of kind = entering;
  std::int32_t value = 0; // errno of `failed`, wait status of `ended`
  char doing[56] = {};    // of `failed`: the call
};

/// Makes an init without namespaces kill all that it looks after; killing the init itself would
/// only orphan it. It also comes when the supervisor dies.
inline constexpr int end_all_signal = SIGPWR;

/// Forks the init. It dies with this process. The pid, or the negated errno.
pid_t start_init(const init_plan& plan);

/// True if this machine lets us make the namespaces, tried by making them.
bool namespaces_work();

} // namespace legion::drivers
