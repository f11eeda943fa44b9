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
/// of the resource, then youngest; as Kubernetes' controller.ActivePods ranks them. Those that are
/// ready, but not for long enough, before those that are available. They leave `from`.
void choose(replicas_view& from, int count, spread& on_node, std::vector<std::string>& into) {
  if (count >= static_cast<int>(from.size())) {
    for (auto* x : from) {
      --on_node[x->node];
      into.push_back(x->uid);
    }
    from.clear();
    return;
  }
  while (count-- > 0 && !from.empty()) {
    auto rank = [&](const replica* x) {
      return std::tuple{!x->missing, x->ready, x->available, -on_node[x->node], -x->created_ms};
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

bool is_known_unready(const replica& x) {
  return x.missing || (x.assessed && !x.ready);
}

/// Ends old replicas as far as enough stay available; how many of them are left.
int end_old(const deployment_spec& spec, const replicas_view& current, const replicas_view& old,
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
  return static_cast<int>(unready.size() + ready.size());
}

/// Of the new ones that are known not to serve so many as a rollout has too many, once it was scaled
/// down: while none of them gets ready, no old one goes in their place.
void end_surplus(const replicas_view& current, int surplus, spread& on_node,
                 std::vector<std::string>& into) {
  replicas_view idle;
  for (auto* x : current)
    if (x->missing || (x->assessed && !x->available))
      idle.push_back(x);
  choose(idle, std::min(surplus, static_cast<int>(idle.size())), on_node, into);
}

/// The template that most of those that serve have, as `plan::of` names it; the newest, if that has as
/// many, or if none serves. Of which nothing was heard yet are asked only if none is known to serve.
std::string serving(const replicas_view& all) {
  std::map<std::string, std::pair<int, int>> found;
  for (auto* x : all)
    if ((x->current || !x->earlier.empty()) && !is_known_unready(*x))
      ++(x->ready ? found[x->earlier].first : found[x->earlier].second);
  std::string result;
  std::pair most{0, 0};
  for (const auto& [of, count] : found) // the newest first
    if (count > most) {
      most = count;
      result = of;
    }
  return result;
}

/// Who is known not to serve first, then of the template that most have, the earlier if as many.
void end_of_all(const replicas_view& all, int count, spread& on_node,
                std::vector<std::string>& into) {
  replicas_view idle;
  std::map<std::pair<bool, std::string>, replicas_view> serving;
  for (auto* x : all)
    (is_known_unready(*x) ? idle : serving[{x->current, x->earlier}]).push_back(x);
  auto first = std::min(count, static_cast<int>(idle.size()));
  choose(idle, first, on_node, into);
  auto fewer = [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); };
  for (count -= first; count > 0; --count)
    choose(std::max_element(serving.begin(), serving.end(), fewer)->second, 1, on_node, into);
}

/// No template takes the place of another. What a rollout had made by then stays, surge and all;
/// otherwise their number is looked at, and whether they serve.
plan plan_paused(const resource& what, int wanted, replicas_view all, int leaving,
                 spread& on_node) {
  plan result;
  auto exclusive = is_exclusive(what);
  auto recreate = what.deployment().strategy() == "Recreate";
  auto in_rollout = std::any_of(all.begin(), all.end(), [&](const replica* x) {
    return x->current != all.front()->current || x->earlier != all.front()->earlier;
  });
  auto most = wanted;
  if (in_rollout && wanted > 0 && !exclusive && !recreate)
    most += leeway_of(what.deployment()).surge;
  auto of = serving(all);
  auto idle = std::count_if(all.begin(), all.end(), [&](const replica* x) {
    return x->earlier != of && is_known_unready(*x);
  });
  auto have = static_cast<int>(all.size());
  auto lacking = wanted - have + static_cast<int>(idle);
  auto room = most - have - (exclusive ? leaving : 0);
  if (!recreate || exclusive || leaving == 0)
    result.name = std::clamp(lacking, 0, std::max(0, room));
  if (result.name > 0)
    result.of = of;
  end_of_all(all, have - most, on_node, result.end);
  return result;
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
  if (what.deployment().paused()) {
    current.insert(current.end(), old.begin(), old.end());
    auto paused = plan_paused(what, wanted, std::move(current), leaving, on_node);
    paused.end.insert(paused.end.begin(), result.end.begin(), result.end.end());
    return paused;
  }
  auto recreate = !what.has_deployment() || what.deployment().strategy() == "Recreate";
  choose(current, static_cast<int>(current.size()) - wanted, on_node, result.end);
  auto have = static_cast<int>(current.size());
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
  auto most = wanted + leeway_of(spec).surge;
  auto room = old.empty() ? wanted - have : most - have - static_cast<int>(old.size());
  result.name = std::clamp(room, 0, std::max(0, wanted - have));
  auto left = end_old(spec, current, old, on_node, result.end);
  end_surplus(current, have + left - most, on_node, result.end);
  return result;
}

} // namespace legion::keeper
