// The init: the first process of a life, in its own pid and mount namespaces where there is root.
//
// It is a copy of the supervisor that never executes another program, so it costs a few private
// pages. It enters the cgroups, mounts /proc, starts the workload, forwards signals to it, reaps
// whatever is orphaned in its namespace, and ends when the workload's main process does; the kernel
// then kills what is left in the namespace. Without namespaces it is a child subreaper and does
// that last part by hand.
//
// The workload is started by vfork: the init goes on only once execve has succeeded or failed, and
// the child leaves the reason in shared memory. No pipe, no race, no copied page table.

#include "runtime/drivers/supervisor/init.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/drivers/supervisor/small_files.hpp"

namespace legion::drivers {
namespace {

/// Where the init's channel and output are, once all else is closed.
constexpr int channel_fd = 3;
constexpr int output_fd = 4;

constexpr rlim_t open_files = 65536;

void say(init_note::kind_of kind, int value, const char* doing = "") {
  init_note note;
  note.kind = kind;
  note.value = value;
  std::snprintf(note.doing, sizeof(note.doing), "%s", doing);
  send(channel_fd, &note, sizeof(note), MSG_NOSIGNAL);
}

[[noreturn]] void give_up(const char* doing) {
  say(init_note::failed, errno, doing);
  _exit(127);
}

/// Files of /proc/self/task/self/children, for where there is no namespace to end.
void kill_children() {
  char path[64];
  std::snprintf(path, sizeof(path), "/proc/self/task/%d/children", static_cast<int>(getpid()));
  auto list = read_file(path);
  for (auto* at = list.c_str(); *at;) {
    char* end = nullptr;
    auto pid = std::strtol(at, &end, 10);
    if (end == at)
      break;
    if (pid > 1)
      kill(static_cast<pid_t>(pid), SIGKILL);
    at = end;
    while (*at == ' ')
      ++at;
  }
}

/// Everything that was ever forked here becomes our child in the end: kill until there is none. The
/// main process's wait status.
int end_the_rest(pid_t main, int main_status = 0) {
  for (;;) {
    kill_children();
    int status = 0;
    auto pid = waitpid(-1, &status, 0);
    if (pid == main)
      main_status = status;
    if (pid < 0 && errno == ECHILD)
      return main_status;
  }
}

/// The programs that execvp would try, in its order.
std::vector<std::string> programs_of(const init_plan& plan) {
  auto& name = plan.argv.front();
  if (name.find('/') != name.npos)
    return {name};
  std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (auto& x : plan.env)
    if (x.starts_with("PATH="))
      path = x.substr(5);
  std::vector<std::string> result;
  for (std::size_t from = 0; from <= path.size();) {
    auto end = std::min(path.find(':', from), path.size());
    result.push_back((end > from ? path.substr(from, end - from) : ".") + "/" + name);
    from = end + 1;
  }
  return result;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& x : texts)
    result.push_back(const_cast<char*>(x.c_str()));
  result.push_back(nullptr);
  return result;
}

/// Shared with the vforked child.
struct attempt {
  const init_plan& plan;
  std::vector<std::string> programs;
  std::vector<char*> argv;
  std::vector<char*> env;
  volatile int error = 0;
  const char* volatile doing = "";
};

/// In the vforked child: system calls only. Returns if something failed.
void become_workload(attempt& x) {
  auto failed = [&](const char* doing) {
    x.error = errno;
    x.doing = doing;
  };
  setsid();
  if (!x.plan.namespaces)
    prctl(PR_SET_PDEATHSIG, SIGKILL);
  say(init_note::entering, 0);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = std::min(files.rlim_max, open_files);
    setrlimit(RLIMIT_NOFILE, &files);
  }
  if (auto file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); file >= 0) {
    if (write(file, "100", 3) < 0) {
      // It may stay what it is.
    }
    close(file);
  }
  if (dup2(output_fd, 1) < 0 || dup2(output_fd, 2) < 0)
    return failed("dup2");
  // The workload's own folder lies under the data folder, which other users may not enter: so
  // before the change of user.
  if (!x.plan.own_folder.empty() && chdir(x.plan.own_folder.c_str()) != 0)
    return failed("chdir");
  if (x.plan.group || x.plan.user) {
    auto group = static_cast<gid_t>(x.plan.group.value_or(0));
    if (geteuid() == 0 && setgroups(0, nullptr) != 0)
      return failed("setgroups");
    if (x.plan.group && setgid(group) != 0)
      return failed("setgid");
    if (x.plan.user && setuid(static_cast<uid_t>(*x.plan.user)) != 0)
      return failed("setuid");
  }
  if (!x.plan.working_dir.empty() && chdir(x.plan.working_dir.c_str()) != 0)
    return failed("chdir");
  umask(022);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  int error = ENOENT;
  for (auto& program : x.programs) {
    execve(program.c_str(), x.argv.data(), x.env.data());
    if (errno != ENOENT && errno != ENOTDIR)
      error = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
      break;
  }
  errno = error;
  failed("execve");
}

