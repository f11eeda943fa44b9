#pragma once

#include <string>
#include <variant>

#include "actors/broken_rule.hpp"
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
admission admit(const state& of, const group_request& x, wall_ms now, seeded_random& random,
                broken_rule broken = broken_rule::none);

/// What is kept of a backup goes back; the others of the request are answered for themselves.
///
/// Errors: of the request: `invalid`. Of a resource: conflict (it is there and differs, or is still
///         being deleted), invalid, too_large.
admission admit_restore(const state& of, const group_request& x, wall_ms now);

/// What a state may take: its snapshot must fit into one batch of the journal (8 MiB) beside the
/// entries that ride with it.
inline constexpr std::size_t max_state_bytes = 5 * 1024 * 1024;
/// What one resource may take, without its replicas: an entry must fit into a frame.
inline constexpr std::size_t max_resource_bytes = 920 * 1024;
/// What a resource takes, with all its replicas.
std::size_t bytes_of(const resource& x);
/// The same but for what the group gives: uid, versions, times.
bool same_resource(const resource& a, const resource& b);
/// Of those that are the same, the generation stays.
bool same_specification(const resource& a, const resource& b);

/// A request's refusal, ready to send.
group_reply refused(const group_request& x, refusal_code code, std::string detail);

/// A random (version 4) UUID.
std::string random_uid(seeded_random& random);

} // namespace legion::group
