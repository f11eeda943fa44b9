#include "actors/keeper/lease.hpp"

#include <algorithm>
#include <utility>

namespace legion::keeper {

bool is_exclusive(const resource& what) {
  const auto& about = what.has_pod() ? what.metadata() : what.deployment().template_().metadata();
  return std::any_of(about.annotations().begin(), about.annotations().end(), [](const label& x) {
    return x.key() == exclusive_annotation && x.value() == "true";
  });
}

milliseconds lease_times::term_before(milliseconds pod_grace) const {
  // At least half of the lease is for work, or a renewal in time would find it ending.
  return std::clamp(pod_grace, milliseconds{0}, lease / 2);
}

time_point lease_over(std::uint32_t lease_ms, time_point renewed) {
  lease_times times;
  times.lease = milliseconds{lease_ms};
  times.drift = std::max(times.drift, times.lease / 100);
  return renewed + times.wait();
}

bool lease_desk::on_ask(ask x) {
  auto i = waiting_.find(x.from);
  if (i == waiting_.end() && waiting_.size() + riding_.size() >= most_asks)
    return false;
  if (i != waiting_.end() && i->second.sequence > x.sequence)
    return true; // late: the newer one counts
  auto from = x.from;
  waiting_.insert_or_assign(from, std::move(x));
  return true;
}

void lease_desk::round_begins(std::uint64_t round) {
  // An older ask of the same node that still rides is superseded: the newer one's time is better.
  for (auto& [from, x] : std::exchange(waiting_, {}))
    riding_.insert_or_assign(from, std::pair{round, std::move(x)});
}

std::vector<lease_desk::ask> lease_desk::round_confirmed(std::uint64_t round) {
  std::vector<ask> result;
  std::erase_if(riding_, [&](auto& x) {
    if (x.second.first > round)
      return false;
    result.push_back(std::move(x.second.second));
    return true;
  });
  return result;
}

void lease_desk::deposed() {
  waiting_.clear();
  riding_.clear();
}

} // namespace legion::keeper
