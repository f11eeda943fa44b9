#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "actors/workload/backoff.hpp"
#include "actors/workload/environment.hpp"
#include "actors/workload/prober.hpp"
#include "messages/evidence.pb.h"
#include "messages/fault.hpp"
#include "messages/journal.pb.h"
#include "messages/supervision.pb.h"
#include "messages/time.hpp"

namespace legion::workload {

/// Now, by the clock that decides and by the one that people read.
struct moment {
  time_point now;
  wall_ms wall = 0;
};

struct start_process {
  int container = 0;
  launch what;
};
struct stop_processes {
  stop what;
};
struct try_probe {
  int container = 0;
  std::uint32_t life = 0;
  std::string host;
  int port = 0;
  bool http = false;
  std::string path;
  std::vector<http_header> headers;
  std::int64_t timeout_ms = 1000;
};
/// Asks the driver whether another process has one of these ports of the node.
struct check_ports {
  int container = 0;
  std::uint32_t life = 0; // that failed
  std::vector<int> ports;
};
/// Asks the driver what runs: an answer was lost.
struct look {};
/// What runs may run for longer.
struct extend_lease {
  renew_lease what;
};
/// Its lease ran out and it was ended: it must not be begun again.
struct lease_lost {};
/// Nothing runs any more: the driver may forget the workload.
struct remove_files {};
struct tell {
  event what;
};
/// `pod_lifecycle::status` says something new.
struct say_status {};
/// The workload is over, and nothing of it is left.
struct all_ended {};

/// How soon the driver is asked again what runs.
constexpr auto look_again = seconds{1};
/// Exit code of a process that is gone, and nobody saw how it ended: as Kubernetes has it.
constexpr int lost_code = 137;

using effect = std::variant<start_process, stop_processes, try_probe, check_ports, look,
                            extend_lease, lease_lost, remove_files, tell, say_status, all_ended>;
using effects = std::vector<effect>;

/// One pod's life as processes: starts its containers, starts them again as `restartPolicy` says,
/// probes them, and ends them all.
///
/// Shape:  one process per container at a time; lives are counted from 0 and never used twice.
/// Units:  time as `moment`; exit codes as the driver says, 128 + signal where a signal ended it.
/// Errors: a process that cannot start counts as a life with exit code 128 and reason StartError; a
///         driver that does not answer is asked what runs, every second, before anything is tried.
/// Source: Kubernetes 1.34, "Pod Lifecycle". Differs: no init containers, and no restart of a pod
///         as a whole.
///         A leased one starts nothing before its first lease, and nothing after it lost one.
class pod_lifecycle {
public:
  pod_lifecycle() = default;
  pod_lifecycle(std::shared_ptr<const promise_record> what, surroundings here);

  /// Takes over what the driver found of this workload, and starts what does not run; one that is
  /// ending already only ends what runs.
  effects begin(const std::vector<process_status>& found, moment t, bool ending = false);
  effects on_started(int container, const process_status& x, moment t);
  effects on_start_failed(int container, const fault& why, moment t);
  effects on_exit(const process_status& x, moment t);
  effects on_probe(int container, std::uint32_t life, bool passed, const std::string& detail,
                   moment t);
  /// Another process has `port`, while the container waits to be started again.
  effects on_port_taken(int container, std::uint32_t life, int port, moment t);
  /// The driver's whole list for this workload, after `look`.
  effects on_found(const std::vector<process_status>& found, moment t);
  effects on_look_failed(moment t);
  effects on_stop_failed(moment t);
  effects on_removed(const fault* why, moment t);
  effects on_tick(moment t);
  /// It may run until then, by the boot-time clock; never back.
  effects on_lease(std::int64_t until_ms, moment t);
  /// Ends the pod with its grace period.
  effects end(moment t);
  std::optional<time_point> next_tick() const;

  /// Phase, readiness, containers, ports: the evidence. Slot, node and verdict are the promise's.
  assessment status() const;

private:
  enum class step { waiting, starting, running, done };
  struct one {
    container_status said;
    step at = step::waiting;
    std::uint32_t next_life = 0;
    bool ready = false;
    time_point started;
    std::optional<time_point> start_at;
    backoff pause;
    std::optional<prober> probe;
  };

  const pod_spec& spec() const;
  int find(const std::string& container) const;
  void start(int i, moment t, effects& out);
  void runs(int i, const process_status& x, moment t);
  void exited(int i, const process_status& x, moment t, effects& out);
  void wait_again(int i, milliseconds delay, moment t);
  void again(int i, milliseconds delay, moment t, effects& out);
  static std::string ended_text(const container_status& x);
  bool wants_restart(const one& x) const;
  milliseconds lease_grace() const;
  seconds grace() const;
  void probe_now(int i, moment t, effects& out);
  void settle(moment t, effects& out);
  void note_readiness(moment t);
  void say(effects& out, moment t, const char* type, const char* reason, std::string text) const;
  effects done(effects out, moment t);
  bool anything_runs() const;
  /// While it is not known what runs, a second process might be started for one life.
  bool may_start() const {
    return !ending_ && !looking_ && !look_at_ && !lapsed_ && (!leased() || lease_until_ms_ > 0);
  }
  bool leased() const { return what_->slot().lease_ms() > 0; }
  std::string phase() const;

  std::shared_ptr<const promise_record> what_;
  surroundings here_;
  std::vector<one> containers_;
  bool ending_ = false;
  bool removing_ = false;
  bool over_ = false;
  bool looking_ = false;
  bool ready_ = false;
  bool lapsed_ = false;
  std::int64_t lease_until_ms_ = 0; // boot-time clock
  wall_ms started_ms_ = 0;
  wall_ms ready_since_ms_ = 0;
  std::optional<time_point> look_at_;   // an answer was lost
  std::optional<time_point> remove_at_; // again
  std::optional<time_point> stop_at_;   // again
};

} // namespace legion::workload
