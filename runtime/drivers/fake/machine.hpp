#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "messages/time.hpp"
#include "runtime/drivers/driver.hpp"

namespace legion::drivers::fake {

/// How workloads behave on a machine. Each value is drawn per life, evenly from `least` to `most`.
struct habits {
  struct range {
    std::chrono::milliseconds least{0};
    std::chrono::milliseconds most{0};
  };
  range start{std::chrono::milliseconds{5}, std::chrono::milliseconds{60}};
  range probe_passes{std::chrono::milliseconds{100}, std::chrono::milliseconds{900}};
  range stop{std::chrono::milliseconds{10}, std::chrono::milliseconds{300}};
  /// `most` 0: workloads live until they are stopped.
  range lifetime;
  double launch_fails = 0; // fraction of launches
  double exit_fails = 1;   // fraction of ends of a lifetime with exit code 1, else 0
};

/// What a machine really runs.
struct process {
  process_status status;
  std::int64_t cpu_millis = 0; // requested
  std::int64_t memory_bytes = 0;
};

struct surroundings {
  run_later later;
  std::function<std::chrono::microseconds()> now; // virtual
  std::function<wall_ms()> wall_clock;
  std::function<std::int64_t()> boot_clock = {}; // milliseconds; empty: `now`
};

/// A machine with a supervisor that runs nothing real.
///
/// Shape:     the same seed and the same calls give the same lives. Processes survive the driver,
///            and a later driver lists them.
/// Threading: one thread. What was handed to `later` may run after the end of the machine.
class machine {
public:
  enum class happening { launched, exited, removed };
  using watcher = std::function<void(happening, const process_status&)>;

  machine(std::uint64_t seed, surroundings around);

  /// A driver that talks to this machine; a later one replaces it, as a restarted node's does.
  factory attach();
  /// The node's process is gone; what runs goes on.
  void crash();

  void set_habits(const habits& x);
  void set_watcher(watcher x);
  /// What later drivers say that they can do; everything, unless told.
  void set_features(features x);

  /// The truth, sorted by workload and container; also what the driver no longer tells.
  std::vector<process> processes() const;

  /// Ends a process as `kill -9` does.
  void kill(const std::string& workload);
  /// Ends a process and nobody is told: the driver goes on to say that it runs.
  void kill_silently(const std::string& workload);
  /// The supervisor dies, and all that it ran with it.
  void lose_supervisor();
  /// What is leased goes on past its deadline: a machine that must not be.
  void ignore_leases();

private:
  class fake_driver;
  struct content;
  std::shared_ptr<content> content_;
};

} // namespace legion::drivers::fake
