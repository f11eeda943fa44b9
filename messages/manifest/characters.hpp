/// What no YAML holds: bytes that are not UTF-8, control characters.
///
/// Source: YAML 1.2, 5.1; RFC 3629.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "messages/manifest/yaml_tree.hpp"

namespace legion::manifest {

/// The first of them; nothing: the text is clean.
std::optional<broken> check_characters(std::string_view text);

/// yaml-cpp 0.7 turns the escapes \N and \_ into the bytes 0x85 and 0xA0 instead of U+0085 and
/// U+00A0.
void mend_escapes(std::string& text);

} // namespace legion::manifest
