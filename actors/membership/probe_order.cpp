#include "actors/membership/probe_order.hpp"

#include <algorithm>

namespace legion::membership {

void probe_order::add(const node_id& x, std::mt19937_64& random) {
  auto at = random() % (members_.size() + 1);
  members_.insert(members_.begin() + static_cast<std::ptrdiff_t>(at), x);
  if (at < next_)
    ++next_;
}

void probe_order::remove(const node_id& x) {
  auto i = std::find(members_.begin(), members_.end(), x);
  if (i == members_.end())
    return;
  if (static_cast<std::size_t>(i - members_.begin()) < next_)
    --next_;
  members_.erase(i);
}

std::optional<node_id> probe_order::next(std::mt19937_64& random) {
  if (members_.empty())
    return std::nullopt;
  if (next_ >= members_.size()) {
    for (auto i = members_.size() - 1; i > 0; --i)
      std::swap(members_[i], members_[random() % (i + 1)]);
    next_ = 0;
  }
  return members_[next_++];
}

} // namespace legion::membership
