#pragma once

#include <memory>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

#include "actors/bridge/bridge_actor.hpp"
#include "actors/bridge/exchange_actor.hpp"
#include "actors/census/census.hpp"
#include "runtime/transport/zeromq/zeromq.hpp"
#include "tests/unit/transport/zeromq_nodes.hpp"

/// Bridges over real sockets on loopback, each as a node has it.
namespace legion::bridge::bridge_nodes {

namespace nodes = transport::zeromq_nodes;
using std::chrono::seconds;

constexpr auto cluster_a = "aaaaaaaaaaaaaaaa";
constexpr auto cluster_b = "bbbbbbbbbbbbbbbb";

using joining_handle = caf::typed_actor<caf::replies_to<join_request>::with<join_reply>>;

inline joining_handle::behavior_type joining() {
  return {[](const join_request&) {
    join_reply x;
    x.set_refused("full");
    return x;
  }};
}

class node {
public:
  node(caf::actor_system& system, const char* cluster, std::uint64_t start = 1, limits most = {})
      : node(system, nodes::keys{}, cluster, start, most) {}

  node(caf::actor_system& system, nodes::keys keys, const char* cluster, std::uint64_t start,
       limits most, std::uint32_t life = 7)
      : keys{std::move(keys)} {
    context.self.life = life;
    context.self.id = this->keys.who.id;
    context.self.start = start_number{start};
    context.cluster = cluster;
    context.make_transport = transport::zeromq::make(
        {this->keys.who.endpoint, this->keys.who.public_key, this->keys.secret_key});
    auto spawned = spawn(system, context, std::make_shared<census>(), most);
    REQUIRE_MESSAGE(spawned, spawned.why().detail);
    handle = spawned->handle;
    directory = spawned->directory;
  }
  node(const node&) = delete;

  ~node() { stop(); }

  void stop() {
    if (!handle)
      return;
    caf::scoped_actor self{handle->home_system()};
    self->monitor(handle);
    self->send_exit(handle, caf::exit_reason::user_shutdown);
    self->receive([](const caf::down_msg&) {});
    handle = nullptr;
  }

  void knows(const node& x) { caf::anon_send(handle, introduce_contact{x.keys.who}); }
  void told(const node& x, member_state state, std::uint64_t start) {
    member who;
    who.set_id(x.keys.who.id.bytes());
    who.set_start(start);
    who.set_endpoint(x.keys.who.endpoint);
    who.set_public_key(x.keys.who.public_key);
    caf::anon_send(handle, member_change{std::move(who), state, {}});
  }
  std::uint64_t losses(const node_id& peer, failure reason) {
    caf::scoped_actor self{handle->home_system()};
    std::uint64_t result = 0;
    self->request(handle, seconds{5}, list_losses{})
        .receive(
            [&](const struct losses& x) {
              for (auto& y : x.counts)
                if (y.peer == peer && y.reason == reason)
                  result += y.messages;
            },
            [](const caf::error&) {});
    return result;
  }

  nodes::keys keys;
  node_context context;
  bridge_handle handle;
  std::shared_ptr<legion::directory> directory;
};

struct world {
  world() : system{set(config)} {}
  static caf::actor_system_config& set(caf::actor_system_config& x) {
    x.set("scheduler.policy", caf::atom("sharing"));
    x.set("scheduler.max-threads", 2);
    return x;
  }
  caf::actor_system_config config;
  caf::actor_system system;
};

/// Asks, and gives the reply or the fault.
template <class Reply, class Handle, class Question>
result<Reply> ask(caf::actor_system& system, const Handle& whom, const Question& what) {
  caf::scoped_actor self{system};
  result<Reply> answer{fault{errc::none, "nothing came"}};
  self->request(whom, seconds{8}, what)
      .receive([&](const Reply& x) { answer = x; },
               [&](const caf::error& e) { answer = fault_of(e); });
  return answer;
}

errc code(const auto& x) {
  return x ? errc::none : x.why().code;
}

} // namespace legion::bridge::bridge_nodes
