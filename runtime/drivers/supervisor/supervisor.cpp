#include "runtime/drivers/supervisor/supervisor.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <malloc.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/drivers/supervisor/clients.hpp"
#include "runtime/drivers/supervisor/lives.hpp"
#include "runtime/drivers/supervisor/small_files.hpp"
#include "runtime/drivers/supervisor/startup_pages.hpp"

namespace legion::drivers {
namespace {

constexpr int folder_check_ms = 30'000;
constexpr std::int64_t terminated_grace_ms = 10'000;

/// Paths are relative: the data folder is our working folder, however long its name is.
constexpr const char* socket_name = "supervisor.sock";
constexpr const char* lock_name = "supervisor.lock";
constexpr const char* groups_name = "supervisor.cgroups";

std::string hash_of(const std::string& path) {
  std::uint32_t hash = 2166136261u; // FNV-1a
  for (unsigned char c : path)
    hash = (hash ^ c) * 16777619u;
  char text[9];
  std::snprintf(text, sizeof(text), "%08x", hash);
  return text;
}

class supervisor {
public:
  supervisor(const std::string& folder, int listening)
      : groups_(hash_of(folder), groups_name), namespaces_(geteuid() == 0 && namespaces_work()),
        clients_(events_, listening,
                 [this](auto id, auto request) { answer(id, std::move(request)); }),
        lives_(events_, groups_, workload_files{"."}, namespaces_,
               [this](const process_status& x) { tell_exit(x); }) {}

  void run(int signals) {
    events_.add(signals, EPOLLIN, [this, signals](std::uint32_t) { take_signals(signals); });
    shed_startup_pages();
    while (!done()) {
      auto due = lives_.on_time();
      if (done())
        break;
      auto happened = events_.wait(due < 0 ? folder_check_ms : due);
      if (!happened && std::exchange(busy_, false))
        shed_startup_pages();
      busy_ |= happened;
    }
    groups_.remove_all();
    unlink(socket_name);
    say_done();
    clients_.flush();
  }

private:
  struct asker {
    clients::client_id client = 0;
    std::uint64_t request = 0;
  };

  bool done() const {
    if (!lives_.all_ended())
      return false;
    struct stat here {};
    return ending_ || (stat(".", &here) == 0 && here.st_nlink == 0);
  }

  void take_signals(int signals) {
    struct signalfd_siginfo info;
    bool terminated = false;
    while (read(signals, &info, sizeof(info)) == sizeof(info))
      terminated |= info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
    lives_.reap();
    if (terminated)
      end(terminated_grace_ms, std::nullopt);
  }

  void end(std::int64_t grace_ms, std::optional<asker> who) {
    ending_ = true;
    if (who)
      askers_.push_back(*who);
    lives_.stop_all(grace_ms);
  }

  void say_done() {
    for (auto& x : askers_) {
      supervisor_reply reply;
      reply.set_request(x.request);
      clients_.send(x.client, reply);
    }
  }

  void tell_exit(const process_status& x) {
    supervisor_reply news;
    *news.mutable_process() = x;
    clients_.send_all(news);
  }

  static void refuse(supervisor_reply& reply, const fault& why) {
    reply.set_error(why.detail);
    reply.set_code(static_cast<std::uint32_t>(why.code));
  }

  void answer(clients::client_id id, supervisor_request request) {
    supervisor_reply reply;
    reply.set_request(request.request());
    switch (request.what_case()) {
      case supervisor_request::kLaunch:
        return start(id, std::move(reply), request.launch());
      case supervisor_request::kStop: {
        auto& x = request.stop();
        lives_.stop(x.workload(), x.container(), x.grace_ms());
        break;
      }
      case supervisor_request::kRemove:
        if (auto done = lives_.remove(request.remove().workload()); !done)
          refuse(reply, done.why());
        break;
      case supervisor_request::kRenew:
        if (auto done = lives_.renew(request.renew()); !done)
          refuse(reply, done.why());
        break;
      case supervisor_request::kList:
        describe(*reply.mutable_processes());
        break;
      case supervisor_request::kShutDown:
        return end(request.shut_down().grace_ms(), asker{id, request.request()});
      case supervisor_request::WHAT_NOT_SET:
        refuse(reply, {errc::unknown_message, "this supervisor does not know this request"});
    }
    clients_.send(id, reply);
  }

  void start(clients::client_id id, supervisor_reply reply, const legion::launch& what) {
    if (ending_) {
      refuse(reply, {errc::refused, "the supervisor is ending"});
      return clients_.send(id, reply);
    }
    lives_.launch(what, [this, id, reply](result<process_status> outcome) mutable {
      if (outcome)
        *reply.mutable_process() = *outcome;
      else
        refuse(reply, outcome.why());
      clients_.send(id, reply);
    });
  }

