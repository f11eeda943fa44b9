#pragma once

#include <algorithm>

#include "messages/time.hpp"

namespace legion::workload {

/// How long a container waits before it starts again.
///
/// Shape:  the first restart at once, then 10 s, doubling up to 300 s; a life of 10 minutes or more
///         begins anew.
/// Source: Kubernetes 1.34, "Container restarts" (kubelet: MaxContainerBackOff, backOffPeriod).
class backoff {
public:
  static constexpr auto first = seconds{10};
  static constexpr auto most = seconds{300};
  static constexpr auto forgiven_after = std::chrono::minutes{10};

  /// After a life of this length.
  milliseconds after(time_point::duration lived) {
    if (lived >= forgiven_after)
      next_ = seconds{0};
    auto result = next_;
    next_ = next_ == seconds{0} ? first : std::min(next_ * 2, most);
    return result;
  }

private:
  seconds next_{0};
};

} // namespace legion::workload
