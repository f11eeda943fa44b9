#pragma once

#include <cstdint>
#include <string>

#include "messages/negotiation.pb.h"

namespace legion::placement {

/// What one replica of a template asks of a node.
capacity demand_of(const pod_template& x);

/// How well an offer serves, the node's replicas of the resource aside: those come first, see
/// `round`.
struct grade {
  int points = 0;     // 0 (worst) to 1000 (best)
  std::string detail; // what they come from, with numbers
};

/// Up to 600 for what stays free of cpu and memory once `replicas` of this demand are there, up to
/// 200 for preferred terms (100 weight gives all), 200 less 100 for each soft taint.
grade grade_of(const offer& x, const capacity& demand, std::uint32_t replicas);

/// The same without its words: what choosing among many needs.
int points_of(const offer& x, const capacity& demand, std::uint32_t replicas);

} // namespace legion::placement
