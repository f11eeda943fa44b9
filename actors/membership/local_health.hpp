#pragma once

#include <algorithm>

#include "messages/time.hpp"

namespace legion::membership {

/// How far this node distrusts itself: a slow node takes its time before it accuses others.
///
/// Shape:  0 (well) to `worst`; time-outs are stretched by one more than that.
/// Source: Dadgar et al. 2018, Lifeguard IV-A, local health multiplier.
class local_health {
public:
  explicit local_health(int worst) : worst_(worst) {}

  void worsen(int by = 1) { score_ = std::min(worst_, score_ + by); }
  void improve() { score_ = std::max(0, score_ - 1); }
  int score() const { return score_; }
  milliseconds stretch(milliseconds x) const { return x * (score_ + 1); }

private:
  int worst_;
  int score_ = 0;
};

} // namespace legion::membership
