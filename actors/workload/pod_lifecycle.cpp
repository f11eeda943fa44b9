#include "actors/workload/pod_lifecycle.hpp"

#include <algorithm>

#include "actors/keeper/lease.hpp"
#include "actors/node/commitments.hpp"

namespace legion::workload {

namespace {

/// Of one container, the newest life.
const process_status* newest(const std::vector<process_status>& found, const std::string& name) {
  const process_status* result = nullptr;
  for (const auto& x : found)
    if (x.container() == name && (!result || x.life() > result->life()))
      result = &x;
  return result;
}

} // namespace

pod_lifecycle::pod_lifecycle(std::shared_ptr<const promise_record> what, surroundings here)
    : what_(std::move(what)), here_(std::move(here)) {
  for (const auto& x : spec().containers()) {
    one fresh;
    fresh.said.set_name(x.name());
    fresh.said.set_image(x.image());
    fresh.said.set_state("waiting");
    fresh.said.set_reason(leased() ? "WaitingForLease" : "ContainerCreating");
    containers_.push_back(std::move(fresh));
  }
}

const pod_spec& pod_lifecycle::spec() const {
  return node::pod_of(what_->what());
}

int pod_lifecycle::find(const std::string& container) const {
  for (std::size_t i = 0; i < containers_.size(); ++i)
    if (containers_[i].said.name() == container)
      return static_cast<int>(i);
  return -1;
}

effects pod_lifecycle::begin(const std::vector<process_status>& found, moment t, bool ending) {
  started_ms_ = what_->made_ms() > 0 ? what_->made_ms() : t.wall;
  if (ending) {
    ending_ = true;
    stop_at_ = t.now;
  }
  return on_found(found, t);
}

effects pod_lifecycle::on_found(const std::vector<process_status>& found, moment t) {
  effects out;
  looking_ = false;
  for (auto i = 0; i < static_cast<int>(containers_.size()); ++i) {
    auto& x = containers_[i];
    auto* known = newest(found, x.said.name());
    auto news =
        known
        && (known->life() >= x.next_life || (known->life() == x.said.life() && x.at != step::done));
    if (news && known->state() != "exited") {
      if (x.at != step::running)
        runs(i, *known, t);
    } else if (news && (x.at != step::waiting || known->life() >= x.next_life)) {
      exited(i, *known, t, out);
    } else if (x.at == step::starting) {
      x.at = step::waiting; // it never arrived: the same life again
      x.next_life = x.said.life();
      x.start_at = t.now;
    } else if (x.at == step::running && !known) {
      process_status lost;
      lost.set_life(x.said.life());
      lost.set_exit_code(lost_code);
      lost.set_error("it was gone, and nobody saw how it ended");
      exited(i, lost, t, out);
    } else if (x.at == step::waiting && !x.start_at) {
      x.start_at = t.now;
    }
  }
  if (may_start())
    for (auto i = 0; i < static_cast<int>(containers_.size()); ++i)
      if (containers_[i].at == step::waiting && containers_[i].start_at
          && *containers_[i].start_at <= t.now)
        start(i, t, out);
  return done(std::move(out), t);
}

effects pod_lifecycle::on_look_failed(moment t) {
  looking_ = false;
  look_at_ = t.now + look_again;
  return {};
}

milliseconds pod_lifecycle::lease_grace() const {
  keeper::lease_times times;
  times.lease = milliseconds{what_->slot().lease_ms()};
  return times.term_before(grace());
}

effects pod_lifecycle::on_lease(std::int64_t until_ms, moment t) {
  effects out;
  if (!leased() || lapsed_ || over_ || until_ms <= lease_until_ms_)
    return out;
  auto first = lease_until_ms_ == 0;
  lease_until_ms_ = until_ms;
  if (anything_runs()) {
    extend_lease effect;
    effect.what.set_workload(what_->slot().uid());
    effect.what.set_until_ms(until_ms);
    out.push_back(std::move(effect));
  }
  if (first)
    for (auto& x : containers_)
      if (x.said.reason() == "WaitingForLease")
        x.said.set_reason("ContainerCreating");
  if (first && may_start())
    for (auto i = 0; i < static_cast<int>(containers_.size()); ++i)
      if (containers_[i].at == step::waiting && containers_[i].start_at
          && *containers_[i].start_at <= t.now)
        start(i, t, out);
  if (first)
    out.push_back(say_status{});
  return out;
}

effects pod_lifecycle::on_tick(moment t) {
  effects out;
  auto due = [&](const std::optional<time_point>& x) { return x && *x <= t.now; };
  if (due(look_at_)) {
    look_at_.reset();
    looking_ = true;
    out.push_back(look{});
  }
  for (auto i = 0; i < static_cast<int>(containers_.size()); ++i) {
    auto& c = containers_[i];
    if (may_start() && c.at == step::waiting && due(c.start_at)) {
      start(i, t, out);
      out.push_back(say_status{});
    } else if (!ending_ && c.at == step::running && c.probe && due(c.probe->next())) {
      probe_now(i, t, out);
    }
  }
  if (ending_)
    settle(t, out);
  return out;
}

std::optional<time_point> pod_lifecycle::next_tick() const {
  std::optional<time_point> result;
  auto consider = [&](const std::optional<time_point>& x) {
    if (x && (!result || *x < *result))
      result = x;
  };
  if (over_)
    return result;
  consider(look_at_);
  consider(remove_at_);
  consider(stop_at_);
  if (!ending_)
    for (const auto& x : containers_) {
      if (may_start())
        consider(x.start_at);
      if (x.at == step::running && x.probe)
        consider(x.probe->next());
    }
  return result;
}

effects pod_lifecycle::done(effects out, moment t) {
  note_readiness(t);
  if (ending_)
    settle(t, out);
  out.push_back(say_status{});
  return out;
}

} // namespace legion::workload
