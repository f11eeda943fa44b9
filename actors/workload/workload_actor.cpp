#include "actors/workload/workload_actor.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/census/census.hpp"
#include "actors/workload/pod_lifecycle.hpp"

namespace legion {

namespace {

using namespace workload;

constexpr auto driver_timeout = seconds{15};
constexpr auto probe_margin = seconds{2}; // past the probe's own time-out

struct workload_state {
  static inline const char* name = "workload";
  context_ptr context;
  runtime_handle runtime;
  workload_owner owner;
  std::string uid;
  pod_lifecycle rules;
  std::optional<time_point> armed; // when the next tick comes
  std::uint64_t generation = 0;
};

using workload_pointer = workload_handle::stateful_pointer<workload_state>;

void perform_all(workload_pointer self, effects todo);

moment now(workload_pointer self) {
  return {self->clock().now(), self->state.context->wall_clock()};
}

void perform(workload_pointer self, start_process& x) {
  spdlog::debug("workload start uid={} container={} life={}", x.what.workload(), x.what.container(),
                x.what.life());
  auto container = x.container;
  self->request(self->state.runtime, driver_timeout, std::move(x.what))
      .then(
          [self, container](const process_status& started) {
            perform_all(self, self->state.rules.on_started(container, started, now(self)));
          },
          [self, container](const caf::error& why) {
            auto fault = fault_of(why);
            spdlog::warn("workload start_failed uid={} why=\"{}\"", self->state.uid, fault.detail);
            perform_all(self, self->state.rules.on_start_failed(container, fault, now(self)));
          });
}

void perform(workload_pointer self, stop_processes& x) {
  spdlog::debug("workload stop uid={} grace_ms={}", x.what.workload(), x.what.grace_ms());
  self->request(self->state.runtime, driver_timeout, std::move(x.what))
      .then([](stop_asked) {}, // the exits are told apart
            [self](const caf::error& why) {
              spdlog::warn("workload stop_failed uid={} why=\"{}\"", self->state.uid,
                           fault_of(why).detail);
              perform_all(self, self->state.rules.on_stop_failed(now(self)));
            });
}

void perform(workload_pointer self, try_probe& x) {
  drivers::probe_target where;
  where.host = std::move(x.host);
  where.port = x.port;
  where.http = x.http;
  where.path = std::move(x.path);
  where.headers = std::move(x.headers);
  where.timeout_ms = x.timeout_ms;
  auto container = x.container;
  auto life = x.life;
  auto answered = [self, container, life](bool passed, const std::string& detail) {
    perform_all(self, self->state.rules.on_probe(container, life, passed, detail, now(self)));
  };
  self->request(self->state.runtime, milliseconds{x.timeout_ms} + probe_margin,
                probe_once{std::move(where)})
      .then([answered](const drivers::probe_outcome& y) { answered(y.passed, y.detail); },
            [answered](const caf::error& why) { answered(false, fault_of(why).detail); });
}

void perform(workload_pointer self, check_ports& x) {
  for (auto port : x.ports)
    self->request(self->state.runtime, driver_timeout, check_port{port})
        .then(
            [self, port, container = x.container, life = x.life](bool is_free) {
              if (!is_free)
                perform_all(self,
                            self->state.rules.on_port_taken(container, life, port, now(self)));
            },
            [](const caf::error&) {});
}

void perform(workload_pointer self, look&) {
  self->request(self->state.runtime, driver_timeout, list_running{})
      .then(
          [self](const process_list& all) {
            std::vector<process_status> mine;
            for (const auto& x : all.processes())
              if (x.workload() == self->state.uid)
                mine.push_back(x);
            perform_all(self, self->state.rules.on_found(mine, now(self)));
          },
          [self](const caf::error&) {
            perform_all(self, self->state.rules.on_look_failed(now(self)));
          });
}

void perform(workload_pointer self, remove_files&) {
  self->request(self->state.runtime, driver_timeout, remove_workload_files{self->state.uid})
      .then(
          [self](stop_asked) {
            perform_all(self, self->state.rules.on_removed(nullptr, now(self)));
          },
          [self](const caf::error& why) {
            auto fault = fault_of(why);
            spdlog::debug("workload remove_failed uid={} why=\"{}\"", self->state.uid,
                          fault.detail);
            perform_all(self, self->state.rules.on_removed(&fault, now(self)));
          });
}

void perform(workload_pointer self, tell& x) {
  self->send(self->state.owner, workload_tells{std::move(x.what)});
}

void perform(workload_pointer self, say_status&) {
  self->send(self->state.owner, workload_says{self->state.rules.status()});
}

void perform(workload_pointer self, extend_lease& x) {
  self->request(self->state.runtime, driver_timeout, std::move(x.what))
      .then([](stop_asked) {}, // what has ended meanwhile is told apart
            [self](const caf::error& why) {
              spdlog::debug("workload renew_failed uid={} why=\"{}\"", self->state.uid,
                            fault_of(why).detail);
            });
}

void perform(workload_pointer self, lease_lost&) {
  spdlog::warn("workload lease_lost uid={}: it was ended", self->state.uid);
  self->send(self->state.owner, workload_lapsed{});
}

void perform(workload_pointer self, all_ended&) {
  self->send(self->state.owner, workload_over{});
  self->quit();
}

void arm(workload_pointer self) {
  auto& s = self->state;
  auto next = s.rules.next_tick();
  if (!next || (s.armed && *s.armed <= *next))
    return;
  s.armed = next;
  auto delay = std::max(time_point::duration::zero(), *next - self->clock().now());
  self->delayed_send(self, delay, workload_tick{++s.generation});
}

void perform_all(workload_pointer self, effects todo) {
  for (auto& x : todo)
    std::visit([self](auto& y) { perform(self, y); }, x);
  arm(self);
}

workload_handle::behavior_type workload_actor(workload_pointer self, context_ptr context,
                                              std::shared_ptr<const promise_record> what,
                                              std::vector<process_status> found, bool ending,
                                              runtime_handle runtime, workload_owner owner) {
  auto& s = self->state;
  s.context = std::move(context);
  s.runtime = std::move(runtime);
  s.owner = std::move(owner);
  s.uid = what->slot().uid();
  auto host = s.context->self.endpoint.substr(0, s.context->self.endpoint.rfind(':'));
  s.rules = pod_lifecycle{std::move(what), {s.context->self.name, host}};
  self->set_default_handler(caf::drop);
  self->set_exception_handler([uid = s.uid](std::exception_ptr&) -> caf::error {
    spdlog::error("workload failed uid={}", uid);
    return caf::sec::runtime_error;
  });
  self->send(s.runtime, watch_workload{s.uid, caf::actor_cast<caf::strong_actor_ptr>(self)});
  perform_all(self, s.rules.begin(found, now(self), ending));
  return {
      [self](end_workload) { perform_all(self, self->state.rules.end(now(self))); },
      [self](const process_exited& x) {
        spdlog::debug("workload exited uid={} container={} life={} code={} signal={}",
                      x.what.workload(), x.what.container(), x.what.life(), x.what.exit_code(),
                      x.what.signal());
        perform_all(self, self->state.rules.on_exit(x.what, now(self)));
      },
      [self](lease_renewed x) {
        perform_all(self, self->state.rules.on_lease(x.until_ms, now(self)));
      },
      [self](const workload_tick& x) {
        if (x.generation != self->state.generation)
          return;
        self->state.armed.reset();
        perform_all(self, self->state.rules.on_tick(now(self)));
      },
  };
}

} // namespace

workload_handle spawn_workload(caf::actor_system& system, const context_ptr& context,
                               std::shared_ptr<const promise_record> what,
                               std::vector<process_status> found, bool ending,
                               const runtime_handle& runtime, const workload_owner& owner) {
  auto path = "workload/" + what->slot().uid();
  return spawn_enrolled(system, context, std::move(path), workload_actor, context, std::move(what),
                        std::move(found), ending, runtime, owner);
}

} // namespace legion
