#include "actors/promise/renewal.hpp"

#include <algorithm>

namespace legion::promise {

void renewals::add(const std::string& uid, std::uint32_t group) {
  leases_.try_emplace(uid, lease{group, 0});
  ask_at_[group] = 0; // at once: it waits to be launched
}

void renewals::remove(const std::string& uid) {
  auto node = leases_.extract(uid);
  if (!node)
    return;
  auto group = node.mapped().group;
  if (std::none_of(leases_.begin(), leases_.end(),
                   [&](const auto& x) { return x.second.group == group; }))
    ask_at_.erase(group);
}

std::vector<renewals::ask> renewals::due(std::int64_t now_ms) {
  std::erase_if(sent_, [&](const sent& x) { return x.at + lease_.count() <= now_ms; });
  std::vector<ask> result;
  for (auto& [group, at] : ask_at_) {
    if (at > now_ms)
      continue;
    at = now_ms + again_.count();
    auto& x = result.emplace_back();
    x.group = group;
    x.sequence = next_sequence_++;
    for (const auto& [uid, y] : leases_)
      if (y.group == group)
        x.uids.push_back(uid);
    sent_.push_back({x.sequence, now_ms, group});
  }
  return result;
}

std::int64_t renewals::next_due() const {
  std::int64_t result = -1;
  for (const auto& [group, at] : ask_at_)
    if (result < 0 || at < result)
      result = at;
  return result;
}

std::vector<renewals::renew> renewals::on_answer(std::uint64_t sequence,
                                                 const std::vector<std::string>& uids,
                                                 std::int64_t now_ms) {
  std::vector<renew> result;
  auto asked = std::find_if(sent_.begin(), sent_.end(),
                            [&](const sent& x) { return x.sequence == sequence; });
  if (asked == sent_.end())
    return result;
  auto until = asked->at + lease_.count();
  if (until <= now_ms)
    return result;
  for (const auto& uid : uids) {
    auto i = leases_.find(uid);
    if (i == leases_.end() || i->second.group != asked->group || i->second.until >= until)
      continue;
    i->second.until = until;
    result.push_back({uid, until});
  }
  return result;
}

std::int64_t renewals::until(const std::string& uid) const {
  auto i = leases_.find(uid);
  return i == leases_.end() ? 0 : i->second.until;
}

} // namespace legion::promise
