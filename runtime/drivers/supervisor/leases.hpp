#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "runtime/drivers/supervisor/poller.hpp"

namespace legion::drivers {

/// The deadlines of leased lives: at most one of a workload runs anywhere because each is gone at
/// its deadline, whatever becomes of legion-node.
///
/// Shape:  one entry per leased life; one timer. What was due at a time is told once, in two steps:
///         `ask` the grace before the deadline, `kill` at it.
/// Units:  milliseconds of CLOCK_BOOTTIME: a machine that was suspended wakes up past its deadlines.
///         The poller's own timeouts do not count that time, hence a timer of its own.
/// Source: Gray & Cheriton 1989, Leases. A supervisor that dies takes its lives with it, so nothing
///         of this needs to be on disk.
class leases {
public:
  using key = std::pair<std::string, std::string>; // workload, container
  enum class step { ask, kill };
  using due = std::function<void(const key&, step, std::int64_t left_ms)>;
  enum class renewal { done, none, too_late };

  leases(poller& events, due tell);
  ~leases();
  leases(const leases&) = delete;
  leases& operator=(const leases&) = delete;

  void hold(const key& who, std::int64_t until_ms, std::int64_t grace_ms);
  /// Of all the workload's lives; an earlier deadline than the present one changes nothing.
  renewal renew(const std::string& workload, std::int64_t until_ms);
  void drop(const key& who);
  /// 0: it has none.
  std::int64_t until(const key& who) const;

private:
  struct lease {
    std::int64_t until = 0;
    std::int64_t grace = 0;
    bool asked = false;
    bool killed = false;
  };

  void arm();
  void on_timer();

  poller& events_;
  due tell_;
  int timer_;
  std::map<key, lease> all_;
};

} // namespace legion::drivers
