#pragma once

#include <map>
#include <string>
#include <vector>

#include "actors/node/commitments.hpp"
#include "messages/api.pb.h"
#include "messages/keeping.pb.h"

namespace legion::node {

/// What a page of held promises may take, beside the resource that takes it over.
inline constexpr std::size_t held_page_bytes = 256 * 1024;

/// How much is promised here to each keeper group, in their order. `terms`: the highest heard of
/// each, which may be of an incarnation that nothing is promised to yet.
std::vector<group_holding> holdings_of(const commitments& all,
                                       const std::map<std::uint32_t, std::uint64_t>& terms);

/// The promises that this node holds of one group, each with its resource, as it is known best
/// here: what a group can be raised from when its log is lost.
///
/// Shape:  a page has whole resources, in the order of their names; `next` goes on where it ends.
///         Those that are not on disk yet are among them: whoever relies on them asks again.
/// Errors: `after` is a stranger's text: any sorts somewhere.
held_promises held_of(const commitments& all, std::uint32_t group, const std::string& after);

} // namespace legion::node
