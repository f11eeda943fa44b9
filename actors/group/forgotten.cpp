#include "actors/group/forgotten.hpp"

namespace legion::group {

std::vector<slot> forgotten(const state& of, const report& x) {
  std::vector<slot> result;
  for (const auto& y : x.assessments()) {
    const auto& order = y.slot().order();
    auto decided = order.index() > 0 && order.index() <= of.index()
                   && order.incarnation() == of.incarnation() && !of.gathering();
    if (!decided || result.size() == most_forgotten)
      continue;
    const auto* known = of.find(key_of(y.of()));
    if (!known || !known->slots.contains(y.slot().uid()))
      result.push_back(y.slot());
  }
  return result;
}

} // namespace legion::group
