#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "actors/gateway/inquiry.hpp"
#include "actors/group/whereabouts.hpp"

/// An inquiry on a stage: a zone of four nodes, answers given by hand, and what it asked and said.
namespace legion::gateway {

inline std::string id_of(int node) {
  return std::string(15, 'n') + static_cast<char>('0' + node);
}

struct play {
  explicit play(const api_request& what) {
    for (auto i = 1; i <= 4; ++i)
      set_member(i, member_alive);
    rules = make_inquiry(what);
  }

  void set_member(int node, member_state state, std::uint64_t keeps = 0, bool disk_full = false) {
    member x;
    x.set_id(id_of(node));
    x.set_start(1);
    x.set_name("legion-" + std::to_string(node));
    x.set_keeps(keeps);
    x.set_disk_full(disk_full);
    zone.on(x, state, now);
  }
  /// Node `node` says that it keeps this resource's group.
  void keeps(int node, const resource_name& name, member_state state = member_alive) {
    const auto* row = zone.find(node_id::from_bytes(id_of(node)));
    auto bit = std::uint64_t{1} << value(group::group_of(name));
    set_member(node, state, (row ? row->who.keeps() : 0) | bit);
  }

  surroundings at() {
    return {zone, node_id::from_bytes(id_of(1)), now, "1.2.3", cluster, "eu/fra"};
  }

  void start() { take(rules->start(at())); }
  void answer(const ask& to, gateway::answer what) { take(rules->on(to.id, what, at())); }
  void fail(const ask& to, errc code, std::string detail = {}) {
    answer(to, fault{code, std::move(detail)});
  }
  /// Lets the clock go on to the next alarm.
  bool ring() {
    if (wakes.empty())
      return false;
    auto next = wakes.front();
    wakes.erase(wakes.begin());
    now += next.after;
    take(rules->on_wake(next.id, at()));
    return true;
  }
  /// What was asked since it was last looked at.
  std::vector<ask> asked() { return std::exchange(asks, {}); }
  ask one_ask() {
    auto all = asked();
    return all.size() == 1 ? all.front() : ask{};
  }
  static std::string whom(const ask& x) {
    return x.whom.null() ? "nobody" : "legion-" + x.whom.bytes().substr(15);
  }
  const api_reply& last_said() const {
    static const api_reply nothing;
    return said.empty() ? nothing : said.back();
  }
  bool ended() const { return !said.empty() && said.back().last(); }

  void take(effects todo) {
    for (auto& x : todo) {
      if (auto* y = std::get_if<ask>(&x))
        asks.push_back(*y);
      else if (auto* z = std::get_if<wake>(&x))
        wakes.push_back(*z);
      else
        said.push_back(std::get<say>(x).what);
    }
  }

  zone_members zone;
  std::string cluster = "cluster-of-16-by";
  time_point now{std::chrono::hours{1}};
  std::unique_ptr<inquiry> rules;
  std::vector<ask> asks;
  std::vector<wake> wakes;
  std::vector<api_reply> said;
};

inline api_request request_of() {
  api_request x;
  x.set_version(1);
  x.set_request_id("0123456789abcdef");
  return x;
}

inline api_request scale_of(int replicas) {
  auto x = request_of();
  *x.mutable_scale()->mutable_name() = make_name("Deployment", "", "web");
  x.mutable_scale()->set_replicas(replicas);
  return x;
}

inline const auto web_name = make_name("Deployment", "default", "web");

inline group_reply done_reply(std::string action) {
  group_reply x;
  x.mutable_done()->set_action(std::move(action));
  return x;
}

inline group_reply refused_reply(refusal_code code, std::string detail, int node = 0) {
  group_reply x;
  *x.mutable_refused() = make_refusal(code, std::move(detail));
  if (node)
    x.mutable_refused()->set_node(id_of(node));
  return x;
}

/// A deployment `name` with pods on these nodes.
inline resource_view view_of(const std::string& name, const std::vector<int>& nodes) {
  resource_view x;
  x.mutable_what()->set_api_version("apps/v1");
  x.mutable_what()->set_kind("Deployment");
  x.mutable_what()->mutable_metadata()->set_name(name);
  x.mutable_what()->mutable_metadata()->set_namespace_("default");
  auto& spec = *x.mutable_what()->mutable_deployment();
  spec.set_replicas(static_cast<int>(nodes.size()));
  for (auto* labels : {x.mutable_what()->mutable_metadata()->mutable_labels(),
                       spec.mutable_template_()->mutable_metadata()->mutable_labels()}) {
    auto& label = *labels->Add();
    label.set_key("app");
    label.set_value(name);
  }
  spec.mutable_template_()->mutable_spec()->add_containers()->set_name("main");
  auto i = 0;
  for (auto node : nodes) {
    auto& pod = *x.add_pods();
    pod.mutable_slot()->set_pod(name + "-abc-" + std::to_string(++i));
    *pod.mutable_of() = name_of(x.what());
    pod.set_state(node ? "bound" : "missing");
    if (node) {
      pod.set_node(id_of(node));
      pod.set_node_name("legion-" + std::to_string(node));
    }
  }
  return x;
}

} // namespace legion::gateway
