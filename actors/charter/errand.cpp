#include "actors/charter/errand.hpp"

namespace legion::charter {

namespace {

constexpr std::size_t most_asked = 8;

} // namespace

std::optional<node_id> errand::next() {
  if (asked_.size() >= most_asked)
    return std::nullopt;
  if (auto x = std::exchange(named_, std::nullopt); x && asked_.insert(*x).second)
    return x;
  for (const auto& x : voters_)
    if (asked_.insert(x).second)
      return x;
  return std::nullopt;
}

bool errand::on(const charter_reply& x) {
  if (!x.has_refused() || x.refused().code() != refusal_elsewhere)
    return true;
  auto leader = node_id::from_bytes(x.leader());
  if (!leader.null())
    named_ = leader;
  return false;
}

} // namespace legion::charter
