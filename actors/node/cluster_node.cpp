#include "actors/node/cluster_node.hpp"

#include <utility>

#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/census/census.hpp"
#include "actors/node/recovery.hpp"

namespace legion {

namespace {

template <class Handle>
caf::strong_actor_ptr pointer(const Handle& x) {
  return caf::actor_cast<caf::strong_actor_ptr>(x);
}

template <class Handle>
void end(const Handle& x) {
  if (x)
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
}

} // namespace

result<cluster_node> start_node(caf::actor_system& system, node_context context) {
  cluster_node result;
  auto replayed = std::exchange(context.replayed, {});
  context.keeps = node::kept_groups(replayed);
  context.cordoned = node::was_cordoned(replayed);
  context.census = std::make_shared<census>();
  auto bridge = spawn_bridge(system, context, context.census);
  if (!bridge)
    return bridge.why();
  context.directory = bridge->directory;
  result.bridge = bridge->handle;
  result.context = std::make_shared<const node_context>(std::move(context));
  const auto& made = result.context;
  auto& directory = *made->directory;
  directory.publish("bridge", pointer(result.bridge));
  result.store = spawn_store(system, made);
  result.membership = spawn_membership(system, made);
  directory.publish("membership", pointer(result.membership));
  caf::anon_send(result.membership, subscribe_members{pointer(result.bridge)});
  result.runtime = spawn_runtime(system, made);
  result.node = spawn_node(system, made, {result.store, result.membership, result.runtime},
                           std::move(replayed));
  directory.publish("node", pointer(result.node));
  auto gateway = spawn_gateway(system, made, result.membership);
  if (!gateway) {
    stop_node(system, result);
    return gateway.why();
  }
  result.gateway = *gateway;
  spdlog::info("node started name={} id={} start={}", made->self.name, made->self.id.short_text(),
               value(made->self.start));
  return result;
}

void stop_node(caf::actor_system&, const cluster_node& x) {
  end(x.gateway);
  end(x.node);
  end(x.runtime);
  end(x.membership);
  end(x.store);
  end(x.bridge);
}

} // namespace legion
