#include "actors/node/event_ring.hpp"

#include <algorithm>

namespace legion {

namespace {

constexpr std::size_t most = 100;
constexpr std::size_t repeat_window = 16;

bool says_the_same(const event& a, const event& b) {
  return a.reason() == b.reason() && a.object() == b.object() && a.message() == b.message()
         && a.source() == b.source();
}

} // namespace

void event_ring::add(event x) {
  auto n = std::min(all_.size(), repeat_window);
  for (auto i = all_.end() - static_cast<std::ptrdiff_t>(n); i != all_.end(); ++i) {
    if (!says_the_same(*i, x))
      continue;
    x.set_count(i->count() + std::max(1u, x.count()));
    all_.erase(i);
    all_.push_back(std::move(x));
    return;
  }
  if (x.count() == 0)
    x.set_count(1);
  all_.push_back(std::move(x));
  if (all_.size() > most)
    all_.erase(all_.begin());
}

void event_ring::recall(event x) {
  auto known =
      std::find_if(all_.begin(), all_.end(), [&](const event& y) { return says_the_same(x, y); });
  if (known != all_.end()) {
    if (known->time_ms() >= x.time_ms())
      return;
    x.set_count(std::max(known->count(), x.count()));
    all_.erase(known);
  }
  x.set_count(std::max(1u, x.count()));
  auto later = [](std::int64_t time, const event& y) { return time < y.time_ms(); };
  all_.insert(std::upper_bound(all_.begin(), all_.end(), x.time_ms(), later), std::move(x));
  if (all_.size() > most)
    all_.erase(all_.begin());
}

} // namespace legion
