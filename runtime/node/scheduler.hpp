#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <caf/execution_unit.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include "runtime/node/timers.hpp"

namespace legion::node_process {

/// The threads that run a node's actors, and their clock.
///
/// CAF's own scheduler wakes a sleeping thread for each actor that gets a message, and a thread of
/// its clock for each timer that is set, cancelled or due; an idle node did little else. Here who
/// runs an actor goes on with the one that it woke, another thread is woken only when more waits
/// than that, and who has nothing to run sleeps until the next timer is due.
///
/// Shape:  `scheduler.max-threads` threads and one queue, first in, first out. What comes from
///         other threads wakes one at once.
/// Units:  timers are due by the monotonic clock, and late by what an actor takes to handle up to
///         `scheduler.max-throughput` messages.
/// Errors: none; an actor must not block, as ever.
class scheduler final : public caf::scheduler::abstract_coordinator {
public:
  explicit scheduler(caf::actor_system& system);

  static caf::actor_system::module* make(caf::actor_system& system, caf::detail::type_list<>) {
    return new scheduler(system);
  }

  void enqueue(caf::resumable* job) override;
  caf::actor_clock& clock() noexcept override { return timers_; }

protected:
  void start() override;
  void stop() override;

private:
  class worker final : public caf::execution_unit {
  public:
    explicit worker(scheduler& owner) : execution_unit(&owner.system()), owner(owner) {}
    void exec_later(caf::resumable* job) override { owner.take(job, true); }

    scheduler& owner;
    std::thread thread;
    std::condition_variable called;
    bool awake = true;
    time_point until = time_point::max(); // asleep, it looks at the timers then
  };

  void run(worker& me);
  void sleep(worker& me, std::unique_lock<std::mutex>& guard);
  void resume(worker& me, caf::resumable* job);
  void take(caf::resumable* job, bool from_worker);
  worker* wake_one();
  time_point watched() const;
  bool runs_here() const;
  void on_earlier_timer(time_point due);

  static thread_local worker* here_;

  timers timers_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::mutex mutex_;
  std::deque<caf::resumable*> jobs_;
  std::vector<worker*> asleep_;
  bool stopping_ = false;
};

} // namespace legion::node_process
