#pragma once

#include <string>
#include <variant>

#include "actors/group/state.hpp"
#include "messages/random.hpp"

namespace legion::group {

/// What an author's request comes to: an answer at once, or an entry to commit and what to answer
/// then.
using admission = std::variant<group_reply, group_entry>;

/// Decides on put, remove and scale against the state as it is committed; one at a time per group.
///
/// Shape:  generation rises with each change of the specification; the resource version is the
///         index of the entry that changed anything.
/// Errors: not_found, conflict (naming both versions), invalid, unsupported, too_large (naming the
///         limit). A request that was applied before is answered as it was then.
admission admit(const state& of, const group_request& x, wall_ms now, seeded_random& random);

/// A request's refusal, ready to send.
group_reply refused(const group_request& x, refusal_code code, std::string detail);

/// A random (version 4) UUID.
std::string random_uid(seeded_random& random);

} // namespace legion::group
