#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "actors/group/state.hpp"
#include "messages/evidence.pb.h"

namespace legion::group {

/// Most slots that one report is answered about; the next one tells of the others.
inline constexpr std::size_t most_forgotten = 256;

/// Of what a node says that it holds, the slots that it must have let go before: this log has the
/// entry that accepted them, and knows them no more. Its journal is an old copy.
///
/// Nothing is said of what this log may not know yet, or of before it was raised.
std::vector<slot> forgotten(const state& of, const report& x);

/// The uids of promises from before a journal was lost that are what this log says of their slots.
std::vector<std::string> still_current(const state& of, const report& x);

} // namespace legion::group
