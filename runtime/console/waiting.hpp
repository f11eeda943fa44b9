#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "runtime/console/conversation.hpp"

namespace legion::console {

/// Waits until what was applied is as wanted, and shows how far it is: one line that changes on a
/// terminal, a line per change elsewhere.
///
/// Errors: `exit_unknown` at the time-out, with what is missing; a node that cannot be reached
///         meanwhile is asked again.
int wait_for(conversation& with, const std::vector<put_result>& applied,
             std::chrono::milliseconds timeout);

/// What is missing for a resource to be as it was applied, in one line; empty when nothing is.
std::string still_missing(const resource_view& x, const put_result& applied);

} // namespace legion::console
