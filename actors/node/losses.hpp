#pragma once

#include <string>
#include <vector>

#include "messages/api.pb.h"
#include "messages/envelope.pb.h"

namespace legion::node {

/// The bridge's word for a loss as people read it; `failure_none` is a gap that the receiver saw.
std::string word_of(failure x);

/// Into the view, most first, at most 32; what adds up to nothing is left out.
void add_losses(node_view& to, std::vector<lost_messages> all);

} // namespace legion::node
