#pragma once

#include <map>

#include "actors/group/state.hpp"
#include "messages/keeping.pb.h"

namespace legion::group {

/// A read's answer goes in pages: that of one node's 64 groups is under way to another at once.
inline constexpr std::size_t page_bytes = 32 * 1024;
inline constexpr std::size_t page_bytes_of_one = 512 * 1024; // or within one resource

/// Whether the page that is asked for, or a later one, has this resource.
bool is_ahead(const resource_key& key, const read_resources& wish);

/// As many of these as one page takes, the first that is asked for before all, and where to go on.
///
/// Shape: at least one resource, and of that at least one pod, whatever their size. A resource that
///        has no room on one page is split between its pods, in the order of their names; all but
///        its first part have nothing but its name and pods.
/// Units: `more` says that there are resources behind those of `found`.
resource_views page_of(std::map<resource_key, resource_view> found, const read_resources& wish,
                       bool more);

} // namespace legion::group
