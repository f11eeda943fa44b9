#pragma once

#include <algorithm>
#include <optional>

#include "messages/resource.pb.h"
#include "messages/time.hpp"

namespace legion::workload {

/// When one life of a container is probed, and what follows from the answers.
///
/// Shape:  one try at a time. After the initial delay tries come 100 ms apart, doubling up to the
///         period, until the first success; then every period.
/// Source: Kubernetes 1.34, "Configure Probes". Differs: the quick first tries, so that what starts
///         in 200 ms does not wait for the period; their failures are not told.
class prober {
public:
  static constexpr auto first_gap = milliseconds{100};

  prober() = default;
  prober(const probe& spec, time_point started, time_point now)
      : period_(seconds{std::max(1, spec.period_seconds())}),
        needed_(std::max(1, spec.success_threshold())),
        allowed_(std::max(1, spec.failure_threshold())) {
    auto first = spec.initial_delay_seconds() > 0 ? started + seconds{spec.initial_delay_seconds()}
                                                  : started + first_gap;
    next_ = std::max(first, now);
  }

  /// When the next try is due; nothing while one is under way.
  std::optional<time_point> next() const { return next_; }
  void sent() { next_.reset(); }

  struct outcome {
    bool changed = false; // ready now and not before, or the other way
    bool telling = false; // a failure that people should hear of
  };
  outcome answered(bool passed, time_point now);
  bool ready() const { return ready_; }

private:
  milliseconds period_{10'000};
  milliseconds gap_ = first_gap;
  int needed_ = 1;
  int allowed_ = 3;
  int successes_ = 0;
  int failures_ = 0;
  bool ready_ = false;
  bool ever_passed_ = false;
  std::optional<time_point> next_;
};

} // namespace legion::workload
