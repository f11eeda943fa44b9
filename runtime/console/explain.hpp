#pragma once

#include <string>

#include "messages/api.pb.h"
#include "messages/time.hpp"

/// What `why` prints.
namespace legion::console {

/// "n2 (leads), n1, n3 (not heard): 2 of 3 are up, still a quorum".
std::string quorum_text(const google::protobuf::RepeatedPtrField<keeper_member>& members);

/// The rounds of negotiation that decided where a pod went.
std::string explain(const explanation& x, wall_ms now);

} // namespace legion::console
