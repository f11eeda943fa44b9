#include "runtime/simulator/virtual_system.hpp"

#include <algorithm>
#include <utility>

#include <caf/abstract_actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/local_actor.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/send.hpp>

#include "messages/check.hpp"

namespace legion::simulator {

using std::chrono::duration_cast;
using std::chrono::microseconds;

virtual_system::virtual_system(std::uint64_t seed) : random_(seed) {
  config_.set("scheduler.policy", caf::atom("testing"));
  config_.set("logger.verbosity", caf::atom("quiet"));
  system_ = std::make_unique<caf::actor_system>(config_);
  coordinator_ = dynamic_cast<caf::scheduler::test_coordinator*>(&system_->scheduler());
  LEGION_CHECK(coordinator_ != nullptr);
  epoch_ = coordinator_->clock().current_time;
  note_spawned(nobody);
}

// CAF's own destructor waits for every actor: what is left over must be let go first.
virtual_system::~virtual_system() {
  time_.clear();
  for (auto* x : parked_)
    coordinator_->jobs.push_back(x);
  while (coordinator_->has_job())
    coordinator_->run_once();
  coordinator_->clock().cancel_all();
  while (coordinator_->has_job())
    coordinator_->run_once();
}

virtual_system::owner virtual_system::owner_of(const caf::resumable* job) const {
  // Asked several times for each step: a dynamic_cast would cost more than many a step.
  if (job->subtype() != caf::resumable::scheduled_actor)
    return nobody;
  auto id = static_cast<const caf::scheduled_actor*>(job)->id();
  return id < owners_.size() ? owners_[id] : nobody;
}

void virtual_system::note_spawned(owner who) {
  auto latest = system_->latest_actor_id();
  if (latest >= owners_.size())
    owners_.resize(latest + 1, who);
}

void virtual_system::run_as(owner who, const std::function<void()>& what) {
  note_spawned(running_);
  auto before = std::exchange(running_, who);
  what();
  note_spawned(who);
  running_ = before;
}

void virtual_system::run_job() {
  note_spawned(nobody);
  running_ = owner_of(coordinator_->jobs.front());
  coordinator_->run_once();
  note_spawned(running_);
  running_ = nobody;
  ++steps_;
}

// Brings a job that the seed chose to the front.
bool virtual_system::take_runnable() {
  auto& jobs = coordinator_->jobs;
  while (!jobs.empty()) {
    auto chosen = jobs.size() == 1 ? 0 : random_() % jobs.size();
    std::swap(jobs.front(), jobs[chosen]);
    if (!paused(owner_of(jobs.front())))
      return true;
    parked_.push_back(jobs.front());
    jobs.pop_front();
  }
  return false;
}

std::chrono::steady_clock::time_point virtual_system::clock_time() const {
  return epoch_ + time_.now();
}

bool virtual_system::step() {
  if (take_runnable()) {
    run_job();
    return true;
  }
  auto& clock = coordinator_->clock();
  auto event = time_.next();
  bool timer = clock.has_pending_timeout();
  if (!event && !timer)
    return false;
  ++steps_;
  if (timer && (!event || clock.schedule().begin()->first < epoch_ + *event)) {
    clock.trigger_timeout();
    time_.move_to(duration_cast<microseconds>(clock.current_time - epoch_));
    return true;
  }
  clock.current_time = std::max(clock.current_time, epoch_ + *event);
  time_.run_one();
  note_spawned(nobody);
  return true;
}

void virtual_system::run_until(microseconds until) {
  auto& clock = coordinator_->clock();
  for (;;) {
    if (coordinator_->jobs.empty()) {
      auto event = time_.next();
      bool due =
          (event && *event <= until)
          || (clock.has_pending_timeout() && clock.schedule().begin()->first <= epoch_ + until);
      if (!due)
        break;
    }
    step();
  }
  time_.move_to(until);
  clock.current_time = std::max(clock.current_time, clock_time());
}

void virtual_system::pause(owner who) {
  if (paused_.size() <= who)
    paused_.resize(who + 1, false);
  paused_[who] = true;
}

void virtual_system::resume(owner who) {
  if (!paused(who))
    return;
  paused_[who] = false;
  for (auto i = parked_.begin(); i != parked_.end();) {
    if (owner_of(*i) != who) {
      ++i;
      continue;
    }
    coordinator_->jobs.push_back(*i);
    i = parked_.erase(i);
  }
}

void virtual_system::kill(owner who, const std::vector<caf::strong_actor_ptr>& actors) {
  resume(who);
  auto& jobs = coordinator_->jobs;
  auto end = [](const caf::strong_actor_ptr& x) {
    x->enqueue(nullptr, caf::make_message_id(caf::message_priority::high),
               caf::make_message(caf::exit_msg{x->address(), caf::exit_reason::kill}), nullptr);
  };
  for (auto& x : actors)
    end(x);
  std::vector<caf::strong_actor_ptr> busy;
  for (auto* x : jobs)
    if (owner_of(x) == who)
      busy.push_back(caf::actor_cast<caf::strong_actor_ptr>(dynamic_cast<caf::local_actor*>(x)));
  for (auto& x : busy)
    end(x);
  // An exit goes before all else in a mailbox: each of these runs once and is gone.
  for (;;) {
    auto i = std::find_if(jobs.begin(), jobs.end(),
                          [&](caf::resumable* x) { return owner_of(x) == who; });
    if (i == jobs.end())
      break;
    std::iter_swap(jobs.begin(), i);
    run_job();
  }
}

} // namespace legion::simulator
