#pragma once

#include <string_view>

#include "messages/ids.hpp"

namespace legion {

/// The id of the node that has this CURVE key: the first 16 bytes of its BLAKE2b-256.
///
/// Errors: the null id unless the key has 32 bytes.
node_id identify(std::string_view public_key);

} // namespace legion
