#include "actors/promise/promise_actor.hpp"

#include <optional>

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/census/census.hpp"
#include "actors/promise/lifecycle.hpp"

namespace legion {

namespace {

constexpr auto driver_timeout = seconds{15};

struct promise_state {
  static inline const char* name = "promise";
  context_ptr context;
  runtime_handle runtime;
  promise_owner owner;
  std::shared_ptr<const promise_record> what;
  promise::lifecycle rules;
  workload_handle workload;
  assessment evidence;               // as the workload said last
  std::optional<std::int64_t> lease; // its last
  bool ending = false;
  bool over = false;

  ~promise_state() {
    if (workload)
      caf::anon_send_exit(workload, caf::exit_reason::user_shutdown);
  }
};

using promise_pointer = promise_handle::stateful_pointer<promise_state>;

const std::string& uid_of(promise_pointer self) {
  return self->state.what->slot().uid();
}

void say(promise_pointer self) {
  auto& s = self->state;
  self->send(s.owner,
             promise_says{uid_of(self), s.rules.assess(s.evidence, s.context->wall_clock())});
}

void employ(promise_pointer self, std::vector<process_status> found) {
  auto& s = self->state;
  s.workload = spawn_workload(self->system(), s.context, s.what, std::move(found), s.ending,
                              s.runtime, caf::actor_cast<workload_owner>(self));
  self->monitor(s.workload);
  if (s.lease)
    self->send(s.workload, lease_renewed{*s.lease});
}

/// The workload's actor failed: another one adopts what runs.
void employ_again(promise_pointer self) {
  self->request(self->state.runtime, driver_timeout, list_running{})
      .then(
          [self](const process_list& all) {
            std::vector<process_status> mine;
            for (const auto& x : all.processes())
              if (x.workload() == uid_of(self))
                mine.push_back(x);
            employ(self, std::move(mine));
          },
          [self](const caf::error&) { employ_again(self); });
}

void end(promise_pointer self, bool withdrawn) {
  auto& s = self->state;
  if (withdrawn)
    s.rules.withdraw();
  if (!s.ending && s.workload)
    self->send(s.workload, end_workload{});
  s.ending = true;
  say(self);
}

void on_down(promise_pointer self, const caf::down_msg& x) {
  auto& s = self->state;
  if (s.over || !s.workload || x.source != s.workload.address())
    return;
  spdlog::warn("promise workload_lost uid={} why=\"{}\"", uid_of(self), caf::to_string(x.reason));
  s.workload = nullptr;
  if (!s.rules.may_restart(self->clock().now())) {
    spdlog::error("promise given_up uid={}: its workload failed {} times within {} s", uid_of(self),
                  promise::lifecycle::budget, promise::lifecycle::budget_span.count());
    s.ending = true;
    s.rules.withdraw();
  }
  employ_again(self);
}

promise_handle::behavior_type promise_actor(promise_pointer self, context_ptr context,
                                            std::shared_ptr<const promise_record> what,
                                            std::vector<process_status> found, bool ending,
                                            runtime_handle runtime, promise_owner owner) {
  auto& s = self->state;
  s.context = std::move(context);
  s.runtime = std::move(runtime);
  s.owner = std::move(owner);
  s.what = std::move(what);
  s.ending = ending;
  s.rules = promise::lifecycle{s.what, s.context->self.id, s.context->self.name};
  self->set_default_handler(caf::drop);
  self->set_exception_handler([uid = uid_of(self)](std::exception_ptr&) -> caf::error {
    spdlog::error("promise failed uid={}", uid);
    return caf::sec::runtime_error;
  });
  self->set_down_handler([self](const caf::down_msg& x) { on_down(self, x); });
  employ(self, std::move(found));
  return {
      [self](const workload_says& x) {
        self->state.evidence = x.what;
        say(self);
      },
      [self](const workload_tells& x) {
        self->send(self->state.owner, promise_tells{uid_of(self), x.what});
      },
      [self](workload_lapsed) {
        self->state.rules.withdraw();
        self->send(self->state.owner, promise_lapsed{uid_of(self)});
      },
      [self](lease_renewed x) {
        self->state.lease = x.until_ms;
        if (self->state.workload)
          self->send(self->state.workload, x);
      },
      [self](workload_over) {
        self->state.over = true;
        self->send(self->state.owner, promise_over{uid_of(self)});
        self->quit();
      },
      [self](const end_promise& x) { end(self, x.withdrawn); },
      [self](const raise_order& x) {
        self->state.rules.raise(x.to);
        say(self);
      },
  };
}

} // namespace

promise_handle spawn_promise(caf::actor_system& system, const context_ptr& context,
                             std::shared_ptr<const promise_record> what,
                             std::vector<process_status> found, bool ending,
                             const runtime_handle& runtime, const promise_owner& owner) {
  auto path = "promise/" + what->slot().uid();
  return spawn_enrolled(system, context, std::move(path), promise_actor, context, std::move(what),
                        std::move(found), ending, runtime, owner);
}

} // namespace legion
