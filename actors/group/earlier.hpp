#pragma once

#include <cstddef>

#include "actors/group/state.hpp"

/// What replicas were made from that are not of the newest template: `get` and `describe` tell of what
/// runs, not of what will.
namespace legion::group {

/// Most templates that are kept beside the newest, and most bytes of them; beyond them the oldest go.
inline constexpr std::size_t most_earlier = 8;
inline constexpr std::size_t most_earlier_bytes = 512 * 1024;

/// Before `next` takes the place of the resource.
void keep_earlier(resource_state& of, const resource& next);

/// Those of which no replica is left.
void forget_earlier(resource_state& of);

std::size_t bytes_of_earlier(const resource_state& of);

} // namespace legion::group
