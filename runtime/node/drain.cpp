#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>

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

/// Hears which process the supervisor is, then that all workloads have ended.
class ending : public drivers::sink {
public:
  void launched(std::uint64_t, result<process_status>) override {}
  void stopped(std::uint64_t, result<void> what) override { tell(ended_, std::move(what)); }
  void renewed(std::uint64_t, result<void>) override {}
  void removed(std::uint64_t, result<void>) override {}
  void listed(std::uint64_t, result<process_list> what) override { tell(listed_, std::move(what)); }
  void probed(std::uint64_t, drivers::probe_outcome) override {}
  void read(std::uint64_t, result<drivers::output>) override {}
  void exited(process_status) override {}
  void supervisor_lost(std::string) override {}

  result<process_list> wait_for_list() { return wait(listed_, "the supervisor does not answer"); }
  result<void> wait_for_end() {
    return wait(ended_, "the workloads have not ended within 10 minutes");
  }

private:
  template <class T>
  struct once {
    std::promise<result<T>> promise;
    std::atomic<bool> told = false;
  };

  template <class T>
  static void tell(once<T>& whom, result<T> what) {
    if (!whom.told.exchange(true))
      whom.promise.set_value(std::move(what));
  }

  template <class T>
  static result<T> wait(once<T>& for_what, const char* late) {
    auto done = for_what.promise.get_future();
    if (done.wait_for(std::chrono::milliseconds{longest_ms}) != std::future_status::ready)
      return fault{errc::deadline, late};
    return done.get();
  }

  once<process_list> listed_;
  once<void> ended_;
};

/// A process that cannot be taken for another; false if it has not ended in time.
class watched_process {
public:
  explicit watched_process(int pid) : fd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  ~watched_process() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  watched_process(const watched_process&) = delete;

  bool there() const { return fd_ >= 0; }
  bool ends_within(int milliseconds) const {
    pollfd ended{fd_, POLLIN, 0};
    return fd_ < 0 || ::poll(&ended, 1, milliseconds) == 1;
  }

private:
  int fd_;
};

int say(const std::string& what, int code) {
  std::fprintf(code == 0 ? stdout : stderr, "legion-node: %s\n", what.c_str());
  return code;
}

/// The node itself drains and ends.
int drain_through_node(const configuration& settings, int pid) {
  watched_process node{pid};
  if (!node.there() || ::kill(pid, SIGUSR1) != 0)
    return say("node process " + std::to_string(pid) + " cannot be asked: " + std::strerror(errno),
               1);
  std::printf("legion-node: draining the node of %s, process %d\n", settings.data.c_str(), pid);
  std::fflush(stdout);
  if (!node.ends_within(longest_ms))
    return say("the node has not ended within 10 minutes; its workloads may still run", 4);
  return 0;
}

/// What the node had to leave behind.
void tell_note(const configuration& settings) {
  auto path = settings.data + "/" + drain_note;
  std::string note;
  if (std::getline(std::ifstream{path}, note))
    std::printf("legion-node: note: %s\n", note.c_str());
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
}

constexpr auto counted_as_down =
    "its zone counts it as a node that is down, and replaces it in what it keeps after 5 minutes";

/// The supervisor ends its workloads, then itself; nothing is drained before it is gone.
result<void> drain_through_supervisor(const configuration& settings) {
  ending heard;
  auto driver = drivers::process_driver({settings.data})(heard);
  if (!driver)
    return driver.why();
  (*driver)->list(1);
  auto known = heard.wait_for_list();
  if (!known)
    return known.why();
  watched_process supervisor{static_cast<int>(known->supervisor_pid())};
  (*driver)->shut_down(2, grace_ms);
  if (auto ended = heard.wait_for_end(); !ended)
    return ended.why();
  if (!supervisor.ends_within(10'000))
    return fault{errc::deadline, "the workloads have ended, their supervisor, process "
                                     + std::to_string(known->supervisor_pid()) + ", has not"};
  return {};
}

} // namespace

int drain_node(const configuration& settings) {
  if (!std::filesystem::is_directory(settings.data))
    return say("data folder " + settings.data + ": there is none, and so nothing to drain", 1);
  auto pid = data_folder::holder_of(settings.data);
  auto mark = settings.data + "/" + drain_mark;
  if (pid > 0) {
    std::ofstream{mark}; // where it cannot be made nothing is known, and all is taken to be well
    if (auto code = drain_through_node(settings, pid); code != 0)
      return code;
  }
  std::error_code ignored;
  auto cut_short = std::filesystem::remove(mark, ignored); // the node would have taken it away
  tell_note(settings);
  if (pid <= 0)
    std::printf("legion-node: note: no node runs on %s: only workloads that it left running are "
                "ended; unless it was drained before, %s\n",
                settings.data.c_str(), counted_as_down);
  auto drained = [&] {
    if (pid <= 0 || !cut_short)
      return say("drained", 0);
    return say("the node ended before it had drained: its workloads have ended, but "
                   + std::string{counted_as_down},
               1);
  };
  // The node is gone, asked or killed: its supervisor may still run workloads.
  auto folder = data_folder::open(settings.data);
  if (!folder)
    return say(folder.why().detail, 1);
  if (!std::filesystem::exists(settings.data + "/supervisor.sock"))
    return drained();
  if (auto done = drain_through_supervisor(settings); !done)
    return say(done.why().detail, done.why().code == errc::deadline ? 4 : 1);
  return drained();
}

} // namespace legion::node_process
