#include "actors/workload/pod_lifecycle.hpp"

#include <algorithm>

namespace legion::workload {

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

void pod_lifecycle::note_readiness(moment t) {
  auto ready = !ending_ && !containers_.empty()
               && std::all_of(containers_.begin(), containers_.end(),
                              [](const one& x) { return x.at == step::running && x.ready; });
  if (ready != ready_)
    ready_since_ms_ = ready ? t.wall : 0;
  ready_ = ready;
}

} // namespace legion::workload
