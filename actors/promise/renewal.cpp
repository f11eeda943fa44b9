#include "actors/promise/renewal.hpp"

#include <algorithm>

namespace legion::promise {

void renewals::add(const std::string& uid, std::uint32_t group, const node_id& keeper,
                   milliseconds length) {
  longest_ = std::max<std::int64_t>(longest_, length.count());
  leases_.try_emplace(uid, lease{group, length.count(), 0});
  auto& seat = seats_.try_emplace(group).first->second;
  if (seat.leader.null())
    seat.leader = keeper;
  seat.ask_at = 0; // at once: it waits to be launched
}

void renewals::remove(const std::string& uid) {
  auto node = leases_.extract(uid);
  if (!node)
    return;
  auto group = node.mapped().group;
  if (std::none_of(leases_.begin(), leases_.end(),
                   [&](const auto& x) { return x.second.group == group; }))
    seats_.erase(group);
}

std::vector<renewals::ask> renewals::due(std::int64_t now_ms) {
  while (!sent_.empty() && (sent_.front().at + longest_ <= now_ms || sent_.size() >= most_sent))
    sent_.pop_front();
  std::vector<ask> result;
  for (auto& [group, seat] : seats_) {
    if (seat.ask_at > now_ms)
      continue;
    seat.ask_at = now_ms + again_.count();
    auto& x = result.emplace_back();
    x.group = group;
    x.to = seat.leader;
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
  for (const auto& [group, seat] : seats_)
    if (result < 0 || seat.ask_at < result)
      result = seat.ask_at;
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
  if (auto i = seats_.find(asked->group); i != seats_.end())
    i->second.hurried = false;
  for (const auto& uid : uids) {
    auto i = leases_.find(uid);
    if (i == leases_.end() || i->second.group != asked->group)
      continue;
    auto until = asked->at + i->second.length;
    if (until <= now_ms || i->second.until >= until)
      continue;
    i->second.until = until;
    result.push_back({uid, until});
  }
  return result;
}

void renewals::on_refused(std::uint64_t sequence, const node_id& leader,
                          const std::vector<node_id>& keepers, std::int64_t now_ms) {
  auto asked = std::find_if(sent_.begin(), sent_.end(),
                            [&](const sent& x) { return x.sequence == sequence; });
  if (asked == sent_.end())
    return;
  auto i = seats_.find(asked->group);
  if (i == seats_.end())
    return;
  auto& seat = i->second;
  auto next = leader;
  if (next.null() && !keepers.empty()) {
    auto present = std::find(keepers.begin(), keepers.end(), seat.leader);
    next =
        present == keepers.end() || present + 1 == keepers.end() ? keepers.front() : *(present + 1);
  }
  if (next.null() || next == seat.leader)
    return;
  seat.leader = next;
  if (!seat.hurried)
    seat.ask_at = now_ms;
  seat.hurried = true;
}

std::int64_t renewals::until(const std::string& uid) const {
  auto i = leases_.find(uid);
  return i == leases_.end() ? 0 : i->second.until;
}

} // namespace legion::promise
