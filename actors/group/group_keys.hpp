#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/ids.hpp"
#include "messages/journal.pb.h"

namespace legion::group {

/// What the keys of a keeper group's records begin with: "group/<g>/".
std::string key_prefix(group_id group);

/// The keeper group whose record this is, from "group/<g>/...".
std::optional<group_id> group_of_key(std::string_view key);

/// Bit g: by the journal, this node is in group g; so does one whose records do not read.
std::uint64_t groups_in(const std::vector<record>& journal);

} // namespace legion::group
