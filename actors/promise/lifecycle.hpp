#pragma once

#include <deque>
#include <memory>

#include "messages/evidence.pb.h"
#include "messages/ids.hpp"
#include "messages/journal.pb.h"
#include "messages/time.hpp"

namespace legion::promise {

/// The promiser's own verdict: from its workload's evidence, and from what it was before.
///
/// kept:     ready, or completed as it should, and never broken
/// repaired: kept again after a life that ended or a readiness that was lost
/// not kept: failed, or not ready any more, or withdrawn
/// unknown:  too early to say, or ending because it was released
class lifecycle {
public:
  /// Restarts of a workload actor that failed, within `budget_span`, before the promise is given
  /// up.
  static constexpr std::size_t budget = 3;
  static constexpr auto budget_span = seconds{60};

  lifecycle() = default;
  explicit lifecycle(std::shared_ptr<const promise_record> what, node_id node,
                     std::string node_name);

  /// The whole assessment: `evidence` with what the promise itself knows.
  assessment assess(assessment evidence, wall_ms now);
  void raise(const order_number& to);
  /// This node ends the promise without being asked.
  void withdraw() { withdrawn_ = true; }
  /// The workload's actor failed: may another one take over?
  bool may_restart(time_point now);

  const promise_record& record() const { return *what_; }

private:
  std::shared_ptr<const promise_record> what_;
  slot slot_;
  node_id node_;
  std::string node_name_;
  bool withdrawn_ = false;
  bool was_ready_ = false;
  bool was_broken_ = false;
  std::deque<time_point> restarts_;
};

} // namespace legion::promise
