#include "actors/bridge/bridge_actor.hpp"

#include <google/protobuf/stubs/logging.h>
#include <spdlog/spdlog.h>

#include "actors/bridge/exchange_actor.hpp"
#include "actors/census/census.hpp"

namespace legion {
namespace bridge {
namespace {

struct bridge_state {
  static inline const char* name = "bridge";
  std::shared_ptr<exchange> shared;
  bool tick_armed = false;
};

using bridge_pointer = bridge_actor_handle::stateful_pointer<bridge_state>;

void arm_tick(bridge_pointer self) {
  if (self->state.tick_armed || !self->state.shared->wants_tick())
    return;
  self->state.tick_armed = true;
  self->delayed_send(self, correlation<int>::tick, tick{});
}

bridge_actor_handle::behavior_type bridge_actor(bridge_pointer self,
                                                std::shared_ptr<exchange> shared) {
  self->state.shared = shared;
  // Before the monitors hear of it: a node may start again at the same address then.
  self->set_exit_handler([self](caf::exit_msg& x) {
    self->state.shared->stop();
    self->quit(std::move(x.reason));
  });
  self->attach_functor([shared](const caf::error&) { shared->stop(); }); // killed
  self->set_default_handler(
      [](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
        spdlog::debug("bridge unexpected_message");
        return caf::sec::unexpected_message;
      });
  return {
      [self](const member_change& x) { self->state.shared->on_member(x, self->context()); },
      [self](const cluster_known& x) {
        spdlog::debug("bridge cluster_known");
        self->state.shared->on_cluster(x.cluster);
      },
      [self](const introduce_contact& x) { self->state.shared->introduce(x.who); },
      [self](list_losses) { return self->state.shared->count(); },
      [self](const frame_came& x) {
        self->state.shared->on_frame(x.from, x.bytes, self->context());
      },
      [self](const peer_changed& x) {
        self->state.shared->on_peer(x, self->context());
        arm_tick(self);
      },
      [self](const frame_dropped& x) { self->state.shared->on_dropped(x, self->context()); },
      [self](flush) {
        self->state.shared->on_flush(self->context());
        arm_tick(self);
      },
      [self](tick) {
        self->state.tick_armed = false;
        self->state.shared->on_tick(self->context());
        arm_tick(self);
      },
  };
}

} // namespace

result<spawned_bridge> spawn(caf::actor_system& system, const node_context& context,
                             std::shared_ptr<legion::census> census, const limits& most) {
  // A stranger's string that is not UTF-8 would be printed to stderr, line for line.
  static const auto silent = (google::protobuf::SetLogHandler(nullptr), true);
  (void)silent; // once: zones of a simulation start nodes in several threads
  auto shared = std::make_shared<exchange>(system, context.self, context.cluster, most);
  shared->remember(context.remembered);
  auto enrolled = std::make_shared<node_context>();
  enrolled->census = std::move(census);
  auto handle = spawn_enrolled(system, enrolled, "bridge", bridge_actor, shared);
  shared->start(handle, nullptr);
  auto carrier = context.make_transport(*shared);
  if (!carrier) {
    caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
    return carrier.why();
  }
  shared->start(handle, std::move(*carrier));
  return spawned_bridge{caf::actor_cast<bridge_handle>(handle), shared};
}

} // namespace bridge

result<spawned_bridge> spawn_bridge(caf::actor_system& system, const node_context& context,
                                    std::shared_ptr<legion::census> census) {
  return bridge::spawn(system, context, std::move(census), {});
}

} // namespace legion
