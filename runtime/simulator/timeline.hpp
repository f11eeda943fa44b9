#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

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
    due_.push_back({due, count_++, std::move(what)});
    std::push_heap(due_.begin(), due_.end(), later_one);
  }

  run_later as_run_later() {
    return [this](std::chrono::microseconds delay, std::function<void()> what) {
      later(delay, std::move(what));
    };
  }

  std::optional<std::chrono::microseconds> next() const {
    if (due_.empty())
      return std::nullopt;
    return due_.front().due;
  }

  /// Another clock went on: nothing that is due may be left behind.
  void move_to(std::chrono::microseconds time) { now_ = std::max(now_, time); }

  /// Goes to the next due time and runs one thing.
  void run_one() {
    std::pop_heap(due_.begin(), due_.end(), later_one);
    auto next = std::move(due_.back());
    due_.pop_back();
    move_to(next.due);
    next.what();
  }

  void run_until(std::chrono::microseconds time) {
    while (!due_.empty() && due_.front().due <= time)
      run_one();
    move_to(time);
  }

  std::size_t size() const { return due_.size(); }
  void clear() { due_.clear(); }

private:
  struct entry {
    std::chrono::microseconds due;
    std::uint64_t count; // the order of those that are due at once
    std::function<void()> what;
  };

  static bool later_one(const entry& a, const entry& b) {
    return std::pair{a.due, a.count} > std::pair{b.due, b.count};
  }

  std::chrono::microseconds now_{0};
  std::uint64_t count_ = 0;
  std::vector<entry> due_; // a heap, the next one first
};

} // namespace legion::simulator
