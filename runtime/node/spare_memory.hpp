#pragma once

#include <chrono>

namespace legion::node_process {

/// Gives back what a burst of work left behind, once the process is at rest after it: pages of the
/// program that only the burst needed, and memory that malloc keeps.
///
/// Shape:  looked at from one thread, every `pause`; once for each time of rest, for a trim keeps other
///         threads from allocating for some milliseconds.
/// Units:  at rest is less than 1 % of a core since the last look.
class spare_memory {
public:
  static constexpr std::chrono::seconds pause{20};

  spare_memory();
  void look();
  /// Now, at rest or not.
  void give_back();

private:
  std::chrono::nanoseconds used_; // processor time, of all threads
  bool given_back_ = false;       // since the process was last busy
};

} // namespace legion::node_process
