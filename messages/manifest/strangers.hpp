/// Files of other tools, and manifests that are not finished: what they look like, said once.
///
/// Shape:  guesses by the look of the text; asked only about what is no manifest anyway, so that a
///         wrong guess refuses nothing that would have been taken.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "messages/manifest/yaml_tree.hpp"

namespace legion::manifest {

/// Of a text that is broken YAML, or no map: the one thing to say in place of all others.
std::optional<broken> stranger(std::string_view text);

/// Of a map without the kind of a Kubernetes object: "it looks like ..., ..."; empty: no idea.
std::string tool_of(const node& document);

} // namespace legion::manifest
