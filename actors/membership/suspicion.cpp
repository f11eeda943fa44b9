#include "actors/membership/suspicion.hpp"

#include <algorithm>
#include <cmath>

namespace legion::membership {

suspicion::suspicion(const node_id& accuser, std::size_t wanted, milliseconds min, milliseconds max,
                     time_point now)
    : accusers_{accuser}, wanted_(wanted), min_(min), max_(max), since_(now) {}

bool suspicion::accused_by(const node_id& x) const {
  return std::find(accusers_.begin(), accusers_.end(), x) != accusers_.end();
}

bool suspicion::confirm(const node_id& by) {
  if (confirmed() || accused_by(by))
    return false;
  accusers_.push_back(by);
  return true;
}

milliseconds suspicion::timeout() const {
  if (wanted_ == 0)
    return min_; // nobody else could confirm
  auto confirmations = static_cast<double>(accusers_.size() - 1);
  auto share = std::log(confirmations + 1) / std::log(static_cast<double>(wanted_) + 1);
  auto span = static_cast<double>((max_ - min_).count());
  auto left = milliseconds{static_cast<milliseconds::rep>(std::floor(span * (1 - share)))};
  return min_ + std::max(left, milliseconds{0});
}

} // namespace legion::membership
