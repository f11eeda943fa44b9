#pragma once

#include <algorithm>
#include <array>
#include <functional>

#include "actors/consensus/configuration.hpp"

namespace legion::consensus {

/// The highest value that a majority has reached; `of` says what one voter has.
template <class Value, class Of>
Value agreed(const std::vector<member_id>& voters, Of of) {
  if (voters.empty() || voters.size() > configuration::most_voters)
    return Value{};
  std::array<Value, configuration::most_voters> values{};
  auto end = std::transform(voters.begin(), voters.end(), values.begin(), of);
  auto middle = values.begin() + voters.size() / 2;
  std::nth_element(values.begin(), middle, end, std::greater<>{});
  return *middle;
}

/// While two configurations decide, both must have reached it (4.3).
template <class Value, class Of>
Value agreed(const configuration& x, Of of) {
  auto value = agreed<Value>(x.voters, of);
  return x.joint() ? std::min(value, agreed<Value>(x.outgoing, of)) : value;
}

/// A majority (while joint: of both) for which this holds.
template <class Holds>
bool quorum(const configuration& x, Holds holds) {
  return agreed<int>(x, [&](const member_id& who) { return holds(who) ? 1 : 0; }) == 1;
}

} // namespace legion::consensus
