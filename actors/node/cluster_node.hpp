#pragma once

#include <functional>
#include <string>

#include <caf/actor_system.hpp>

#include "actors/bridge/bridge_actor.hpp"
#include "actors/gateway/gateway_actor.hpp"
#include "actors/membership/membership_actor.hpp"
#include "actors/node/node_actor.hpp"
#include "actors/runtime/runtime_actor.hpp"
#include "actors/store/store_actor.hpp"

namespace legion {

/// One whole node: its actors, spawned in order and introduced to each other. What main and the
/// simulator start.
struct cluster_node {
  context_ptr context;
  bridge_handle bridge;
  store_handle store;
  membership_handle membership;
  runtime_handle runtime;
  beats_handle beats;
  charter_handle charter;
  node_handle node;
  gateway_handle gateway;
};

/// Fails as the transport or the API's socket fails; what was started by then is stopped. Moves the
/// journal's records out of the context: who needs them has them from here.
result<cluster_node> start_node(caf::actor_system& system, node_context context);

/// Calls `failed`, once, when one of the node's own actors ends without being stopped: its name and
/// why. None of them can be started again while the process lives (who opened the journal or the
/// sockets is gone, and what was under way with it): the process has to end, plainly, and start
/// again. Workloads outlive it.
void watch_node(caf::actor_system& system, const cluster_node& x,
                std::function<void(std::string)> failed);

/// Stops the actors in reverse order; workloads stay. The process may end when all have ended.
void stop_node(caf::actor_system& system, const cluster_node& x);

} // namespace legion
