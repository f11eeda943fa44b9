// 100 processes started through the driver, against a plain loop of the same clone, cgroup and exec
// in the same run. Prints both and the ratio; the target is at most 3.

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string_view>

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/drivers/process/process_driver.hpp"
#include "runtime/drivers/supervisor/cgroup_layout.hpp"
#include "runtime/drivers/supervisor/small_files.hpp"
#include "runtime/drivers/supervisor/supervisor.hpp"

using namespace legion;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr int processes = 100;
constexpr std::int64_t memory_bytes = 64 << 20;

struct counting final : drivers::sink {
  void launched(std::uint64_t, result<process_status> x) override {
    if (!x)
      std::fprintf(stderr, "launch: %s\n", x.why().detail.c_str());
    add(started);
  }
  void stopped(std::uint64_t, result<void>) override { add(stops); }
  void renewed(std::uint64_t, result<void>) override {}
  void removed(std::uint64_t, result<void>) override {}
  void listed(std::uint64_t, result<process_list>) override {}
  void probed(std::uint64_t, drivers::probe_outcome) override {}
  void read(std::uint64_t, result<drivers::output>) override {}
  void exited(process_status) override {}
  void supervisor_lost(std::string why) override { std::fprintf(stderr, "%s\n", why.c_str()); }

  void add(int& what) {
    std::lock_guard guard{mutex};
    ++what;
    changed.notify_all();
  }
  void wait(int& what, int count) {
    std::unique_lock guard{mutex};
    if (!changed.wait_for(guard, std::chrono::seconds{60}, [&] { return what >= count; }))
      std::exit(1);
  }
  std::mutex mutex;
  std::condition_variable changed;
  int started = 0;
  int stops = 0;
};

double milliseconds_since(clock_type::time_point start) {
  return std::chrono::duration<double, std::milli>(clock_type::now() - start).count();
}

double with_driver(const std::string& folder) {
  counting told;
  auto made = drivers::process_driver({folder, "/proc/self/exe"})(told);
  if (!made) {
    std::fprintf(stderr, "%s\n", made.why().detail.c_str());
    std::exit(1);
  }
  auto start = clock_type::now();
  for (int i = 0; i < processes; ++i) {
    launch x;
    x.set_workload("w" + std::to_string(i));
    x.set_container("main");
    x.add_argv("/bin/sleep");
    x.add_argv("1000");
    x.set_cpu_millis(100);
    x.set_memory_bytes(memory_bytes);
    x.set_pids(100);
    (*made)->launch(static_cast<std::uint64_t>(i), x);
  }
  told.wait(told.started, processes);
  auto result = milliseconds_since(start);
  (*made)->shut_down(1000, 0);
  told.wait(told.stops, 1);
  return result;
}

/// One after the other: make the groups, set the limits, clone into new namespaces, enter, mount
/// /proc, execute; the next begins when the program was executed.
double plain_loop() {
  std::vector<std::pair<std::string, drivers::hierarchy>> bases;
  for (auto& x : drivers::cgroup_layout(drivers::read_file("/proc/self/mountinfo"),
                                        drivers::read_file("/proc/self/cgroup")))
    if (!x.controllers.empty()) {
      bases.emplace_back(x.mount + x.own + "/legion-bench", x);
      mkdir(bases.back().first.c_str(), 0755);
    }
  std::vector<pid_t> children;
  auto start = clock_type::now();
  for (int i = 0; i < processes; ++i) {
    std::vector<std::string> doors;
    for (auto& [base, x] : bases) {
      auto group = base + "/w" + std::to_string(i);
      mkdir(group.c_str(), 0755);
      for (auto& name : x.controllers)
        for (auto& y : drivers::control_writes(x.version, name, {100, memory_bytes, 100, 0}))
          drivers::write_file(group + "/" + y.file, y.value);
      doors.push_back(group + "/cgroup.procs");
    }
    int done[2];
    if (pipe2(done, O_CLOEXEC) != 0)
      std::exit(1);
    struct clone_args args {};
    args.flags = geteuid() == 0 ? CLONE_NEWPID | CLONE_NEWNS : 0;
    args.exit_signal = SIGCHLD;
    auto pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof(args)));
    if (pid == 0) {
      for (auto& door : doors)
        drivers::write_file(door, "0");
      mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr);
      mount("proc", "/proc", "proc", 0, nullptr);
      execl("/bin/sleep", "sleep", "1000", nullptr);
      _exit(127);
    }
    close(done[1]);
    char byte;
    if (read(done[0], &byte, 1) != 0)
      std::exit(1);
    close(done[0]);
    children.push_back(pid);
  }
  auto result = milliseconds_since(start);
  for (auto pid : children)
    kill(pid, SIGKILL);
  for (auto pid : children)
    waitpid(pid, nullptr, 0);
  for (auto& [base, x] : bases) {
    for (int i = 0; i < processes; ++i)
      rmdir((base + "/w" + std::to_string(i)).c_str());
    rmdir(base.c_str());
  }
  return result;
}

} // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view{argv[1]} == "supervise")
    return drivers::supervise(argc - 2, argv + 2);
  if (argc > 1 && std::string_view{argv[1]} == "--plain") { // for tests/bench/apply.py
    std::printf("%.1f\n", plain_loop());
    return 0;
  }
  char folder[] = "/tmp/legion-bench-XXXXXX";
  if (!mkdtemp(folder))
    return 1;
  std::vector<double> plain, driver, ratios;
  for (int round = 0; round < 5; ++round) {
    plain.push_back(plain_loop());
    driver.push_back(with_driver(folder));
    ratios.push_back(driver.back() / plain.back());
    std::printf("round %d: plain loop %.0f ms, driver %.0f ms, ratio %.2f\n", round + 1,
                plain.back(), driver.back(), ratios.back());
  }
  std::sort(ratios.begin(), ratios.end());
  std::printf("%d launches: median ratio %.2f (target: at most 3)\n", processes, ratios[2]);
  std::filesystem::remove_all(folder);
  return 0;
}
