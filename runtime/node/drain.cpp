#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <future>

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/drivers/process/process_driver.hpp"
#include "runtime/node/data_folder.hpp"
#include "runtime/node/node_process.hpp"

namespace legion::node_process {

namespace {

constexpr std::int64_t grace_ms = 30'000;

/// Longer than any grace period that a manifest is likely to ask for; after it, the state is
/// unknown.
constexpr int longest_ms = 600'000;

/// Hears of one completion: that all workloads and their supervisor have ended.
class ending : public drivers::sink {
public:
  void launched(std::uint64_t, result<process_status>) override {}
  void stopped(std::uint64_t, result<void> what) override { finish(std::move(what)); }
  void removed(std::uint64_t, result<void>) override {}
  void listed(std::uint64_t, result<process_list>) override {}
  void probed(std::uint64_t, drivers::probe_outcome) override {}
  void read(std::uint64_t, result<drivers::output>) override {}
  void exited(process_status) override {}
  void supervisor_lost(std::string) override {}

  result<void> wait() {
    auto done = done_.get_future();
    if (done.wait_for(std::chrono::milliseconds{longest_ms}) != std::future_status::ready)
      return fault{errc::deadline, "the workloads have not ended within 10 minutes"};
    return done.get();
  }

private:
  void finish(result<void> what) {
    if (!finished_.exchange(true))
      done_.set_value(std::move(what));
  }

  std::promise<result<void>> done_;
  std::atomic<bool> finished_ = false;
};

int say(const std::string& what, int code) {
  std::fprintf(code == 0 ? stdout : stderr, "legion-node: %s\n", what.c_str());
  return code;
}

/// The node itself drains and ends; a pidfd tells when, and cannot mean another process.
int drain_through_node(const configuration& settings, int pid) {
  auto fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0 || ::kill(pid, SIGUSR1) != 0)
    return say("node process " + std::to_string(pid) + " cannot be asked: " + std::strerror(errno),
               1);
  std::printf("legion-node: draining the node of %s, process %d\n", settings.data.c_str(), pid);
  std::fflush(stdout);
  pollfd ended{fd, POLLIN, 0};
  auto ready = ::poll(&ended, 1, longest_ms);
  ::close(fd);
  if (ready != 1)
    return say("the node has not ended within 10 minutes; its workloads may still run", 4);
  return 0;
}

} // namespace

int drain_node(const configuration& settings) {
  if (!std::filesystem::is_directory(settings.data))
    return say("data folder " + settings.data + ": there is none, and so nothing to drain", 1);
  if (auto pid = data_folder::holder_of(settings.data); pid > 0)
    if (auto code = drain_through_node(settings, pid); code != 0)
      return code;
  // The node is gone, asked or killed: its supervisor may still run workloads.
  auto folder = data_folder::open(settings.data);
  if (!folder)
    return say(folder.why().detail, 1);
  if (!std::filesystem::exists(settings.data + "/supervisor.sock"))
    return say("drained", 0);
  ending done;
  auto driver = drivers::process_driver({settings.data})(done);
  if (!driver)
    return say(driver.why().detail, 1);
  (*driver)->shut_down(1, grace_ms);
  auto ended = done.wait();
  if (!ended)
    return say(ended.why().detail, ended.why().code == errc::deadline ? 4 : 1);
  return say("drained", 0);
}

} // namespace legion::node_process
