#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "messages/time.hpp"

namespace legion::simulator {

/// What is due when, for the parts of a simulation that are no actors.
///
/// Shape: what is due at one time runs in the order in which it was handed in.
/// Units: time since the start of the simulation.
class timeline {
public:
  std::chrono::microseconds now() const { return now_; }

  void later(std::chrono::microseconds delay, std::function<void()> what) {
    auto due = now_ + std::max(delay, std::chrono::microseconds{0});
    due_.emplace(std::pair{due, count_++}, std::move(what));
  }

  run_later as_run_later() {
    return [this](std::chrono::microseconds delay, std::function<void()> what) {
      later(delay, std::move(what));
    };
  }

  std::optional<std::chrono::microseconds> next() const {
    if (due_.empty())
      return std::nullopt;
    return due_.begin()->first.first;
  }

  /// Another clock went on: nothing that is due may be left behind.
  void move_to(std::chrono::microseconds time) { now_ = std::max(now_, time); }

  /// Goes to the next due time and runs one thing.
  void run_one() {
    auto node = due_.extract(due_.begin());
    move_to(node.key().first);
    node.mapped()();
  }

  void run_until(std::chrono::microseconds time) {
    while (!due_.empty() && due_.begin()->first.first <= time)
      run_one();
    move_to(time);
  }

  std::size_t size() const { return due_.size(); }
  void clear() { due_.clear(); }

private:
  std::chrono::microseconds now_{0};
  std::uint64_t count_ = 0;
  std::map<std::pair<std::chrono::microseconds, std::uint64_t>, std::function<void()>> due_;
};

} // namespace legion::simulator
