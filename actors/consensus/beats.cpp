#include "actors/consensus/beats.hpp"

#include <algorithm>

namespace legion::consensus {

beats::beats(setting x) : setting_(x) {}

void beats::put(peer& p, group_id group, const beat_item& item) {
  auto& x = p.list[group];
  if (x.version != 0 && x.item == item)
    return;
  x = {item, ++p.version};
}

beats::effects beats::describe(group_id group, const beat_item& self,
                               const std::vector<node_id>& members, time_point) {
  effects out;
  bool fresh = !groups_.contains(group);
  groups_[group] = {self, members};
  for (const auto& who : members)
    if (who != setting_.self.node && (peers_.contains(who) || peers_.size() < most_peers))
      put(peers_[who], group, self);
  for (auto& [who, p] : peers_) {
    auto heard = p.items.find(group);
    if (heard != p.items.end()) {
      put(p, group, self); // it says that it is in this group, too
      if (fresh && p.hearing)
        out.push_back(tell_beat{group, {who, p.journal}, heard->second});
    } else if (p.list.contains(group)
               && std::find(members.begin(), members.end(), who) == members.end())
      put(p, group, {self.term, standing::gone});
  }
  return out;
}

beats::effects beats::forget(group_id group, time_point) {
  groups_.erase(group);
  for (auto& [who, p] : peers_)
    if (auto i = p.list.find(group); i != p.list.end())
      put(p, group, {i->second.item.term, standing::gone});
  return {};
}

std::vector<group_id> beats::shared_with(const peer& p) const {
  std::vector<group_id> result;
  for (const auto& [group, item] : p.items)
    if (groups_.contains(group))
      result.push_back(group);
  return result;
}

/// Where the peer is a member as far as this node knows, whether it has said so yet or not.
std::vector<group_id> beats::held_with(const peer& p) const {
  std::vector<group_id> result;
  for (const auto& [group, x] : p.list)
    if (x.item.standing != standing::gone && groups_.contains(group))
      result.push_back(group);
  return result;
}

void beats::tell_all(const node_id& who, peer& p, effects& out) {
  for (auto group : shared_with(p))
    out.push_back(tell_beat{group, {who, p.journal}, p.items[group]});
}

/// Another start, or another journal: all that was heard of the earlier one is over.
void beats::begin_life(const node_id& who, peer& p, const consensus_beat& x, effects& out) {
  if (auto groups = held_with(p); p.start != 0 && !groups.empty())
    out.push_back(tell_refused{who, std::move(groups)});
  p.items.clear();
  p.version_heard = p.confirmed = 0;
  p.start = x.start();
  p.journal = journal_id::from_bytes(x.journal());
  p.hearing = false;
}

void beats::take_items(const node_id& who, peer& p, const consensus_beat& x, effects& out) {
  p.version_heard = x.version();
  for (const auto& y : x.items()) {
    group_id group{y.group()};
    beat_item item{y.term(), static_cast<standing>(std::min(y.standing(), 3u))};
    auto i = p.items.find(group);
    if (item.standing == standing::gone) {
      if (i == p.items.end())
        continue;
      p.items.erase(i);
    } else if (i != p.items.end() ? i->second == item : p.items.size() >= most_items) {
      continue;
    } else {
      p.items[group] = item;
    }
    if (auto g = groups_.find(group); g != groups_.end()) {
      if (item.standing != standing::gone)
        put(p, group, g->second.item);
      out.push_back(tell_beat{group, {who, p.journal}, item});
    }
  }
}

beats::effects beats::on_beat(const node_id& from, const consensus_beat& x, time_point now) {
  effects out;
  if (from.null() || from == setting_.self.node || x.start() == 0
      || journal_id::from_bytes(x.journal()).null() || x.base() > x.version()
      || (!peers_.contains(from) && peers_.size() >= most_peers))
    return out;
  auto& p = peers_[from];
  if (x.start() < p.start)
    return out; // of an earlier life
  if (x.start() > p.start || journal_id::from_bytes(x.journal()) != p.journal)
    begin_life(from, p, x, out);
  if (x.version() < p.version_heard)
    return out; // overtaken by a later one
  bool silent = !p.hearing && p.version_heard != 0;
  p.hearing = true;
  p.heard = now;
  if (silent)
    tell_all(from, p, out);
  p.lacks = x.base() > p.version_heard; // it took this node for its earlier life: beat back
  if (!p.lacks)
    take_items(from, p, x, out);
  if (x.heard_start() == setting_.start)
    p.confirmed = std::max(p.confirmed, std::min(x.heard_version(), p.version));
  std::erase_if(p.list, [&](const auto& y) {
    return y.second.item.standing == standing::gone && y.second.version <= p.confirmed;
  });
  if (next_ - now <= setting_.interval / 2)
    send_beats(now, out);
  return out;
}

beats::effects beats::on_closed(const node_id& who, time_point) {
  auto i = peers_.find(who);
  if (i == peers_.end() || !i->second.wants_beats())
    return {};
  return {send_beat{who, compose(i->second)}};
}

beats::effects beats::on_refused(const node_id& who, time_point) {
  auto i = peers_.find(who);
  if (i == peers_.end())
    return {};
  i->second.hearing = false;
  effects out;
  if (auto groups = held_with(i->second); !groups.empty())
    out.push_back(tell_refused{who, std::move(groups)});
  return out;
}

consensus_beat beats::compose(const peer& p) const {
  consensus_beat x;
  x.set_journal(setting_.self.journal.bytes());
  x.set_start(setting_.start);
  x.set_base(p.confirmed);
  x.set_version(p.version);
  for (const auto& [group, y] : p.list) {
    if (y.version <= p.confirmed)
      continue;
    auto& item = *x.add_items();
    item.set_group(value(group));
    item.set_term(y.item.term);
    item.set_standing(static_cast<std::uint32_t>(y.item.standing));
  }
  x.set_heard_start(p.start);
  x.set_heard_version(p.version_heard);
  return x;
}

beats::effects beats::on_tick(time_point now) {
  effects out;
  for (auto& [who, p] : peers_) {
    if (!p.hearing || now - p.heard < setting_.silence)
      continue;
    p.hearing = false;
    if (auto groups = shared_with(p); !groups.empty())
      out.push_back(tell_silence{who, p.heard, std::move(groups)});
  }
  if (now < next_)
    return out;
  send_beats(now, out);
  return out;
}

void beats::send_beats(time_point now, effects& out) {
  next_ = now + setting_.interval;
  for (const auto& [who, p] : peers_)
    if (p.wants_beats())
      out.push_back(send_beat{who, compose(p)});
}

time_point beats::wake_at() const {
  auto result = time_point::max();
  for (const auto& [who, p] : peers_) {
    if (p.wants_beats())
      result = std::min(result, next_);
    if (p.hearing)
      result = std::min(result, p.heard + setting_.silence);
  }
  return result;
}

} // namespace legion::consensus