/// Closes all but our two, under fixed numbers, with /dev/null as the standard three.
void arrange_files(const init_plan& plan) {
  auto channel = fcntl(plan.channel, F_DUPFD, 10);
  auto output = fcntl(plan.output, F_DUPFD, 10);
  auto null = open("/dev/null", O_RDWR);
  for (int i : {0, 1, 2})
    dup2(null, i);
  dup2(channel, channel_fd);
  dup2(output, output_fd);
  syscall(SYS_close_range, 5u, ~0u, 0u);
  fcntl(channel_fd, F_SETFD, FD_CLOEXEC);
  fcntl(output_fd, F_SETFD, FD_CLOEXEC);
}

/// What `ps` shows: the arguments that the supervisor was started with are not this process's.
void rename_process() {
  prctl(PR_SET_NAME, "legion-init");
  auto stat = read_file("/proc/self/stat");
  auto at = stat.rfind(')');
  if (at == stat.npos)
    return;
  unsigned long start = 0, end = 0;
  // Fields 48 and 49, counted from 1; field 3 follows the name. Source: proc_pid_stat(5).
  for (int field = 2; field < 48 && at != stat.npos; ++field)
    at = stat.find(' ', at + 1);
  if (at == stat.npos || std::sscanf(stat.c_str() + at, " %lu %lu", &start, &end) != 2 || !start
      || end <= start)
    return;
  auto* arguments = reinterpret_cast<char*>(start); // our own stack, above main
  std::memset(arguments, 0, end - start);
  std::snprintf(arguments, end - start, "legion-init");
}

void enter_namespaces() {
  // What is mounted on the host later may come in; nothing of ours goes out.
  if (mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)
    give_up("make mounts private");
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    give_up("mount /proc");
}

[[noreturn]] void end_with(int status) {
  say(init_note::ended, status);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/// Waits for signals: passes them on, reaps, and ends with the main process.
[[noreturn]] void look_after(pid_t main, bool namespaces) {
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    siginfo_t info{};
    auto signal = sigwaitinfo(&all, &info);
    if (signal == end_all_signal && !namespaces)
      end_with(end_the_rest(main));
    if (signal > 0 && signal != SIGCHLD) {
      kill(main, signal);
      continue;
    }
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
      if (pid == main)
        end_with(namespaces ? status : end_the_rest(main, status));
  }
}

[[noreturn]] void run_init(const init_plan& plan) {
  arrange_files(plan);
  prctl(PR_SET_PDEATHSIG, plan.namespaces ? SIGKILL : end_all_signal);
  if (pollfd channel{channel_fd, 0, 0}; poll(&channel, 1, 0) > 0)
    _exit(1); // the supervisor died before we could ask to die with it
  setsid();
  rename_process();
  for (auto& door : plan.doors)
    if (auto error = write_file(door, "0")) {
      errno = error;
      give_up("enter its cgroup");
    }
  if (plan.namespaces)
    enter_namespaces();
  else
    prctl(PR_SET_CHILD_SUBREAPER, 1);
  attempt x{plan, programs_of(plan), pointers(plan.argv), pointers(plan.env)};
  auto main = vfork();
  if (main == 0) {
    become_workload(x);
    _exit(127);
  }
  if (main < 0)
    give_up("fork");
  if (x.error) {
    errno = x.error;
    give_up(x.doing);
  }
  close(output_fd);
  say(init_note::started, 0);
  look_after(main, plan.namespaces);
}

pid_t fork_with(std::uint64_t flags) {
  struct clone_args args {};
  args.flags = flags;
  args.exit_signal = SIGCHLD;
  auto pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof(args)));
  if (pid < 0 && (errno == ENOSYS || errno == EPERM)) // a sandbox may know only the older call
    pid = static_cast<pid_t>(syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));
  return pid < 0 ? -errno : pid;
}

} // namespace

pid_t start_init(const init_plan& plan) {
  auto pid = fork_with(plan.namespaces ? CLONE_NEWPID | CLONE_NEWNS : 0);
  if (pid == 0)
    run_init(plan);
  return pid;
}

bool namespaces_work() {
  auto pid = fork_with(CLONE_NEWPID | CLONE_NEWNS);
  if (pid == 0)
    _exit(mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0
                  && mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0
              ? 0
              : 1);
  int status = 1;
  return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

} // namespace legion::drivers
