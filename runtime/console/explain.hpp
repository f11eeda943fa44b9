#pragma once

#include <string>
#include <utility>

#include "messages/api.pb.h"
#include "messages/time.hpp"

/// What `why` prints.
namespace legion::console {

/// How many of those that decide are heard, and how many decide.
std::pair<int, int> votes_of(const google::protobuf::RepeatedPtrField<keeper_member>& members);

/// "n2 (leads), n1, n3 (not heard): 2 of 3 are up, still a quorum".
std::string quorum_text(const google::protobuf::RepeatedPtrField<keeper_member>& members);

/// The rounds of negotiation that decided where a pod went.
std::string explain(const explanation& x, wall_ms now);

} // namespace legion::console
