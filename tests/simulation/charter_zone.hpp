#pragma once

#include <map>
#include <string>
#include <vector>

#include "messages/charter.pb.h"
#include "tests/simulation/requests.hpp"

namespace legion::charter_zone {

using namespace legion::simulator;

/// A cluster, and what each node's journal says of the roster.
struct zone {
  explicit zone(std::uint32_t nodes, std::uint64_t seed = 1) : all(requests::sized(nodes, seed)) {
    watch_cluster hooks;
    hooks.durable = [this](std::uint32_t node, const record_batch& batch) { read(node, batch); };
    all.set_watcher(std::move(hooks));
  }
  ~zone() { all.set_watcher({}); }

  void read(std::uint32_t node, const record_batch& batch) {
    for (const auto& x : batch.records()) {
      roster_state what;
      if (x.key() != "roster" || !what.ParseFromString(x.value()))
        continue;
      auto [i, fresh] = seen.try_emplace({what.incarnation(), what.index()}, x.value());
      different = different || (!fresh && i->second != x.value());
      rosters[node] = std::move(what);
    }
  }

  std::size_t listed(std::uint32_t node) {
    return static_cast<std::size_t>(rosters[node].nodes_size());
  }
  bool on_roster(std::uint32_t node, std::uint32_t as_seen_by) {
    for (const auto& x : rosters[as_seen_by].nodes())
      if (x.id() == all.node(node).self.id.bytes())
        return true;
    return false;
  }

  charter_view charter(std::uint32_t asked) {
    api_request request;
    request.set_version(1);
    request.mutable_charter();
    auto reply = all.ask(asked, request);
    return reply ? reply->charter() : charter_view{};
  }
  std::vector<std::uint32_t> voters(std::uint32_t asked) {
    std::vector<std::uint32_t> result;
    auto shown = charter(asked);
    for (const auto& x : shown.members())
      if (x.votes())
        result.push_back(*all.index_of(node_id::from_bytes(x.node())));
    return result;
  }

  std::string apply(std::uint32_t asked, const std::string& name, int replicas) {
    auto reply = all.ask(asked, requests::apply(requests::deployment(name, replicas)), seconds{20});
    if (!reply || reply->results_size() == 0)
      return {};
    return reply->results(0).has_refused() ? std::string{} : reply->results(0).action();
  }
  /// Replicas that run, in this or a later life.
  std::size_t running(const std::string& name, std::uint32_t life = 0) {
    std::size_t result = 0;
    for (std::uint32_t i = 0; i < all.size(); ++i)
      for (const auto& x : all.node(i).machine->processes())
        result += x.status.state() != "exited" && x.status.pod().starts_with(name + "-")
                          && x.status.life() >= life
                      ? 1
                      : 0;
    return result;
  }
  api_reply rebuild(std::uint32_t asked, bool force = false) {
    api_request request;
    request.set_version(1);
    request.mutable_rebuild_charter()->set_force(force);
    auto reply = all.ask(asked, request);
    return reply ? *reply : api_reply{};
  }
  /// Nobody alive believes an earlier incarnation, and one charter decides.
  bool agree(std::uint32_t asked, std::size_t voters_wanted) {
    auto shown = charter(asked);
    if (!shown.quorum() || voters(asked).size() != voters_wanted)
      return false;
    std::size_t leaders = 0;
    for (std::uint32_t i = 0; i < all.size(); ++i) {
      if (!all.node(i).actors)
        continue;
      auto view = all.view(i);
      leaders += view && view->charter() == "leader" ? 1 : 0;
      if (rosters[i].incarnation() != shown.incarnation() || rosters[i].index() != shown.index())
        return false;
    }
    return leaders == 1;
  }
  api_reply cordon(std::uint32_t asked, const std::string& node, bool yes) {
    auto reply = all.ask(asked, requests::cordon(node, yes));
    return reply ? *reply : api_reply{};
  }

  /// The charter's leader, while there is one.
  std::uint32_t leader() {
    for (std::uint32_t i = 0; i < all.size(); ++i)
      if (auto x = all.view(i); x && x->charter() == "leader")
        return i;
    return all.size();
  }

  cluster all;
  std::map<std::uint32_t, roster_state> rosters; // by node
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> seen;
  bool different = false; // two nodes believed different rosters of one version
};

} // namespace legion::charter_zone
