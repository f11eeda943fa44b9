/// The author's document as JSON: what -o yaml shows, with the fields that are not honoured yet.
#pragma once

#include <string>

#include "messages/manifest/yaml_tree.hpp"

namespace legion::manifest {

/// One line, keys in the author's order, fields that are null left out.
std::string to_json(const node& document);

} // namespace legion::manifest
