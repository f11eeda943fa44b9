#include "actors/placement/constraints.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace legion::placement {

namespace {

constexpr std::string_view unschedulable = "node.kubernetes.io/unschedulable";

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t result = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return result;
}

const std::string* find(const std::vector<label>& sorted, std::string_view key) {
  auto i = std::lower_bound(sorted.begin(), sorted.end(), key,
                            [](const label& x, std::string_view k) { return x.key() < k; });
  return i != sorted.end() && i->key() == key ? &i->value() : nullptr;
}

template <class Tolerations>
bool tolerated(const taint& x, const Tolerations& by) {
  return std::any_of(by.begin(), by.end(), [&](const auto& y) { return tolerates(y, x); });
}

std::string text_of(const taint& x) {
  return x.value().empty() ? x.key() + ":" + x.effect()
                           : x.key() + "=" + x.value() + ":" + x.effect();
}

fit declined(decline_reason reason, std::string detail) {
  fit result;
  result.reason = reason;
  result.detail = std::move(detail);
  return result;
}

/// What a process without root cannot have, named; empty if nothing.
std::string needs_root(const pod_spec& spec, const self_description& node) {
  auto other = [](const container& of, const char* field, std::int64_t wanted, std::int64_t here) {
    return "container " + of.name() + " sets " + field + " " + std::to_string(wanted)
           + ", the node runs as " + std::to_string(here);
  };
  for (const auto& x : spec.containers()) {
    if (x.has_run_as_user() && x.run_as_user() != node.user)
      return other(x, "runAsUser", x.run_as_user(), node.user);
    if (x.has_run_as_group() && x.run_as_group() != node.group)
      return other(x, "runAsGroup", x.run_as_group(), node.group);
    for (const auto& port : x.ports())
      if (port.host_port() > 0 && port.host_port() < 1024)
        return "container " + x.name() + " wants hostPort " + std::to_string(port.host_port());
  }
  return {};
}

fit judge_runtime(const pod_spec& spec, const self_description& node) {
  auto driver = driver_for(spec, node.drivers);
  if (std::find(node.drivers.begin(), node.drivers.end(), driver) == node.drivers.end()) {
    auto have = std::string{};
    for (const auto& x : node.drivers)
      have += (have.empty() ? "" : ", ") + x;
    return declined(decline_runtime, "runtime: needs " + driver + ", has " + have);
  }
  if (auto why = node.root ? std::string{} : needs_root(spec, node); !why.empty())
    return declined(decline_runtime, "runtime: " + why + ": that needs root");
  return {};
}

fit judge_taints(const pod_spec& spec, const self_description& node) {
  fit result;
  for (const auto& x : node.taints) {
    if (tolerated(x, spec.tolerations()))
      continue;
    if (x.effect() == "PreferNoSchedule")
      ++result.untolerated_soft_taints;
    else
      return declined(decline_taint, "taint: " + text_of(x) + " is not tolerated");
  }
  return result;
}

} // namespace

const taint* drives_out(const pod_spec& spec, const std::vector<taint>& taints) {
  auto i = std::find_if(taints.begin(), taints.end(), [&](const taint& x) {
    return x.effect() == "NoExecute" && !tolerated(x, spec.tolerations());
  });
  return i == taints.end() ? nullptr : &*i;
}

bool tolerates(const toleration& x, const taint& of) {
  if (!x.effect().empty() && x.effect() != of.effect())
    return false;
  if (!x.key().empty() && x.key() != of.key())
    return false;
  if (x.operator_() == "Exists")
    return true;
  return !x.key().empty() && (x.operator_().empty() || x.operator_() == "Equal")
         && x.value() == of.value();
}

bool matches(const selector_requirement& x, const std::string* value) {
  auto listed = [&] {
    return std::find(x.values().begin(), x.values().end(), *value) != x.values().end();
  };
  if (x.operator_() == "Exists")
    return value != nullptr;
  if (x.operator_() == "DoesNotExist")
    return value == nullptr;
  if (x.operator_() == "In")
    return value && listed();
  if (x.operator_() == "NotIn")
    return !value || !listed();
  if (!value || x.values_size() != 1)
    return false;
  auto here = whole_number(*value);
  auto limit = whole_number(x.values(0));
  if (!here || !limit)
    return false;
  if (x.operator_() == "Gt")
    return *here > *limit;
  return x.operator_() == "Lt" && *here < *limit;
}

bool matches(const selector_term& term, const self_description& node) {
  if (term.match_expressions().empty() && term.match_fields().empty())
    return false;
  for (const auto& x : term.match_expressions())
    if (!matches(x, find(node.labels, x.key())))
      return false;
  for (const auto& x : term.match_fields())
    if (!matches(x, x.key() == "metadata.name" ? &node.name : nullptr))
      return false;
  return true;
}

std::string driver_for(const pod_spec& what, const std::vector<std::string>& drivers) {
  if (!what.runtime_class_name().empty())
    return what.runtime_class_name();
  return drivers.empty() ? "process" : drivers.front();
}

fit judge(const pod_template& what, const self_description& node) {
  const auto& spec = what.spec();
  if (node.draining)
    return declined(decline_draining, "draining: " + node.name + " ends its replicas");
  if (!spec.node_name().empty() && spec.node_name() != node.name)
    return declined(decline_node_name,
                    "nodeName: needs node " + spec.node_name() + ", this is node " + node.name);
  taint cordon;
  cordon.set_key(std::string{unschedulable});
  cordon.set_effect("NoSchedule");
  if (node.cordoned && !tolerated(cordon, spec.tolerations()))
    return declined(decline_cordoned, "cordoned: takes no new replicas");
  for (const auto& x : spec.node_selector()) {
    auto* here = find(node.labels, x.key());
    if (!here || *here != x.value())
      return declined(decline_selector,
                      "nodeSelector: needs " + x.key() + "=" + x.value() + ", "
                          + (here ? "has " + x.key() + "=" + *here : "has no label " + x.key()));
  }
  const auto& terms = spec.required_node_terms();
  if (!terms.empty()
      && std::none_of(terms.begin(), terms.end(), [&](const auto& x) { return matches(x, node); }))
    return declined(decline_affinity, "nodeAffinity: none of " + std::to_string(terms.size())
                                          + " required terms matches");
  if (auto x = judge_runtime(spec, node); !x.fits())
    return x;
  auto result = judge_taints(spec, node);
  for (const auto& x : spec.preferred_node_terms())
    // Kubernetes: an empty preferred term matches every node.
    if ((x.preference().match_expressions().empty() && x.preference().match_fields().empty())
        || matches(x.preference(), node))
      result.preference += x.weight();
  return result;
}

} // namespace legion::placement
