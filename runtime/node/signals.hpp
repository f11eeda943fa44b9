#pragma once

#include <csignal>

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

  int wait() {
    int number = 0;
    sigwait(&set_, &number);
    return number;
  }

private:
  sigset_t set_;
};

} // namespace legion::node_process
