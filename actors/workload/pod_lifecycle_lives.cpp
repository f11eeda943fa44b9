#include "actors/workload/pod_lifecycle.hpp"

#include <algorithm>

/// A container's lives: how one begins, what its end means, and whether another follows.

namespace legion::workload {

namespace {

constexpr int start_error_code = 128; // as Kubernetes has it
// A supervisor may be killed again and again, and all that it ran begins anew each time.
constexpr auto pause_after_supervisor = seconds{1};

} // namespace

std::string pod_lifecycle::ended_text(const container_status& x) {
  if (x.signal() != 0)
    return "signal " + std::to_string(x.signal());
  return "exit code " + std::to_string(x.exit_code());
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
  auto orphaned = x.reason() == "supervisor_lost";
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
  if (orphaned) { // no fault of its own
    if (lived >= backoff::forgiven_after)
      c.pause = {};
    wait_again(i, pause_after_supervisor, t);
    return;
  }
  again(i, c.pause.after(lived), t, out);
  check_ports ports{i, x.life(), host_ports_of(*what_, i)};
  if (code != 0 && !lost && !never_ran && !ports.ports.empty())
    out.push_back(std::move(ports));
}

effects pod_lifecycle::on_port_taken(int i, std::uint32_t life, int port, moment t) {
  effects out;
  auto& c = containers_[static_cast<std::size_t>(i)];
  if (c.at != step::waiting || c.said.life() != life)
    return out;
  auto why = "port " + std::to_string(port) + " of this node is taken by another process";
  c.said.set_message(c.said.message() + "; " + why);
  say(out, t, "Warning", "PortTaken", "Container " + c.said.name() + ": " + why);
  return done(std::move(out), t);
}

bool pod_lifecycle::wants_restart(const one& x) const {
  const auto& policy = spec().restart_policy();
  if (policy == "Never")
    return false;
  return policy != "OnFailure" || x.said.exit_code() != 0;
}

void pod_lifecycle::wait_again(int i, milliseconds delay, moment t) {
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
  said.set_reason("ContainerCreating");
}

void pod_lifecycle::again(int i, milliseconds delay, moment t, effects& out) {
  wait_again(i, delay, t);
  auto& said = containers_[i].said;
  if (delay <= milliseconds{0}) {
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

} // namespace legion::workload
