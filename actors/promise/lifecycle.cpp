#include "actors/promise/lifecycle.hpp"

#include "actors/node/commitments.hpp"

namespace legion::promise {

lifecycle::lifecycle(std::shared_ptr<const promise_record> what, node_id node,
                     std::string node_name)
    : what_(std::move(what)), slot_(what_->slot()), node_(node), node_name_(std::move(node_name)) {}

assessment lifecycle::assess(assessment evidence, wall_ms now) {
  auto& x = evidence;
  const auto& phase = x.phase();
  auto good = x.ready() || phase == "Succeeded";
  if (phase != "Terminating" && ((was_ready_ && !good) || x.restarts() > 0 || phase == "Failed"))
    was_broken_ = true;
  was_ready_ = was_ready_ || good;
  if (withdrawn_)
    x.set_verdict(verdict_not_kept);
  else if (phase == "Terminating")
    x.set_verdict(verdict_unknown);
  else if (good)
    x.set_verdict(was_broken_ ? verdict_repaired : verdict_kept);
  else
    x.set_verdict(was_broken_ ? verdict_not_kept : verdict_unknown);
  *x.mutable_slot() = slot_;
  *x.mutable_of() = node::name_of(what_->what());
  x.set_node(node_.bytes());
  x.set_node_name(node_name_);
  x.set_observed_ms(now);
  x.set_driver(what_->driver());
  x.set_keeper(what_->keeper());
  x.set_group(what_->group());
  x.set_withdrawn(withdrawn_);
  return evidence;
}

void lifecycle::raise(const order_number& to) {
  if (compare(to, slot_.order()) > 0)
    *slot_.mutable_order() = to;
}

bool lifecycle::may_restart(time_point now) {
  while (!restarts_.empty() && now - restarts_.front() > budget_span)
    restarts_.pop_front();
  if (restarts_.size() >= budget)
    return false;
  restarts_.push_back(now);
  return true;
}

} // namespace legion::promise
