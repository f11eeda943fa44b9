#include "actors/node/event_ring.hpp"

#include <algorithm>

namespace legion {

namespace {

constexpr std::size_t most = 100;
constexpr std::size_t repeat_window = 16;

} // namespace

void event_ring::add(event x) {
  auto n = std::min(all_.size(), repeat_window);
  for (auto i = all_.end() - static_cast<std::ptrdiff_t>(n); i != all_.end(); ++i) {
    if (i->reason() != x.reason() || i->object() != x.object() || i->message() != x.message()
        || i->source() != x.source())
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

} // namespace legion
