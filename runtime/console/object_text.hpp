#pragma once

#include <string>

#include "runtime/console/objects.hpp"

/// How an object is written.
namespace legion::console {

std::string to_json(const json& x);
/// Strings are quoted wherever any version of YAML would read something else.
std::string to_yaml(const json& x);

} // namespace legion::console
