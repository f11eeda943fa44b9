#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "messages/fault.hpp"
#include "messages/resource.pb.h"
#include "messages/supervision.pb.h"

/// The workload runtime interface: what the `runtime` actor knows of containers and processes.
namespace legion::drivers {

/// What this driver can do on this machine, found out at start and never assumed.
struct features {
  std::string name;                 // "process"
  bool root = false;                // may change users, mount, and limit
  std::int64_t user = 0, group = 0; // whom workloads run as that name nobody
  bool namespaces = false;          // own pid and mount namespaces
  std::vector<std::string> limits;  // enforced ones, of "cpu", "memory", "pids"
  std::string note;                 // what is missing and why, in one line; empty if nothing
};

/// One try of a readiness probe.
struct probe_target {
  std::string host; // numeric or a name in /etc/hosts
  int port = 0;
  bool http = false; // else a TCP connection that opens
  std::string path;
  std::vector<http_header> headers;
  std::int64_t timeout_ms = 1000;
};

/// `kept` with the status line, or why not.
struct probe_outcome {
  bool passed = false;
  std::string detail;
};

/// A piece of a life's output.
struct output {
  std::string text; // at most 64 KiB
  std::int64_t next_offset = 0;
  bool end = false; // nothing follows: the life has ended and all is read
};

/// Receives completions and exits, on the implementation's own thread.
class sink {
public:
  virtual ~sink() = default;
  virtual void launched(std::uint64_t correlation, result<process_status> what) = 0;
  virtual void stopped(std::uint64_t correlation, result<void> what) = 0;
  virtual void removed(std::uint64_t correlation, result<void> what) = 0;
  virtual void listed(std::uint64_t correlation, result<process_list> what) = 0;
  virtual void probed(std::uint64_t correlation, probe_outcome what) = 0;
  virtual void read(std::uint64_t correlation, result<output> what) = 0;
  virtual void renewed(std::uint64_t correlation, result<void> what) = 0;
  /// A process ended, asked for or not.
  virtual void exited(process_status what) = 0;
  /// The supervisor died: its workloads are gone with it or about to be; a new one was started.
  virtual void supervisor_lost(std::string why) = 0;
};

/// Runs workloads. Every call returns at once; its completion comes to the sink under the same
/// correlation id.
///
/// Threading: calls from one thread at a time.
/// Errors:    `overloaded` past 4096 calls under way; `unsupported` names what is missing;
///            `unreachable` while the supervisor is being replaced.
class driver {
public:
  virtual ~driver() = default;
  virtual features what_it_can() const = 0;
  virtual void launch(std::uint64_t correlation, const legion::launch& what) = 0;
  /// Moves a workload's lease. A launch with a lease is gone at its deadline, whether or not this
  /// process lives: TERM its grace before, KILL at the deadline; its exit has the reason
  /// "lease_expired". Fails with `not_found` if nothing of it is leased and alive, `conflict` if it
  /// ends already: nothing brings it back. A launch whose deadline has passed is `refused`.
  virtual void renew(std::uint64_t correlation, const renew_lease& what) = 0;
  /// Ends the whole process tree: TERM, after the grace period KILL. Completes when asked, the exit
  /// is told apart.
  virtual void stop(std::uint64_t correlation, const legion::stop& what) = 0;
  /// Forgets a workload whose processes have ended: cgroups, folders, exit records; output is kept
  /// by its own limit.
  virtual void remove(std::uint64_t correlation, const std::string& workload) = 0;
  /// What runs or has ended and is not removed: how a restarted node adopts.
  virtual void list(std::uint64_t correlation) = 0;
  virtual void probe(std::uint64_t correlation, const probe_target& where) = 0;
  /// Output of one life from an offset; a negative one counts lines from the end. `life` -1: the
  /// newest there is.
  virtual void read(std::uint64_t correlation, const std::string& workload,
                    const std::string& container, std::int64_t life, std::int64_t offset) = 0;
  /// Ends every workload, then the supervisor.
  virtual void shut_down(std::uint64_t correlation, std::int64_t grace_ms) = 0;
  /// True if nothing listens on this host port, TCP or UDP, tried by binding it.
  virtual bool port_is_free(int port) const = 0;
};

using factory = std::function<result<std::unique_ptr<driver>>(sink&)>;

} // namespace legion::drivers
