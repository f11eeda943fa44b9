#include "actors/runtime/runtime_actor.hpp"

#include <csignal>
#include <functional>
#include <map>
#include <variant>

#include <caf/response_promise.hpp>
#include <caf/send.hpp>
#include <caf/typed_response_promise.hpp>
#include <spdlog/spdlog.h>

#include "actors/census/census.hpp"

namespace legion {
namespace {

/// A call came back. `what` is what its kind of call answers, or why not.
struct driver_answered {
  std::uint64_t correlation = 0;
  std::variant<fault, process_status, process_list, drivers::probe_outcome, drivers::output,
               stop_asked>
      what;
};
struct driver_saw_exit {
  process_status what;
};
struct driver_lost_supervisor {
  std::string why;
};

} // namespace
} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::driver_answered)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::driver_saw_exit)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::driver_lost_supervisor)

namespace legion {
namespace {

/// What the actor also hears, from its own driver only.
using runtime_inside =
    runtime_handle::extend<caf::reacts_to<driver_answered>, caf::reacts_to<driver_saw_exit>,
                           caf::reacts_to<driver_lost_supervisor>>;

/// Passes what the driver's thread says on to the actor, for as long as there is one.
class news final : public drivers::sink {
public:
  explicit news(caf::actor_addr to) : to_(std::move(to)) {}

  void launched(std::uint64_t id, result<process_status> x) override { answer(id, std::move(x)); }
  void listed(std::uint64_t id, result<process_list> x) override { answer(id, std::move(x)); }
  void read(std::uint64_t id, result<drivers::output> x) override { answer(id, std::move(x)); }
  void stopped(std::uint64_t id, result<void> x) override { answer(id, asked(std::move(x))); }
  void renewed(std::uint64_t id, result<void> x) override { answer(id, asked(std::move(x))); }
  void removed(std::uint64_t id, result<void> x) override { answer(id, asked(std::move(x))); }
  void probed(std::uint64_t id, drivers::probe_outcome x) override {
    answer(id, result<drivers::probe_outcome>{std::move(x)});
  }
  void exited(process_status x) override { tell(driver_saw_exit{std::move(x)}); }
  void supervisor_lost(std::string why) override { tell(driver_lost_supervisor{std::move(why)}); }

private:
  static result<stop_asked> asked(result<void> x) {
    return x ? result<stop_asked>{stop_asked{}} : result<stop_asked>{x.why()};
  }

  template <class T>
  void answer(std::uint64_t id, result<T> x) {
    driver_answered said{id, {}};
    if (x)
      said.what = std::move(*x);
    else
      said.what = x.why();
    tell(std::move(said));
  }

  template <class T>
  void tell(T what) {
    if (auto to = caf::actor_cast<caf::strong_actor_ptr>(to_))
      caf::anon_send(caf::actor_cast<caf::actor>(to), std::move(what));
  }

