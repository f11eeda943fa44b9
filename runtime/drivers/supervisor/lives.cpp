#include "runtime/drivers/supervisor/lives.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/drivers/boot_clock.hpp"
#include "runtime/drivers/supervisor/small_files.hpp"

namespace legion::drivers {
namespace {

constexpr std::int64_t retry_ms = 10;
constexpr std::size_t max_lives = 4096;

std::int64_t monotonic_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

std::int64_t wall_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::string errno_text(const std::string& doing, int error) {
  return doing + ": " + std::strerror(error);
}

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

lives::lives(poller& events, const cgroups& groups, workload_files files, bool namespaces,
             exit_news tell)
    : events_(events), groups_(groups), files_(std::move(files)), namespaces_(namespaces),
      tell_(std::move(tell)),
      leases_(events_, [this](auto& key, auto step, auto left) { lease_due(key, step, left); }) {
  adopt_records();
}

lives::~lives() {
  for (auto& [key, x] : lives_)
    if (x->channel >= 0)
      close(x->channel);
}

void lives::adopt_records() {
  std::vector<std::string> problems;
  for (auto& x : files_.records(problems)) {
    if (x.state() != "exited") { // what ran under a supervisor that was killed died with it
      x.set_state("exited");
      x.set_signal(SIGKILL);
      x.set_finished_ms(wall_ms());
      x.set_error("ended with its supervisor");
      save(x);
    }
    auto who = std::make_shared<life>();
    who->status = x;
    lives_[{x.workload(), x.container()}] = std::move(who);
  }
  for (auto& path : problems)
    std::fprintf(stderr, "legion supervisor: %s cannot be read: skipped\n", path.c_str());
}

void lives::save(const process_status& x) {
  if (auto error = files_.save(x))
    std::fprintf(stderr, "legion supervisor: the record of %s/%s is not on disk: %s\n",
                 x.workload().c_str(), x.container().c_str(), std::strerror(error));
}

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
    auto own = files_.own_folder(x.workload(), plan.user, plan.group);
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

/// The failed call, with what it was called for.
std::string lives::subject_of(const std::string& call, const life& who) {
  if (call == "execve")
    return call + " " + who.program;
  if (call == "chdir")
    return call + " " + who.working_dir;
  return call;
}

void lives::hear(const life_ptr& who) {
  for (;;) {
    init_note note;
    char space[CMSG_SPACE(sizeof(struct ucred))] = {};
    struct iovec piece {
      &note, sizeof(note)
    };
    struct msghdr message {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = space;
    message.msg_controllen = sizeof(space);
    auto n = recvmsg(who->channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n != sizeof(note)) {
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        events_.remove(who->channel);
      return;
    }
    auto& status = who->status;
    switch (note.kind) {
      case init_note::entering:
        if (auto* extra = CMSG_FIRSTHDR(&message); extra && extra->cmsg_type == SCM_CREDENTIALS) {
          struct ucred from;
          std::memcpy(&from, CMSG_DATA(extra), sizeof(from));
          status.set_pid(from.pid);
        }
        break;
      case init_note::started:
        if (status.state() == "starting")
          status.set_state("running");
        status.set_started_ms(wall_ms());
        who->before.reset();
        save(status);
        if (auto reply = std::exchange(who->reply, {}))
          reply(status);
        break;
      case init_note::failed:
        note.doing[sizeof(note.doing) - 1] = '\0';
        who->failure = errno_text(subject_of(note.doing, *who), note.value);
        break;
      case init_note::ended:
        who->wait_status = note.value;
        break;
    }
  }
}

void lives::stop_one(const life_ptr& who, std::int64_t grace_ms) {
  if (!who->init)
    return;
  auto kill_at = monotonic_ms() + std::max<std::int64_t>(grace_ms, 0);
  who->kill_at = who->kill_at ? std::min(who->kill_at, kill_at) : kill_at;
  if (grace_ms > 0 && who->status.state() != "stopping")
    kill(who->init, SIGTERM); // the init passes it on
  who->status.set_state("stopping");
}

void lives::stop(const std::string& workload, const std::string& container, std::int64_t grace_ms) {
  for (auto i = lives_.lower_bound({workload, container});
       i != lives_.end() && i->first.first == workload; ++i)
    if (container.empty() || i->first.second == container)
      stop_one(i->second, grace_ms);
}

void lives::stop_all(std::int64_t grace_ms) {
  for (auto& [key, x] : lives_)
    stop_one(x, grace_ms);
}

result<void> lives::renew(const renew_lease& x) {
  switch (leases_.renew(x.workload(), x.until_ms())) {
    case leases::renewal::none:
      return fault{errc::not_found, "nothing of " + x.workload() + " is leased and alive"};
    case leases::renewal::too_late:
      return fault{errc::conflict, "the lease of " + x.workload() + " runs out: it ends"};
    default:
      break;
  }
  for (auto i = lives_.lower_bound({x.workload(), ""});
       i != lives_.end() && i->first.first == x.workload(); ++i)
    if (auto until = leases_.until(i->first))
      i->second->status.set_lease_until_ms(until);
  return {};
}

/// At the deadline nothing of it may run, so what it was given to end in lies before.
void lives::lease_due(const leases::key& key, leases::step step, std::int64_t left_ms) {
  auto i = lives_.find(key);
  if (i == lives_.end() || !i->second->init)
    return;
  auto who = i->second;
  who->status.set_reason("lease_expired");
  stop_one(who, left_ms);
  if (step == leases::step::kill)
    kill_all(*who);
}

result<void> lives::remove(const std::string& workload) {
  if (!workload_files::good_name(workload))
    return fault{errc::invalid, "\"" + workload + "\" is not a workload's name"};
  auto first = lives_.lower_bound({workload, ""});
  auto last = first;
  for (; last != lives_.end() && last->first.first == workload; ++last)
    if (last->second->status.state() != "exited")
      return fault{errc::conflict, "container " + last->first.second + " of " + workload + " is "
                                       + last->second->status.state()};
  lives_.erase(first, last);
  files_.remove(workload);
  return {};
}

void lives::list(process_list& into) const {
  for (auto& [key, x] : lives_)
    if (x->status.state() != "starting")
      *into.add_processes() = x->status;
}

void lives::reap() {
  int status = 0;
  bool orphans = false;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    auto node = inits_.extract(pid);
    if (!node) {
      orphans = true;
      continue;
    }
    auto who = node.mapped();
    hear(who);
    orphans |= !who->wait_status;
    ended(who, status);
  }
  if (orphans && !namespaces_)
    kill_orphans();
}

/// Without namespaces, what a killed init leaves becomes ours: nothing may run unsupervised.
void lives::kill_orphans() {
  auto list = read_file("/proc/self/task/" + std::to_string(getpid()) + "/children");
  for (auto* at = list.c_str(); *at;) {
    char* end = nullptr;
    auto pid = static_cast<pid_t>(std::strtol(at, &end, 10));
    if (end == at)
      break;
    if (pid > 1 && !inits_.contains(pid))
      kill(pid, SIGKILL);
    at = end + (*end == ' ');
  }
}

void lives::ended(const life_ptr& who, int init_status) {
  who->init = 0;
  who->kill_at = 0;
  leases_.drop({who->status.workload(), who->status.container()});
  events_.remove(who->channel);
  close(std::exchange(who->channel, -1));
  events_.remove(who->output.reading_end());
  who->output.finish();
  auto status = who->wait_status.value_or(init_status);
  auto& x = who->status;
  if (WIFSIGNALED(status))
    x.set_signal(WTERMSIG(status));
  else
    x.set_exit_code(WEXITSTATUS(status));
  x.set_finished_ms(wall_ms());
  if (groups_.usable())
    x.set_out_of_memory(status != 0 && groups_.out_of_memory(who->group));
  try_to_close(who);
}

/// Told only once nothing of it is left: until then its capacity is not free.
void lives::try_to_close(const life_ptr& who) {
  if (!groups_.remove(who->group)) {
    groups_.kill(who->group);
    who->status.set_state("stopping");
    who->remove_at = monotonic_ms() + retry_ms;
    return;
  }
  who->remove_at = 0;
  auto& x = who->status;
  x.set_state("exited");
  if (auto reply = std::exchange(who->reply, {})) { // it never became the workload
    auto why = who->failure;
    if (why.empty())
      why =
          x.out_of_memory() ? "out of memory before it could start" : "ended before it could start";
    forget(who);
    return reply(fault{who->failure_code, why});
  }
  save(x);
  tell_(x);
}

/// The kernel ends a namespace with its init. Without one the init must do it, and is killed itself
/// only if it has not within a second: what it leaves is found as orphans.
void lives::kill_all(life& who) {
  if (namespaces_ || std::exchange(who.asked_to_end_all, true))
    kill(who.init, SIGKILL);
  else
    kill(who.init, end_all_signal);
}

int lives::on_time() {
  auto now = monotonic_ms();
  std::int64_t next = -1;
  std::vector<life_ptr> due;
  for (auto& [key, x] : lives_) {
    for (auto at : {x->kill_at, x->remove_at})
      if (at && at <= now)
        due.push_back(x);
  }
  for (auto& x : due) {
    if (x->kill_at && x->init) {
      kill_all(*x);
      x->kill_at = now + 1000;
    }
    if (x->remove_at)
      try_to_close(x);
  }
  for (auto& [key, x] : lives_)
    for (auto at : {x->kill_at, x->remove_at})
      if (at)
        next = next < 0 ? std::max<std::int64_t>(at - now, 0)
                        : std::min(next, std::max<std::int64_t>(at - now, 0));
  return static_cast<int>(std::min<std::int64_t>(next, 60'000));
}

bool lives::all_ended() const {
  return std::all_of(lives_.begin(), lives_.end(),
                     [](auto& x) { return x.second->status.state() == "exited"; });
}

} // namespace legion::drivers
