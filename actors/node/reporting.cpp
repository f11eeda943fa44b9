#include "actors/node/reporting.hpp"

#include <algorithm>

namespace legion::node {

void reporting::wake(state& x, time_point at) {
  x.forget = false;
  // While a report is under way or waits for its retry, the news joins what follows it.
  if (!x.dead && !x.under_way && (!x.next || *x.next > at))
    x.next = at;
}

void reporting::changed(const promisee& to, const std::string& uid, time_point now) {
  auto& x = all_[to];
  x.dirty.insert(uid);
  if (x.retry == first_retry)
    wake(x, now + batch);
}

void reporting::happened(const promisee& to, event what, time_point now) {
  auto& x = all_[to];
  x.events.push_back(std::move(what));
  if (x.events.size() > most_events)
    x.events.pop_front();
  if (x.retry == first_retry)
    wake(x, now + batch);
}

void reporting::tell_all(const promisee& to, time_point now) {
  auto& x = all_[to];
  x.all = true;
  if (x.retry == first_retry)
    wake(x, now + batch);
}

void reporting::keeper_is(const node_id& keeper, bool alive, start_number start, time_point now) {
  for (auto& [to, x] : all_) {
    if (to.keeper != keeper)
      continue;
    auto back = alive && (x.dead || start > x.start);
    x.dead = !alive;
    x.start = std::max(x.start, start);
    if (!alive) {
      x.next.reset();
    } else if (back) {
      x.all = true;
      x.retry = first_retry;
      if (x.under_way) // whatever becomes of it, all is said again
        x.events.insert(x.events.begin(), x.under_way->events.begin(), x.under_way->events.end());
      x.under_way.reset();
      x.next.reset();
      wake(x, now + batch);
    }
  }
}

void reporting::nothing_left(const promisee& to) {
  auto i = all_.find(to);
  if (i == all_.end())
    return;
  i->second.forget = true;
  if (!i->second.under_way && !has_news(i->second))
    all_.erase(i);
}

std::vector<due_report> reporting::due(time_point now) {
  std::vector<due_report> result;
  for (auto& [to, x] : all_) {
    if (!x.next || *x.next > now || x.under_way || x.dead)
      continue;
    x.next.reset();
    due_report r;
    r.to = to;
    r.sequence = ++sequence_;
    r.full = x.all || !has_news(x); // nothing new: it is the refresh
    r.anew = x.all;
    if (!r.full)
      r.uids.assign(x.dirty.begin(), x.dirty.end());
    r.events.assign(x.events.begin(), x.events.end());
    x.dirty.clear();
    x.events.clear();
    x.all = false;
    x.under_way = r;
    result.push_back(std::move(r));
  }
  return result;
}

void reporting::acknowledged(const promisee& to, std::uint64_t sequence, time_point now) {
  auto i = all_.find(to);
  if (i == all_.end() || !i->second.under_way || i->second.under_way->sequence != sequence)
    return;
  auto& x = i->second;
  x.under_way.reset();
  x.retry = first_retry;
  if (has_news(x)) {
    auto forget = x.forget;
    wake(x, now + batch);
    x.forget = forget;
  } else if (x.forget) {
    all_.erase(i);
  } else {
    x.next = now + refresh;
  }
}

void reporting::failed(const promisee& to, std::uint64_t sequence, time_point now) {
  auto i = all_.find(to);
  if (i == all_.end() || !i->second.under_way || i->second.under_way->sequence != sequence)
    return;
  auto& x = i->second;
  x.all |= x.under_way->full;
  x.dirty.insert(x.under_way->uids.begin(), x.under_way->uids.end());
  x.events.insert(x.events.begin(), x.under_way->events.begin(), x.under_way->events.end());
  while (x.events.size() > most_events)
    x.events.pop_front();
  x.under_way.reset();
  if (!x.dead)
    x.next = now + x.retry;
  x.retry = std::min(x.retry * 2, last_retry);
}

std::optional<time_point> reporting::next_due() const {
  std::optional<time_point> result;
  for (const auto& [to, x] : all_)
    if (x.next && !x.under_way && !x.dead && (!result || *x.next < *result))
      result = x.next;
  return result;
}

node_id keeper_after(const node_id& asked, const std::vector<node_id>& keepers) {
  auto i = std::upper_bound(keepers.begin(), keepers.end(), asked);
  if (i == keepers.end())
    i = keepers.begin();
  return i == keepers.end() || *i == asked ? node_id{} : *i;
}

} // namespace legion::node