  caf::actor_addr to_;
};

using process_key = std::pair<std::string, std::string>; // workload, container

struct runtime_state {
  static inline const char* name = "runtime";
  std::map<std::uint64_t, std::function<void(driver_answered&)>> open; // by correlation id
  std::uint64_t next = 1;
  std::map<std::string, caf::actor_addr> watchers; // by workload
  std::map<process_key, process_status> alive;     // as last heard
  caf::actor_addr supervisor_watcher;
  fault missing{errc::unreachable, "there is no driver"}; // while `driver` is null
  std::unique_ptr<news> sink;
  std::unique_ptr<drivers::driver> driver; // goes first: it ends the thread that calls the sink
};

using runtime_pointer = runtime_inside::stateful_pointer<runtime_state>;

/// Calls the driver under a new correlation id; the answer becomes the reply.
template <class T, class F>
caf::result<T> call_driver(runtime_pointer self, F&& start) {
  auto& state = self->state;
  auto reply = self->template make_response_promise<T>();
  if (!state.driver) {
    reply.deliver(make_error(state.missing));
    return reply;
  }
  auto id = state.next++;
  state.open.emplace(id, [reply](driver_answered& said) mutable {
    if (auto* value = std::get_if<T>(&said.what))
      reply.deliver(std::move(*value));
    else if (auto* why = std::get_if<fault>(&said.what))
      reply.deliver(make_error(*why));
    else
      reply.deliver(make_error(fault{errc::damaged, "the driver answered something else"}));
  });
  start(*state.driver, id);
  return reply;
}

void note(runtime_state& state, const process_status& x) {
  auto key = process_key{x.workload(), x.container()};
  if (x.state() == "exited")
    state.alive.erase(key);
  else
    state.alive[key] = x;
}

void tell_watcher(runtime_pointer self, const process_status& x) {
  auto i = self->state.watchers.find(x.workload());
  auto who = i == self->state.watchers.end() ? caf::strong_actor_ptr{}
                                             : caf::actor_cast<caf::strong_actor_ptr>(i->second);
  if (who)
    caf::anon_send(caf::actor_cast<caf::actor>(who), process_exited{x});
  else
    spdlog::debug("runtime exit nobody watches workload={}", x.workload());
}

void end_what_was_alive(runtime_pointer self, const std::string& why, wall_ms now) {
  for (auto& [key, x] : std::exchange(self->state.alive, {})) {
    auto ended = x;
    ended.set_state("exited");
    ended.set_signal(SIGKILL);
    ended.set_error(why);
    ended.set_reason("supervisor_lost");
    ended.set_finished_ms(now);
    tell_watcher(self, ended);
  }
}

runtime_inside::behavior_type runtime_actor(runtime_pointer self, context_ptr context) {
  self->set_default_handler([](auto*, auto& x) -> caf::result<caf::message> {
    spdlog::debug("runtime unexpected message={}", caf::deep_to_string(x.content()));
    return caf::sec::unexpected_message;
  });
  auto& state = self->state;
  state.sink = std::make_unique<news>(caf::actor_cast<caf::actor_addr>(self));
  if (auto made = context->make_driver(*state.sink); made) {
    state.driver = std::move(*made);
  } else {
    state.missing = made.why();
    spdlog::error("runtime no driver why=\"{}\"", state.missing.detail);
  }
  return {
      [self](const launch& x) {
        spdlog::debug("runtime launch workload={} container={} life={}", x.workload(),
                      x.container(), x.life());
        return call_driver<process_status>(self, [&](auto& to, auto id) { to.launch(id, x); });
      },
      [self](const stop& x) {
        spdlog::debug("runtime stop workload={} grace_ms={}", x.workload(), x.grace_ms());
        return call_driver<stop_asked>(self, [&](auto& to, auto id) { to.stop(id, x); });
      },
      [self](const renew_lease& x) {
        return call_driver<stop_asked>(self, [&](auto& to, auto id) { to.renew(id, x); });
      },
      [self](const remove_workload_files& x) {
        self->state.watchers.erase(x.workload);
        return call_driver<stop_asked>(self, [&](auto& to, auto id) { to.remove(id, x.workload); });
      },
      [self](list_running) {
        return call_driver<process_list>(self, [](auto& to, auto id) { to.list(id); });
      },
      [self](const probe_once& x) {
        return call_driver<drivers::probe_outcome>(
            self, [&](auto& to, auto id) { to.probe(id, x.where); });
      },
      [self](const read_output& x) {
        return call_driver<drivers::output>(self, [&](auto& to, auto id) {
          to.read(id, x.workload, x.container, x.life, x.offset);
        });
      },
      [self](check_port x) -> caf::result<bool> {
        if (!self->state.driver)
          return make_error(self->state.missing);
        return self->state.driver->port_is_free(x.port);
      },
      [self](list_features) -> caf::result<drivers::features> {
        if (!self->state.driver)
          return make_error(self->state.missing);
        return self->state.driver->what_it_can();
      },
      [self](end_all x) {
        spdlog::info("runtime end all grace_ms={}", x.grace_ms);
        return call_driver<stop_asked>(self,
                                       [&](auto& to, auto id) { to.shut_down(id, x.grace_ms); });
      },
      [self](const watch_workload& x) {
        self->state.watchers[x.workload] = caf::actor_cast<caf::actor_addr>(x.who);
      },
      [self](const watch_supervisor& x) {
        self->state.supervisor_watcher = caf::actor_cast<caf::actor_addr>(x.who);
      },
      [self](driver_answered& said) {
        if (auto* started = std::get_if<process_status>(&said.what))
          note(self->state, *started);
        if (auto* list = std::get_if<process_list>(&said.what))
          for (auto& x : list->processes())
            note(self->state, x);
        if (auto node = self->state.open.extract(said.correlation))
          node.mapped()(said);
      },
      [self](const driver_saw_exit& x) {
        spdlog::debug("runtime exit workload={} container={} life={} code={} signal={}",
                      x.what.workload(), x.what.container(), x.what.life(), x.what.exit_code(),
                      x.what.signal());
        note(self->state, x.what);
        tell_watcher(self, x.what);
      },
      [self, context](const driver_lost_supervisor& x) {
        spdlog::warn("runtime supervisor lost why=\"{}\"", x.why);
        end_what_was_alive(self, x.why, context->wall_clock());
        auto& watcher = self->state.supervisor_watcher;
        if (auto who = caf::actor_cast<caf::strong_actor_ptr>(watcher))
          caf::anon_send(caf::actor_cast<caf::actor>(who), supervisor_lost{x.why});
      },
  };
}

} // namespace

runtime_handle spawn_runtime(caf::actor_system& system, const context_ptr& context) {
  return spawn_enrolled(system, context, "runtime", runtime_actor, context);
}

} // namespace legion
