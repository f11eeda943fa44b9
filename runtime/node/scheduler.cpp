#include "runtime/node/scheduler.hpp"

#include <algorithm>
#include <utility>

#include <pthread.h>

namespace legion::node_process {

namespace {
/// So many jobs wait before a worker calls another one: most take microseconds, less than a thread
/// needs to wake. What comes from outside always calls one, so a long job holds up a few others no
/// longer than until the next frame, timer or request.
constexpr std::size_t few_jobs = 4;
} // namespace

thread_local scheduler::worker* scheduler::here_ = nullptr;

scheduler::scheduler(caf::actor_system& system)
    : abstract_coordinator(system), timers_([this](time_point due) { on_earlier_timer(due); }) {}

void scheduler::start() {
  for (std::size_t i = 0; i < num_workers(); ++i)
    workers_.push_back(std::make_unique<worker>(*this));
  for (auto& x : workers_)
    x->thread = std::thread{[this, &me = *x] {
      pthread_setname_np(pthread_self(), "legion.actors");
      system().thread_started();
      here_ = &me;
      run(me);
      system().thread_terminates();
    }};
  abstract_coordinator::start();
}

void scheduler::stop() {
  {
    std::lock_guard guard{mutex_};
    stopping_ = true;
    while (auto* x = wake_one())
      x->called.notify_one();
  }
  for (auto& x : workers_)
    x->thread.join();
  stop_actors();
  for (auto* job : std::exchange(jobs_, {}))
    cleanup_and_release(job);
}

bool scheduler::runs_here() const {
  return here_ != nullptr && &here_->owner == this;
}

void scheduler::enqueue(caf::resumable* job) {
  take(job, runs_here());
}

/// A worker that put it there looks for more when its actor is done: nobody else need wake for a few.
void scheduler::take(caf::resumable* job, bool from_worker) {
  worker* helper = nullptr;
  {
    std::lock_guard guard{mutex_};
    jobs_.push_back(job);
    if (!from_worker || jobs_.size() > few_jobs)
      helper = wake_one();
  }
  if (helper != nullptr)
    helper->called.notify_one();
}

/// Who watches the timers goes on watching them if somebody else can be called. Needs the lock.
scheduler::worker* scheduler::wake_one() {
  if (asleep_.empty())
    return nullptr;
  auto i = std::max_element(asleep_.begin(), asleep_.end(),
                            [](auto* a, auto* b) { return a->until < b->until; });
  auto* result = *i;
  asleep_.erase(i);
  result->awake = true;
  return result;
}

time_point scheduler::watched() const {
  auto result = time_point::max();
  for (auto* x : asleep_)
    result = std::min(result, x->until);
  return result;
}

/// A worker sees it before it sleeps; nobody may be awake to see another thread's.
void scheduler::on_earlier_timer(time_point due) {
  if (runs_here())
    return;
  worker* helper = nullptr;
  {
    std::lock_guard guard{mutex_};
    if (due < watched())
      helper = wake_one();
  }
  if (helper != nullptr)
    helper->called.notify_one();
}

void scheduler::sleep(worker& me, std::unique_lock<std::mutex>& guard) {
  auto due = timers_.next();
  me.until = due < watched() ? due : time_point::max();
  me.awake = false;
  asleep_.push_back(&me);
  auto is_awake = [&me] { return me.awake; };
  if (me.until == time_point::max())
    me.called.wait(guard, is_awake);
  else if (!me.called.wait_until(guard, me.until, is_awake))
    std::erase(asleep_, &me);
  me.awake = true;
}

void scheduler::run(worker& me) {
  std::unique_lock guard{mutex_};
  for (;;) {
    if (timers_.next() <= timers_.now()) {
      guard.unlock();
      timers_.fire();
      guard.lock();
    }
    if (jobs_.empty()) {
      if (stopping_)
        return;
      sleep(me, guard);
      continue;
    }
    auto* job = jobs_.front();
    jobs_.pop_front();
    auto* helper = jobs_.size() < few_jobs ? nullptr : wake_one();
    guard.unlock();
    if (helper != nullptr)
      helper->called.notify_one();
    resume(me, job);
    guard.lock();
  }
}

void scheduler::resume(worker& me, caf::resumable* job) {
  switch (job->resume(&me, max_throughput())) {
    case caf::resumable::resume_later:
      take(job, true);
      break;
    case caf::resumable::done:
    case caf::resumable::awaiting_message:
    case caf::resumable::shutdown_execution_unit:
      intrusive_ptr_release(job);
      break;
  }
}

} // namespace legion::node_process
