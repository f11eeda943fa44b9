#include "actors/node/cluster_node.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/census/census.hpp"
#include "actors/group/group_keys.hpp"
#include "actors/journal_ends.hpp"
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

struct watch_state {
  static inline const char* name = "watch";
  std::map<caf::actor_addr, std::string> living;
  caf::strong_actor_ptr me; // nobody else holds it; let go when it ends
};

using watch_pointer = caf::stateful_actor<watch_state>*;

using own_actors = std::vector<std::pair<caf::strong_actor_ptr, std::string>>;

caf::behavior watch_actor(watch_pointer self, const own_actors& whom,
                          std::function<void(std::string)> failed) {
  self->state.me = self->ctrl();
  for (const auto& [who, name] : whom) {
    self->state.living.emplace(who->address(), name);
    self->monitor(caf::actor_cast<caf::actor>(who));
  }
  self->set_down_handler([self, failed](const caf::down_msg& x) {
    auto& living = self->state.living;
    auto i = living.find(x.source);
    if (i == living.end())
      return;
    auto name = i->second;
    living.erase(i);
    if (x.reason != caf::exit_reason::user_shutdown) {
      living.clear(); // what falls with it is no news
      failed(name + ": " + caf::to_string(x.reason));
    }
    if (living.empty())
      self->quit();
  });
  return {[](int) {}};
}

} // namespace

void watch_node(caf::actor_system& system, const cluster_node& x,
                std::function<void(std::string)> failed) {
  own_actors whom{{pointer(x.bridge), "bridge"},
                  {pointer(x.store), "store"},
                  {pointer(x.membership), "membership"},
                  {pointer(x.runtime), "runtime"},
                  {pointer(x.beats), "consensus"},
                  {pointer(x.charter), "charter"},
                  {pointer(x.node), "node"},
                  {pointer(x.gateway), "gateway"}};
  spawn_enrolled(system, x.context, "watch", watch_actor, std::move(whom), std::move(failed));
}

result<cluster_node> start_node(caf::actor_system& system, node_context context) {
  cluster_node result;
  auto replayed = std::exchange(context.replayed, {});
  context.damage = node::damage_in(replayed);
  context.keeps = group::groups_in(replayed);
  if (context.damage)
    context.keeps |= context.damage->groups(); // who asks for them hears what became of them
  else if (context.keeps == 0 && context.founds())
    context.keeps = ~std::uint64_t{0};
  context.may_be_old =
      context.begin_new_journal && (context.keeps != 0 || node::has_charter(replayed))
      && std::any_of(context.join.begin(), context.join.end(),
                     [&](const transport::peer& x) { return x.id != context.self.id; });
  context.cordoned = node::was_cordoned(replayed, context.self.id);
  context.remembered = node::remembered_in(replayed, system.clock().now(), context.wall_clock());
  context.ends = std::make_shared<journal_ends>();
  for (const auto& x : context.remembered)
    if (auto journal = consensus::journal_id::from_bytes(x.journal); !journal.null())
      context.ends->heard({x.id, journal}, x.rows_start, x.rows);
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
  // Before the runtime: a node whose API cannot be reached must not leave a supervisor behind.
  auto gateway = spawn_gateway(system, made, result.membership);
  if (!gateway) {
    stop_node(system, result);
    return gateway.why();
  }
  result.gateway = *gateway;
  result.runtime = spawn_runtime(system, made);
  result.beats = spawn_beats(system, made);
  directory.publish("consensus", pointer(result.beats));
  result.charter = spawn_charter(system, made, {result.store, result.membership, result.beats},
                                 replayed, node::founds_charter(made->founds(), replayed));
  directory.publish("charter", pointer(result.charter));
  caf::anon_send(result.membership, admit_through{pointer(result.charter)});
  result.node = spawn_node(
      system, made, {result.store, result.membership, result.runtime, result.beats, result.charter},
      std::move(replayed));
  directory.publish("node", pointer(result.node));
  caf::anon_send(result.charter, subscribe_roster{pointer(result.node)});
  caf::anon_send(result.charter, subscribe_roster{pointer(result.gateway)});
  spdlog::info("node started name={} id={} start={}", made->self.name, made->self.id.short_text(),
               value(made->self.start));
  return result;
}

void stop_node(caf::actor_system&, const cluster_node& x) {
  end(x.gateway);
  end(x.node);
  end(x.charter);
  end(x.beats);
  end(x.runtime);
  end(x.membership);
  end(x.store);
  end(x.bridge);
}

} // namespace legion
