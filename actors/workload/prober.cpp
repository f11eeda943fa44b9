#include "actors/workload/prober.hpp"

namespace legion::workload {

prober::outcome prober::answered(bool passed, time_point now) {
  auto before = ready_;
  auto early = !ever_passed_ && gap_ < period_;
  if (passed) {
    ever_passed_ = true;
    failures_ = 0;
    if (++successes_ >= needed_)
      ready_ = true;
  } else {
    successes_ = 0;
    if (++failures_ >= allowed_)
      ready_ = false;
  }
  if (early && !passed) { // successes are counted a whole period apart
    next_ = now + gap_;
    gap_ = std::min(gap_ * 2, period_);
  } else {
    next_ = now + period_;
  }
  return {ready_ != before, !passed && !early};
}

} // namespace legion::workload
