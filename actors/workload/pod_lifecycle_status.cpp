#include "actors/workload/pod_lifecycle.hpp"

namespace legion::workload {

namespace {

bool tells_little(const container_status& x) {
  return x.reason() == "Completed";
}

} // namespace

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
  const container_status* speaker = nullptr;
  for (const auto& x : containers_) {
    *result.add_containers() = x.said;
    restarts += x.said.restarts();
    // The first container that is not well speaks for the pod; one that did its work, if no other.
    if (x.at == step::running && x.ready)
      continue;
    if (!speaker || tells_little(*speaker) || (!tells_little(x.said) && speaker->reason().empty()))
      speaker = &x.said;
  }
  if (speaker) {
    result.set_reason(speaker->reason());
    auto failed = speaker->state() == "terminated" && speaker->exit_code() != 0;
    result.set_message(speaker->message().empty() && failed ? ended_text(*speaker)
                                                            : speaker->message());
  }
  result.set_restarts(restarts);
  for (auto& x : ports_of(*what_))
    *result.add_ports() = std::move(x);
  return result;
}

} // namespace legion::workload
