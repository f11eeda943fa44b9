/// Checks one document against the field table: types, needs, known values and ranges of every
/// field.
///
/// Errors: an unknown field comes with the nearest known one; what is known but not honoured yet is
///         a warning at its place, once for a whole subtree.
#pragma once

#include "messages/manifest/complaints.hpp"
#include "messages/manifest/fields.hpp"
#include "messages/manifest/yaml_tree.hpp"

namespace legion::manifest {

/// `path` is what leads to the document, as in "items[2]"; mostly empty.
void check_fields(const node& document, const type_rule& type, const std::string& path,
                  complaints& to);

} // namespace legion::manifest