  void describe(process_list& into) const {
    lives_.list(into);
    into.set_limits(groups_.line());
    into.set_supervisor_pid(getpid());
    for (auto& x : groups_.enforced())
      into.add_capabilities(x);
    if (namespaces_)
      into.add_capabilities("namespaces");
    if (geteuid() == 0)
      into.add_capabilities("root");
  }

  poller events_;
  cgroups groups_;
  bool namespaces_;
  clients clients_;
  lives lives_;
  bool ending_ = false;
  bool busy_ = false; // since pages were last given back
  std::vector<asker> askers_;
};

/// Who started us reads our standard output until the first line.
int give_up(const std::string& why) {
  std::printf("%s\n", why.c_str());
  std::fflush(stdout);
  return 1;
}

/// Of the lock's file: who holds it.
int take_lock() {
  auto lock = open(lock_name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0)
    return -1;
  auto pid = std::to_string(getpid()) + "\n";
  if (ftruncate(lock, 0) != 0 || write(lock, pid.data(), pid.size()) < 0) {
    // The number is for people only; the lock is held.
  }
  return lock;
}

int listen_here() {
  unlink(socket_name);
  auto listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_un address {};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, socket_name);
  if (bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0
      || chmod(socket_name, 0600) != 0 || listen(listening, 16) != 0)
    return -1;
  return listening;
}

/// Quiet, alone, and with as little as it can live on.
void settle_in() {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TRIM_THRESHOLD, 64 * 1024);
  syscall(SYS_close_range, 3u, ~0u, 0u);
  umask(077);
  prctl(PR_SET_NAME, "legion-superv");
  for (auto* wish : {"-999", "-500", "-100"})
    if (write_file("/proc/self/oom_score_adj", wish) == 0)
      break;
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

int take_all_signals() {
  sigset_t all, ours;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  for (int i = 1; i < SIGRTMAX; ++i)
    if (i != SIGKILL && i != SIGSTOP)
      signal(i, SIG_DFL);
  sigemptyset(&ours);
  for (auto x : {SIGCHLD, SIGTERM, SIGINT})
    sigaddset(&ours, x);
  return signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
}

void say_ready() {
  std::printf("ready\n");
  std::fflush(stdout);
  auto null = open("/dev/null", O_RDWR | O_CLOEXEC);
  auto log = open("supervisor.log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  dup2(null, 0);
  dup2(null, 1);
  dup2(log < 0 ? null : log, 2);
  for (auto x : {null, log})
    if (x > 2)
      close(x);
}

} // namespace

int run_supervisor(const supervisor_settings& settings) {
  settle_in();
  std::unique_ptr<char, decltype(&std::free)> whole{realpath(settings.data_folder.c_str(), nullptr),
                                                    &std::free};
  std::string folder = whole ? whole.get() : "";
  whole.reset();
  if (folder.empty() || chdir(folder.c_str()) != 0)
    return give_up(errno_text(settings.data_folder, errno));
  if (settings.detach) {
    auto child = fork();
    if (child < 0)
      return give_up(errno_text("fork", errno));
    if (child > 0)
      _exit(0);
    setsid();
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1); // of this process: a child does not have it
  auto lock = take_lock();
  if (lock < 0)
    return give_up(folder + "/" + lock_name
                   + (errno == EWOULDBLOCK ? ": another supervisor holds it"
                                           : std::string{": "} + std::strerror(errno)));
  auto signals = take_all_signals();
  auto listening = listen_here();
  if (signals < 0 || listening < 0)
    return give_up(errno_text(folder + "/" + socket_name, errno));
  {
    supervisor x{folder, listening};
    say_ready();
    x.run(signals);
  }
  close(lock);
  return 0;
}

int supervise(int argc, char** argv) {
  supervisor_settings settings;
  for (int i = 0; i < argc; ++i) {
    std::string_view word{argv[i]};
    if (word == "--detach")
      settings.detach = true;
    else if (word == "--data" && i + 1 < argc)
      settings.data_folder = argv[++i];
    else if (word.starts_with("--data="))
      settings.data_folder = word.substr(7);
    else
      settings.data_folder.clear(), i = argc;
  }
  if (settings.data_folder.empty()) {
    std::fprintf(stderr, "usage: legion-node supervise --data DIR [--detach]\n"
                         "The parent of a node's workloads; legion-node starts it by itself.\n");
    return 2;
  }
  return run_supervisor(settings);
}

} // namespace legion::drivers
