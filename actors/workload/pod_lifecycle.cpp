#include "actors/workload/pod_lifecycle.hpp"

#include <algorithm>
#include <limits>

#include "actors/keeper/lease.hpp"
#include "actors/node/commitments.hpp"

namespace legion::workload {

namespace {

constexpr auto look_again = seconds{1};
constexpr auto remove_again = seconds{1};
constexpr auto stop_again = seconds{1};
constexpr auto stop_margin = seconds{5}; // past the grace period
constexpr std::int64_t most_grace_seconds = std::numeric_limits<std::int32_t>::max();
constexpr int start_error_code = 128; // as Kubernetes has it
constexpr int lost_code = 137;        // gone, and nobody saw how it ended: as Kubernetes has it

std::string ended_text(const container_status& x) {
  if (x.signal() != 0)
    return "signal " + std::to_string(x.signal());
  return "exit code " + std::to_string(x.exit_code());
}

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

effects pod_lifecycle::begin(const std::vector<process_status>& found, moment t) {
  started_ms_ = t.wall;
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

effects pod_lifecycle::on_stop_failed(moment t) {
  stop_at_ = t.now + stop_again;
  return {};
}

effects pod_lifecycle::on_look_failed(moment t) {
  looking_ = false;
  look_at_ = t.now + look_again;
  return {};
}

void pod_lifecycle::start(int i, moment t, effects& out) {
  auto& x = containers_[i];
  x.start_at.reset();
  x.at = step::starting;
  auto life = x.next_life++;
  x.said.set_life(life);
  x.said.set_restarts(life);
  x.said.set_ready(false);
  x.ready = false;
  x.probe.reset();
  x.started = t.now;
  start_process effect{i, launch_of(*what_, i, life, here_)};
  if (leased()) {
    effect.what.set_lease_until_ms(lease_until_ms_);
    effect.what.set_lease_grace_ms(lease_grace().count());
  }
  out.push_back(std::move(effect));
}

milliseconds pod_lifecycle::lease_grace() const {
  keeper::lease_times times;
  times.lease = milliseconds{what_->slot().lease_ms()};
  return times.term_before(seconds{
      std::clamp<std::int64_t>(spec().termination_grace_period_seconds(), 0, most_grace_seconds)});
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

void pod_lifecycle::runs(int i, const process_status& x, moment t) {
  auto& c = containers_[i];
  c.at = step::running;
  c.start_at.reset();
  c.next_life = x.life() + 1;
  // An adopted one has run for longer than we have known it.
  auto age = x.started_ms() > 0 && t.wall > x.started_ms() ? milliseconds{t.wall - x.started_ms()}
                                                           : milliseconds{0};
  c.started = t.now - age;
  c.said.set_state("running");
  c.said.set_reason("");
  c.said.set_message("");
  c.said.set_life(x.life());
  c.said.set_restarts(x.life());
  c.said.set_pid(x.pid());
  c.said.set_exit_code(0);
  c.said.set_signal(0);
  c.said.set_started_ms(x.started_ms() > 0 ? x.started_ms() : t.wall);
  c.said.set_finished_ms(0);
  if (started_ms_ == 0 || c.said.started_ms() < started_ms_)
    started_ms_ = c.said.started_ms();
  const auto& wanted = spec().containers(i);
  if (wanted.has_readiness_probe() && wanted.readiness_probe().action_case() != 0)
    c.probe.emplace(wanted.readiness_probe(), c.started, t.now);
  else
    c.ready = true;
  c.said.set_ready(c.ready);
}

effects pod_lifecycle::on_started(int container, const process_status& x, moment t) {
  effects out;
  if (container < 0 || container >= static_cast<int>(containers_.size()))
    return out;
  auto& c = containers_[container];
  if (c.at != step::starting || x.life() != c.said.life())
    return out;
  if (x.state() == "exited" || !x.error().empty()) {
    exited(container, x, t, out);
  } else {
    runs(container, x, t);
    say(out, t, "Normal", "Started", "Started container " + c.said.name());
    if (ending_)
      stop_at_ = t.now;
  }
  return done(std::move(out), t);
}

effects pod_lifecycle::on_start_failed(int container, const fault& why, moment t) {
  effects out;
  if (container < 0 || container >= static_cast<int>(containers_.size())
      || containers_[container].at != step::starting)
    return out;
  auto& c = containers_[container];
  auto unclear =
      why.code == errc::unreachable || why.code == errc::overloaded || why.code == errc::deadline;
  if (unclear) {
    c.said.set_message(why.detail);
    look_at_ = t.now + look_again;
    out.push_back(say_status{});
    return out;
  }
  process_status x;
  x.set_life(c.said.life());
  x.set_error(why.detail);
  exited(container, x, t, out);
  return done(std::move(out), t);
}

effects pod_lifecycle::on_exit(const process_status& x, moment t) {
  effects out;
  auto i = find(x.container());
  if (i < 0 || x.life() != containers_[i].said.life()
      || (containers_[i].at != step::running && containers_[i].at != step::starting))
    return out;
  exited(i, x, t, out);
  return done(std::move(out), t);
}

void pod_lifecycle::exited(int i, const process_status& x, moment t, effects& out) {
  auto& c = containers_[i];
  auto lost = x.reason() == "lease_expired";
  auto never_ran = !lost && !x.error().empty() && x.signal() == 0 && x.exit_code() != lost_code;
  auto code = x.signal() != 0 && x.exit_code() == 0 ? 128 + x.signal() : x.exit_code();
  if (never_ran && code == 0)
    code = start_error_code;
  c.next_life = std::max(c.next_life, x.life() + 1);
  c.ready = false;
  c.probe.reset();
  auto& said = c.said;
  said.set_ready(false);
  said.set_pid(0);
  said.set_life(x.life());
  said.set_restarts(x.life());
  said.set_state("terminated");
  said.set_exit_code(code);
  said.set_signal(x.signal());
  said.set_message(x.error());
  if (x.started_ms() > 0)
    said.set_started_ms(x.started_ms());
  said.set_finished_ms(x.finished_ms() > 0 ? x.finished_ms() : t.wall);
  said.set_reason(lost                ? "LeaseExpired"
                  : never_ran         ? "StartError"
                  : x.out_of_memory() ? "OOMKilled"
                  : code == 0         ? "Completed"
                                      : "Error");
  c.at = step::done;
  if (never_ran)
    say(out, t, "Warning", "Failed", "Error: " + said.name() + ": " + x.error());
  else if (!x.error().empty())
    say(out, t, "Warning", "Lost", "Container " + said.name() + " has ended: " + x.error());
  if (lost && !lapsed_ && !ending_) {
    lapsed_ = true;
    say(out, t, "Warning", "LeaseExpired",
        "Its keepers did not renew its lease in time: it was ended, so that another one may run");
    out.push_back(lease_lost{});
  }
  if (ending_ || lapsed_ || !wants_restart(c))
    return;
  auto lived =
      never_ran || c.started == time_point{} ? time_point::duration::zero() : t.now - c.started;
  again(i, c.pause.after(lived), t, out);
}

bool pod_lifecycle::wants_restart(const one& x) const {
  const auto& policy = spec().restart_policy();
  if (policy == "Never")
    return false;
  return policy != "OnFailure" || x.said.exit_code() != 0;
}

void pod_lifecycle::again(int i, milliseconds delay, moment t, effects& out) {
  auto& c = containers_[i];
  auto& said = c.said;
  said.set_last_exit_code(said.exit_code());
  said.set_last_signal(said.signal());
  said.set_last_reason(said.reason());
  said.set_last_finished_ms(said.finished_ms());
  said.set_last_message(said.message());
  said.set_state("waiting");
  c.at = step::waiting;
  c.start_at = t.now + delay;
  if (delay <= milliseconds{0}) {
    said.set_reason("ContainerCreating");
    if (may_start())
      start(i, t, out);
    return;
  }
  auto why = said.message().empty() ? ended_text(said) : said.message();
  said.set_message("back-off " + std::to_string(delay.count() / 1000) + "s after "
                   + said.last_reason() + ": " + why);
  said.set_reason("CrashLoopBackOff");
  say(out, t, "Warning", "BackOff", "Back-off restarting failed container " + said.name());
}

void pod_lifecycle::probe_now(int i, moment t, effects& out) {
  auto& c = containers_[i];
  const auto& wanted = spec().containers(i).readiness_probe();
  c.probe->sent();
  try_probe x;
  x.container = i;
  x.life = c.said.life();
  x.timeout_ms = std::max(1, wanted.timeout_seconds()) * std::int64_t{1000};
  x.http = wanted.has_http_get();
  const auto& host = x.http ? wanted.http_get().host() : wanted.tcp_socket().host();
  x.host = host.empty() ? "127.0.0.1" : host;
  x.port = probed_port(*what_, i, x.http ? wanted.http_get().port() : wanted.tcp_socket().port());
  if (x.http) {
    x.path = wanted.http_get().path().empty() ? "/" : wanted.http_get().path();
    x.headers.assign(wanted.http_get().headers().begin(), wanted.http_get().headers().end());
  }
  if (x.port != 0) {
    out.push_back(std::move(x));
    return;
  }
  auto more = on_probe(i, x.life, false, "the container has no such port", t);
  out.insert(out.end(), more.begin(), more.end());
}

effects pod_lifecycle::on_probe(int container, std::uint32_t life, bool passed,
                                const std::string& detail, moment t) {
  effects out;
  if (container < 0 || container >= static_cast<int>(containers_.size()))
    return out;
  auto& c = containers_[container];
  if (c.at != step::running || c.said.life() != life || !c.probe)
    return out;
  auto answer = c.probe->answered(passed, t.now);
  auto failure = passed ? "" : "Readiness probe failed: " + detail;
  if (answer.telling)
    say(out, t, "Warning", "Unhealthy", failure);
  // One that never was ready says why not, too.
  c.ready = c.probe->ready();
  if (!answer.changed && (c.ready || c.said.message() == failure))
    return out;
  c.said.set_ready(c.ready);
  c.said.set_message(c.ready ? "" : failure);
  return done(std::move(out), t);
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
    auto grace = seconds{
        std::clamp<std::int64_t>(spec().termination_grace_period_seconds(), 0, most_grace_seconds)};
    stop_processes x;
    x.what.set_workload(what_->slot().uid());
    x.what.set_grace_ms(milliseconds{grace}.count());
    out.push_back(std::move(x));
    stop_at_ = t.now + grace + stop_margin;
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

void pod_lifecycle::note_readiness(moment t) {
  auto ready = !ending_ && !containers_.empty()
               && std::all_of(containers_.begin(), containers_.end(),
                              [](const one& x) { return x.at == step::running && x.ready; });
  if (ready != ready_)
    ready_since_ms_ = ready ? t.wall : 0;
  ready_ = ready;
}

effects pod_lifecycle::done(effects out, moment t) {
  note_readiness(t);
  if (ending_)
    settle(t, out);
  out.push_back(say_status{});
  return out;
}

void pod_lifecycle::say(effects& out, moment t, const char* type, const char* reason,
                        std::string text) const {
  event x;
  x.set_time_ms(t.wall);
  x.set_type(type);
  x.set_reason(reason);
  x.set_message(std::move(text));
  x.set_source(here_.node_name);
  x.set_object(what_->slot().pod());
  x.set_count(1);
  out.push_back(tell{std::move(x)});
}

std::string pod_lifecycle::phase() const {
  if (ending_)
    return "Terminating";
  auto all_done = !containers_.empty();
  auto any_failed = false;
  auto all_began = true;
  for (const auto& x : containers_) {
    all_done = all_done && x.at == step::done;
    any_failed = any_failed || (x.at == step::done && x.said.exit_code() != 0);
    all_began = all_began && (x.at == step::running || x.at == step::done || x.next_life > 1);
  }
  if (all_done)
    return any_failed ? "Failed" : "Succeeded";
  return all_began ? "Running" : "Pending";
}

assessment pod_lifecycle::status() const {
  assessment result;
  result.set_phase(phase());
  result.set_ready(ready_);
  result.set_host_ip(here_.host_ip);
  result.set_started_ms(started_ms_);
  result.set_ready_since_ms(ready_since_ms_);
  std::uint32_t restarts = 0;
  for (const auto& x : containers_) {
    *result.add_containers() = x.said;
    restarts += x.said.restarts();
    // The first container that is not well speaks for the pod.
    if (result.reason().empty() && !(x.at == step::running && x.ready)) {
      result.set_reason(x.said.reason());
      result.set_message(x.said.message());
    }
  }
  result.set_restarts(restarts);
  for (auto& x : ports_of(*what_))
    *result.add_ports() = std::move(x);
  return result;
}

} // namespace legion::workload
