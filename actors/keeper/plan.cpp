#include "actors/keeper/plan.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "actors/keeper/lease.hpp"
#include "actors/keeper/revision.hpp"

namespace legion::keeper {

namespace {

using replicas_view = std::vector<const replica*>;

/// A count or a percentage of `of`; 25% when nothing was said.
int share(const int_or_string& x, int of, bool up) {
  if (x.has_number())
    return std::max(0, x.number());
  auto percent = 25;
  if (x.has_text()) {
    percent = 0;
    for (char c : x.text()) {
      if (c < '0' || c > '9' || percent > 100'000)
        break;
      percent = percent * 10 + (c - '0');
    }
  }
  auto product = static_cast<std::int64_t>(percent) * of;
  return static_cast<int>(up ? (product + 99) / 100 : product / 100);
}

/// How many of the resource, of whatever template, stay where.
using spread = std::map<node_id, int>;

/// The `count` whose end costs least: missing first, then unready, then from the node that has most
/// of the resource, then youngest; as Kubernetes' controller.ActivePods ranks them.
void choose(replicas_view from, int count, spread& on_node, std::vector<std::string>& into) {
  if (count >= static_cast<int>(from.size())) {
    for (auto* x : from) {
      --on_node[x->node];
      into.push_back(x->uid);
    }
    return;
  }
  while (count-- > 0 && !from.empty()) {
    auto rank = [&](const replica* x) {
      return std::tuple{!x->missing, x->ready, -on_node[x->node], -x->created_ms};
    };
    auto i = std::min_element(from.begin(), from.end(), [&](const replica* a, const replica* b) {
      auto order = rank(a) <=> rank(b);
      return order == 0 ? a->uid < b->uid : order < 0;
    });
    --on_node[(*i)->node];
    into.push_back((*i)->uid);
    from.erase(i);
  }
}

int count_available(const replicas_view& xs) {
  return static_cast<int>(
      std::count_if(xs.begin(), xs.end(), [](const replica* x) { return x->available; }));
}

/// Ends old replicas as far as enough stay available.
void end_old(const deployment_spec& spec, const replicas_view& current, const replicas_view& old,
             spread& on_node, std::vector<std::string>& into) {
  auto total = static_cast<int>(current.size() + old.size());
  auto must_stay = spec.replicas() - leeway_of(spec).unavailable;
  auto current_available = count_available(current);
  auto unavailable = static_cast<int>(current.size()) - current_available;
  auto may_go = total - must_stay - unavailable;
  replicas_view unready, ready;
  for (auto* x : old)
    (!x->missing && (x->ready || !x->assessed) ? ready : unready).push_back(x);
  choose(unready, std::min(may_go, static_cast<int>(unready.size())), on_node, into);
  auto spare = current_available + count_available(old) - must_stay;
  choose(ready, spare, on_node, into);
}

} // namespace

leeway leeway_of(const deployment_spec& x) {
  if (x.max_surge().value_case() == int_or_string::VALUE_NOT_SET
      && x.max_unavailable().value_case() == int_or_string::VALUE_NOT_SET)
    return {1, 0};
  leeway result;
  result.surge = share(x.max_surge(), x.replicas(), true);
  result.unavailable = share(x.max_unavailable(), x.replicas(), false);
  if (result.surge == 0 && result.unavailable == 0)
    result.unavailable = 1;
  return result;
}

plan plan_of(const resource& what, const std::vector<replica>& replicas, int leaving) {
  plan result;
  auto wanted = what.deployment().unstarted() ? 0 : wanted_of(what);
  replicas_view current, old;
  spread on_node;
  for (const auto& x : replicas) {
    if (!x.missing)
      ++on_node[x.node];
    if (x.current)
      current.push_back(&x);
    else if (x.missing && !x.recalled)
      result.end.push_back(x.uid);
    else
      old.push_back(&x);
  }
  if (what.deployment().paused()) { // only their number is looked at
    current.insert(current.end(), old.begin(), old.end());
    old.clear();
  }
  auto have = static_cast<int>(current.size());
  auto recreate = !what.has_deployment() || what.deployment().strategy() == "Recreate";
  choose(current, have - wanted, on_node, result.end);
  if (is_exclusive(what)) {
    for (auto* x : old)
      result.end.push_back(x->uid);
    result.name = std::max(0, wanted - have - static_cast<int>(old.size()) - leaving);
    return result;
  }
  if (recreate) {
    for (auto* x : old)
      result.end.push_back(x->uid);
    if (old.empty() && leaving == 0)
      result.name = std::max(0, wanted - have);
    return result;
  }
  const auto& spec = what.deployment();
  auto room = old.empty() ? wanted - have
                          : wanted + leeway_of(spec).surge - have - static_cast<int>(old.size());
  result.name = std::clamp(room, 0, std::max(0, wanted - have));
  end_old(spec, current, old, on_node, result.end);
  return result;
}

} // namespace legion::keeper
