/// What a scalar means, and how it is shown to a person.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "messages/manifest/yaml_tree.hpp"

namespace legion::manifest {

/// What an unquoted scalar is; `yes`, `on`, `True` and their like are strings.
node_kind resolve_plain(std::string_view text);

/// The words that YAML 1.1 took for booleans, `True` and `FALSE` included.
bool was_boolean(std::string_view text);

/// A whole number as Kubernetes reads it: decimal, 0x, 0o, 0b, and octal with a leading 0.
/// Nothing: it does not fit 64 bits.
std::optional<std::int64_t> to_integer(std::string_view text);

/// A point in time as RFC 3339 writes it, with T and Z in upper case as Go wants them.
bool is_time(std::string_view text);

/// The number of a quantity: as it stands, but for whole ones that YAML reads otherwise (0x10 is 16).
std::string quantity_text(const node& x);

/// For messages: `"three"`, 12, true, a list, a map; cut short at 60 characters.
std::string shown(const node& x);

/// JSON's way of writing a string, quotes included.
void append_quoted(std::string& out, std::string_view text);

} // namespace legion::manifest
