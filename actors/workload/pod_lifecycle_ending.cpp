#include "actors/workload/pod_lifecycle.hpp"

#include <algorithm>
#include <limits>

/// The way out of a pod that was told to end.

namespace legion::workload {

namespace {

constexpr auto remove_again = seconds{1};
constexpr auto stop_again = seconds{1};
constexpr std::int64_t most_grace_seconds = std::numeric_limits<std::int32_t>::max();
constexpr auto stop_margin = seconds{5}; // past the grace period

} // namespace

effects pod_lifecycle::on_stop_failed(moment t) {
  stop_at_ = t.now + stop_again;
  return {};
}

seconds pod_lifecycle::grace() const {
  return seconds{
      std::clamp<std::int64_t>(spec().termination_grace_period_seconds(), 0, most_grace_seconds)};
}

effects pod_lifecycle::end(moment t) {
  effects out;
  if (ending_)
    return out;
  ending_ = true;
  stop_at_ = t.now;
  for (auto& c : containers_) {
    c.start_at.reset();
    if (c.at == step::running)
      say(out, t, "Normal", "Killing", "Stopping container " + c.said.name());
  }
  return done(std::move(out), t);
}

bool pod_lifecycle::anything_runs() const {
  return std::any_of(containers_.begin(), containers_.end(),
                     [](const one& x) { return x.at == step::running || x.at == step::starting; });
}

/// The way out: stop what runs, ask again if that stays unanswered, forget the files, be over.
void pod_lifecycle::settle(moment t, effects& out) {
  if (over_)
    return;
  if (anything_runs()) {
    if (!stop_at_ || *stop_at_ > t.now)
      return;
    stop_processes x;
    x.what.set_workload(what_->slot().uid());
    x.what.set_grace_ms(milliseconds{grace()}.count());
    out.push_back(std::move(x));
    stop_at_ = t.now + grace() + stop_margin;
    look_at_ = stop_at_;
    return;
  }
  stop_at_.reset();
  look_at_.reset();
  if (removing_ && (!remove_at_ || *remove_at_ > t.now))
    return;
  removing_ = true;
  remove_at_.reset();
  out.push_back(remove_files{});
}

effects pod_lifecycle::on_removed(const fault* why, moment t) {
  effects out;
  if (!removing_ || over_)
    return out;
  if (why && why->code != errc::not_found) {
    remove_at_ = t.now + remove_again;
    return out;
  }
  over_ = true;
  out.push_back(all_ended{});
  return out;
}

} // namespace legion::workload
