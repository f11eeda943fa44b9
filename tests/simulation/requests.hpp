#pragma once

#include <algorithm>
#include <string>

#include "runtime/simulator/cluster.hpp"

/// What tests of whole clusters ask for.
namespace legion::requests {

inline simulator::cluster_options sized(std::uint32_t nodes, std::uint64_t seed) {
  simulator::cluster_options result;
  result.nodes = nodes;
  result.seed = seed;
  return result;
}

/// A document. `spec`: more lines of it, each indented by two.
inline std::string deployment(const std::string& name, int replicas, const std::string& spec = {},
                              const std::string& command = "server") {
  return "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name
         + "}\nspec:\n  replicas: " + std::to_string(replicas) + "\n" + spec
         + "  template:\n    metadata: {labels: {app: x}}\n    spec:\n"
           "      containers: [{name: main, command: ["
         + command + "]}]\n";
}

inline api_request apply(std::string text) {
  api_request x;
  x.set_version(1);
  x.mutable_apply()->set_namespace_("default");
  auto& file = *x.mutable_apply()->add_files();
  file.set_name("x.yaml");
  file.set_text(std::move(text));
  return x;
}

/// All of that kind, or the one of that name.
inline api_request get(const std::string& kind, const std::string& name = {}) {
  api_request x;
  x.set_version(1);
  x.mutable_get()->set_kind(kind);
  x.mutable_get()->set_namespace_("default");
  if (!name.empty())
    x.mutable_get()->add_names(name);
  return x;
}

inline api_request scale(const std::string& name, int replicas) {
  api_request x;
  x.set_version(1);
  auto& whom = *x.mutable_scale()->mutable_name();
  whom.set_kind("Deployment");
  whom.set_namespace_("default");
  whom.set_name(name);
  x.mutable_scale()->set_replicas(replicas);
  return x;
}

inline api_request cordon(const std::string& node, bool yes) {
  api_request x;
  x.set_version(1);
  x.mutable_cordon()->set_node(node);
  x.mutable_cordon()->set_cordoned(yes);
  return x;
}

/// So many resources were asked for, and each was done.
inline bool all_done(const result<api_reply>& x, int count) {
  return x && !x->has_refused() && x->results_size() == count
         && std::none_of(x->results().begin(), x->results().end(),
                         [](const put_result& y) { return y.has_refused(); });
}

} // namespace legion::requests
