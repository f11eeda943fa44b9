#pragma once

#include <chrono>
#include <csignal>
#include <ctime>

namespace legion::node_process {

/// Signals as a queue: blocked in every thread, taken by the one that waits. Make it before any
/// other thread.
class signals {
public:
  signals() {
    std::signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set_);
    for (auto number : {SIGTERM, SIGINT, SIGUSR1})
      sigaddset(&set_, number);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }

  /// 0: none came in this time.
  int wait(std::chrono::seconds most) {
    timespec limit{most.count(), 0};
    auto number = sigtimedwait(&set_, nullptr, &limit);
    return number < 0 ? 0 : number;
  }

private:
  sigset_t set_;
};

} // namespace legion::node_process
