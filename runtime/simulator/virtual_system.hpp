#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include "runtime/simulator/timeline.hpp"

namespace legion::simulator {

/// One CAF actor system under virtual time: one message, timer or event at a time, in an order that
/// the seed decides.
///
/// Shape:     the same seed and the same actors give the same order. Actors that a node's actors
///            spawn belong to that node, so that all of a node can be paused or killed at once.
/// Threading: one thread at a time.
class virtual_system {
public:
  /// A node's number; actors of the simulation itself belong to nobody.
  using owner = std::uint32_t;
  static constexpr owner nobody = 0;

  explicit virtual_system(std::uint64_t seed);
  ~virtual_system();

  caf::actor_system& actors() { return *system_; }
  timeline& time() { return time_; }
  std::chrono::microseconds now() const { return time_.now(); }
  std::uint64_t steps() const { return steps_; }

  /// Whose code runs now.
  owner running() const { return running_; }
  /// Runs something as a node: what it spawns is the node's.
  void run_as(owner who, const std::function<void()>& what);

  /// One message, or else one timer or event of the next due time. False: nothing is left to do.
  bool step();
  void run_until(std::chrono::microseconds time);

  /// What the node's actors have to do waits until `resume`; their timers are then late.
  void pause(owner who);
  void resume(owner who);

  /// Ends these actors and all others of the node that have work to do; none handles another
  /// message.
  void kill(owner who, const std::vector<caf::strong_actor_ptr>& actors);

private:
  owner owner_of(const caf::resumable* job) const;
  void note_spawned(owner who);
  void run_job();
  bool paused(owner who) const { return who < paused_.size() && paused_[who]; }
  bool take_runnable();
  std::chrono::steady_clock::time_point clock_time() const;

  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  caf::scheduler::test_coordinator* coordinator_ = nullptr;
  std::chrono::steady_clock::time_point epoch_;
  timeline time_;
  std::mt19937_64 random_;
  owner running_ = nobody;
  std::vector<owner> owners_; // by actor id
  std::vector<bool> paused_;  // by owner
  std::deque<caf::resumable*> parked_;
  std::uint64_t steps_ = 0;
};

} // namespace legion::simulator
