#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>

#include <sys/epoll.h>
#include <unistd.h>

namespace legion::drivers {

/// One epoll descriptor and what to call for each file. Files may be added and removed from within
/// the calls.
class poller {
public:
  using callback = std::function<void(std::uint32_t events)>;

  poller() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}
  ~poller() { close(epoll_); }
  poller(const poller&) = delete;
  poller& operator=(const poller&) = delete;

  void add(int file, std::uint32_t events, callback what) {
    watched_[file] = {++generation_, std::move(what)};
    control(EPOLL_CTL_ADD, file, events);
  }
  void change(int file, std::uint32_t events) { control(EPOLL_CTL_MOD, file, events); }
  void remove(int file) {
    if (watched_.erase(file))
      epoll_ctl(epoll_, EPOLL_CTL_DEL, file, nullptr);
  }

  /// False if nothing happened in that time.
  bool wait(int timeout_ms) {
    struct epoll_event events[32];
    auto n = epoll_wait(epoll_, events, 32, timeout_ms);
    for (int i = 0; i < n; ++i) {
      // A file that was closed a moment ago may have come back under the same number.
      auto file = static_cast<int>(events[i].data.u64 & 0xffffffff);
      auto found = watched_.find(file);
      if (found == watched_.end() || found->second.generation != events[i].data.u64 >> 32)
        continue;
      auto call = found->second.what;
      call(events[i].events);
    }
    return n > 0;
  }

private:
  struct watched {
    std::uint32_t generation = 0;
    callback what;
  };

  void control(int how, int file, std::uint32_t events) {
    struct epoll_event event {};
    event.events = events;
    event.data.u64 =
        std::uint64_t{watched_[file].generation} << 32 | static_cast<std::uint32_t>(file);
    epoll_ctl(epoll_, how, file, &event);
  }

  int epoll_;
  std::uint32_t generation_ = 0;
  std::unordered_map<int, watched> watched_;
};

} // namespace legion::drivers
