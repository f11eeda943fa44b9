#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "messages/fault.hpp"
#include "messages/supervision.pb.h"
#include "runtime/drivers/supervisor/cgroups.hpp"
#include "runtime/drivers/supervisor/init.hpp"
#include "runtime/drivers/supervisor/leases.hpp"
#include "runtime/drivers/supervisor/life_output.hpp"
#include "runtime/drivers/supervisor/poller.hpp"
#include "runtime/drivers/supervisor/workload_files.hpp"

namespace legion::drivers {

/// Every container that runs here or has ended and is not removed, its newest life each.
///
/// A life is "starting", then "running" once its program is executed, "stopping" from TERM until
/// nothing of it is left, then "exited".
class lives {
public:
  using launch_reply = std::function<void(result<process_status>)>;
  using exit_news = std::function<void(const process_status&)>;

  lives(poller& events, const cgroups& groups, workload_files files, bool namespaces,
        exit_news tell);
  ~lives();

  /// Answers once the program is executed, or why it could not be.
  void launch(const legion::launch& x, launch_reply reply);
  /// TERM now, KILL after the grace period; to all of the workload's containers if none is named.
  void stop(const std::string& workload, const std::string& container, std::int64_t grace_ms);
  void stop_all(std::int64_t grace_ms);
  result<void> renew(const renew_lease& x);
  result<void> remove(const std::string& workload);
  void list(process_list& into) const;
  /// SIGCHLD came.
  void reap();
  /// Does what is due; milliseconds until the next is, or -1.
  int on_time();
  /// None that starts, runs or stops.
  bool all_ended() const;

private:
  struct life {
    process_status status;
    pid_t init = 0; // 0: reaped
    std::string group;
    life_output output;
    int channel = -1;
    std::string promise; // as `launch` had it
    std::string program;
    std::string working_dir;
    std::string failure;
    errc failure_code = errc::refused;
    std::optional<int> wait_status;
    bool asked_to_end_all = false;
    std::int64_t kill_at = 0;   // monotonic milliseconds; 0: never
    std::int64_t remove_at = 0; // when to try again to remove its group
    launch_reply reply;
    std::shared_ptr<life> before; // until this one has started
  };
  using life_ptr = std::shared_ptr<life>;

  void adopt_records();
  result<void> check(const legion::launch& x) const;
  result<init_plan> plan_of(const legion::launch& x, const std::string& group) const;
  result<void> start(const life_ptr& who, const legion::launch& x);
  void forget(const life_ptr& who);
  static std::string subject_of(const std::string& call, const life& who);
  void hear(const life_ptr& who);
  void stop_one(const life_ptr& who, std::int64_t grace_ms);
  void ended(const life_ptr& who, int status);
  void try_to_close(const life_ptr& who);
  void kill_all(life& who);
  void lease_due(const leases::key& key, leases::step step, std::int64_t left_ms);
  void kill_orphans();
  void save(const process_status& x);

  poller& events_;
  const cgroups& groups_;
  workload_files files_;
  bool namespaces_;
  exit_news tell_;
  std::map<std::pair<std::string, std::string>, life_ptr> lives_; // by workload and container
  std::map<pid_t, life_ptr> inits_;
  leases leases_;
};

} // namespace legion::drivers
