#pragma once

#include <vector>

#include "messages/time.hpp"

namespace legion::node {

/// How often an actor that failed may be started again: 5 times within 60 s.
class restart_budget {
public:
  static constexpr std::size_t most = 5;
  static constexpr auto span = seconds{60};

  /// One start more, if there is one left.
  bool spend(time_point now) {
    while (!spent_.empty() && spent_.front() + span <= now)
      spent_.erase(spent_.begin());
    if (spent_.size() >= most)
      return false;
    spent_.push_back(now);
    return true;
  }

private:
  std::vector<time_point> spent_; // oldest first
};

} // namespace legion::node
