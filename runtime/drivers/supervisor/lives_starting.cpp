#include "runtime/drivers/supervisor/lives.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <sys/socket.h>
#include <unistd.h>

#include "runtime/drivers/boot_clock.hpp"
#include "runtime/drivers/supervisor/small_files.hpp"

// How a life begins: what is asked for is checked, planned, and started.

namespace legion::drivers {
namespace {

constexpr std::size_t max_lives = 4096;

/// The user's own group, so that a workload that names only a user does not keep root's.
std::int64_t group_of_user(std::int64_t user) {
  auto table = read_file("/etc/passwd");
  for (std::size_t from = 0; from < table.size();) {
    auto end = std::min(table.find('\n', from), table.size());
    auto line = table.substr(from, end - from);
    from = end + 1;
    long id = -1, group = -1;
    auto name = line.find(':');
    auto password = line.find(':', name + 1);
    if (name != line.npos && password != line.npos
        && std::sscanf(line.c_str() + password, ":%ld:%ld", &id, &group) == 2 && id == user)
      return group;
  }
  return user;
}

} // namespace

result<void> lives::check(const legion::launch& x) const {
  if (!workload_files::good_name(x.workload()) || !workload_files::good_name(x.container()))
    return fault{errc::invalid, "workload \"" + x.workload() + "\" and container \"" + x.container()
                                    + "\" must be names: letters, digits, - _ ."};
  if (x.argv().empty() || x.argv(0).empty())
    return fault{errc::invalid, "container " + x.container() + " has no command"};
  if (geteuid() != 0) {
    auto who = "this node runs as user " + std::to_string(geteuid()) + ", not as root";
    if (x.has_user() && x.user() != geteuid())
      return fault{errc::unsupported, "runAsUser " + std::to_string(x.user()) + ": " + who};
    if (x.has_group() && x.group() != getegid())
      return fault{errc::unsupported, "runAsGroup " + std::to_string(x.group()) + ": " + who};
  }
  if (x.lease_until_ms() != 0 && x.lease_until_ms() <= boot_ms())
    return fault{errc::refused, "the lease of " + x.workload() + " has run out"};
  if (lives_.size() >= max_lives)
    return fault{errc::overloaded,
                 "the supervisor knows " + std::to_string(max_lives) + " containers, its limit"};
  return {};
}

void lives::launch(const legion::launch& x, launch_reply reply) {
  if (auto fine = check(x); !fine)
    return reply(fine.why());
  auto& place = lives_[{x.workload(), x.container()}];
  if (place && place->status.state() != "exited") {
    if (place->status.life() != x.life())
      return reply(fault{errc::conflict, "life " + std::to_string(place->status.life()) + " of "
                                             + x.container() + " is " + place->status.state()});
    if (place->status.state() != "starting" || !place->reply)
      return reply(place->status); // asked twice
    // Asked twice before it ran: by a node that was killed and is back, say. Both hear how it
    // began.
    place->reply = [first = std::move(place->reply), reply](result<process_status> outcome) {
      first(outcome);
      reply(std::move(outcome));
    };
    return;
  }
  auto who = std::make_shared<life>();
  who->before = std::exchange(place, who);
  who->status.set_workload(x.workload());
  who->status.set_container(x.container());
  who->reply = std::move(reply);
  if (auto started = start(who, x); !started) {
    groups_.remove(who->group);
    forget(who);
    who->reply(started.why());
  }
}

/// It never became a life: what is known of the one before counts again.
void lives::forget(const life_ptr& who) {
  auto i = lives_.find({who->status.workload(), who->status.container()});
  if (who->before)
    i->second = std::exchange(who->before, nullptr);
  else
    lives_.erase(i);
}

result<init_plan> lives::plan_of(const legion::launch& x, const std::string& group) const {
  init_plan plan;
  plan.argv.assign(x.argv().begin(), x.argv().end());
  plan.env.assign(x.env().begin(), x.env().end());
  if (std::none_of(plan.env.begin(), plan.env.end(),
                   [](auto& y) { return y.starts_with("PATH="); }))
    plan.env.push_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  plan.working_dir = x.working_dir();
  plan.namespaces = namespaces_;
  if (geteuid() == 0) {
    if (x.has_user())
      plan.user = x.user();
    if (x.has_group())
      plan.group = x.group();
    else if (x.has_user())
      plan.group = group_of_user(x.user());
  }
  if (plan.working_dir.empty()) {
    auto own = files_.own_folder(x.workload(), x.container(), plan.user, plan.group);
    if (!own)
      return own.why();
    plan.own_folder = *own;
  }
  if (groups_.usable()) {
    limits bounds{x.cpu_millis(), x.memory_bytes(), x.pids(), x.cpu_weight_millis()};
    if (auto made = groups_.make(group, bounds); !made)
      return made.why();
    plan.doors = groups_.doors(group);
  }
  return plan;
}

result<void> lives::start(const life_ptr& who, const legion::launch& x) {
  auto& status = who->status;
  status.set_life(x.life());
  status.set_pod(x.pod());
  who->promise = x.promise();
  who->program = x.argv(0);
  who->working_dir = x.working_dir();
  status.set_state("starting");
  who->group = x.workload() + "." + x.container() + "." + std::to_string(x.life());
  auto plan = plan_of(x, who->group);
  if (!plan)
    return plan.why();
  auto path = files_.output_of(x);
  if (!path)
    return path.why();
  if (auto error = who->output.open(*path))
    return fault{error == ENOSPC ? errc::disk_full : errc::disk,
                 errno_text("open " + *path, error)};
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return fault{errc::overloaded, errno_text("socketpair", errno)};
  who->channel = ends[0];
  int yes = 1;
  setsockopt(who->channel, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
  plan->output = who->output.writing_end();
  plan->channel = ends[1];
  auto pid = start_init(*plan);
  close(ends[1]);
  if (pid < 0)
    return fault{errc::overloaded, errno_text("clone", -pid)};
  who->output.close_writing_end();
  who->init = pid;
  inits_[pid] = who;
  if (x.lease_until_ms() != 0) {
    status.set_lease_until_ms(x.lease_until_ms());
    leases_.hold({x.workload(), x.container()}, x.lease_until_ms(), x.lease_grace_ms());
  }
  events_.add(who->channel, EPOLLIN, [this, who](std::uint32_t) { hear(who); });
  events_.add(who->output.reading_end(), EPOLLIN, [this, who](std::uint32_t) {
    if (!who->output.pump())
      events_.remove(who->output.reading_end());
  });
  return {};
}

} // namespace legion::drivers
