#pragma once

#include <string>

#include <doctest/doctest.h>

#include "messages/manifest/manifest.hpp"

/// Manifests as tests write them, and what is told of them.
namespace legion::manifest_texts {

/// Lines of a pod's spec at column 3, from line 5 on.
inline std::string pod_with(const std::string& lines) {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n" + lines;
}

/// Lines of a container at column 5, from line 7 on.
inline std::string container_with(const std::string& lines) {
  return pod_with("  containers:\n  - name: a\n" + lines);
}

inline std::string with_command(const std::string& lines) {
  return container_with("    command: [a]\n" + lines); // from line 8 on
}

inline std::string deployment_with(const std::string& spec_lines) { // from line 6 on, at column 2
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n" + spec_lines
         + " template:\n  metadata: {labels: {tier: front, app: web}}\n"
           "  spec: {containers: [{name: a, command: [a]}]}\n";
}

/// Everything told, one a line, without the file's name.
inline std::string told(const std::string& text) {
  std::string all;
  for (const auto& d : manifest::read({{"f", text}}).diagnostics)
    all += (all.empty() ? "" : "\n") + d.text().substr(2);
  return all;
}

inline resource only(const std::string& text) {
  auto x = manifest::read({{"f", text}});
  for (const auto& d : x.diagnostics)
    if (!d.warning())
      FAIL_CHECK(d.text());
  REQUIRE(x.resources.size() == 1);
  return x.resources[0];
}

inline container first_container(const std::string& text) {
  return only(text).pod().containers(0);
}

} // namespace legion::manifest_texts
