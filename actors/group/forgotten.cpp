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

std::vector<std::string> still_current(const state& of, const report& x) {
  std::vector<std::string> result;
  for (const auto& y : x.assessments()) {
    const auto* known = y.salvaged() && !of.gathering() ? of.find(key_of(y.of())) : nullptr;
    if (!known)
      continue;
    auto i = known->slots.find(y.slot().uid());
    if (i == known->slots.end() || i->second.phase != slot_phase::accepted
        || i->second.node.bytes() != x.node())
      continue;
    const auto& mine = i->second.what.order();
    if (mine.incarnation() == y.slot().order().incarnation()
        && mine.index() == y.slot().order().index())
      result.push_back(y.slot().uid());
  }
  return result;
}

} // namespace legion::group
