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
#include "runtime/drivers/supervisor/frame.hpp"
#include "runtime/drivers/supervisor/small_files.hpp"

namespace legion::drivers {
namespace {

constexpr std::int64_t retry_ms = 10;

std::int64_t monotonic_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

std::int64_t wall_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
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
  auto room = max_supervision_frame_bytes / 4; // for promises
  for (auto& [key, x] : lives_)
    if (x->status.state() != "starting") {
      auto& y = *into.add_processes() = x->status;
      if (x->promise.size() > room)
        continue;
      y.set_promise(x->promise);
      room -= x->promise.size();
    }
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
