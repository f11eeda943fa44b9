#pragma once

#include <string>

#include "messages/api.pb.h"
#include "messages/time.hpp"

/// What describe prints: everything known of one thing, in words. A description ends with
/// the last 20 events.
namespace legion::console {

std::string describe_charter(const charter_view& x);
std::string describe_node(const node_view& x, wall_ms now);
std::string describe_deployment(const resource_view& x, wall_ms now);
std::string describe_pod(const pod_view& x, const resource_view& of, wall_ms now);
std::string describe_promise(const assessment& x, const api_reply& all, wall_ms now);

/// Every thing of a kind in a reply, with an empty line between.
std::string describe(const std::string& kind, const api_reply& x, wall_ms now);

} // namespace legion::console
