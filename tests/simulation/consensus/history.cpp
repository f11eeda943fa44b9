#include "tests/simulation/consensus/history.hpp"

#include <algorithm>

namespace legion::proof {

void history::wrote(std::uint32_t key, std::uint32_t value, std::uint64_t begin,
                    std::uint64_t end) {
  auto& x = keys_[key][value];
  x.written = true;
  x.write_begin = begin;
  x.first_end = std::min(x.first_end, end);
  x.last_begin = std::max(x.last_begin, begin);
  x.seen = x.seen || end != never;
}

void history::read(std::uint32_t key, std::uint32_t value, std::uint64_t begin, std::uint64_t end) {
  auto& x = keys_[key][value];
  if (value == 0)
    x.written = true, x.first_end = 0;
  x.first_end = std::min(x.first_end, end);
  x.last_begin = std::max(x.last_begin, begin);
  x.seen = true;
}

std::string history::flaw() const {
  for (const auto& [key, values] : keys_)
    if (auto what = flaw_of(key, values); !what.empty())
      return what;
  return {};
}

std::string history::flaw_of(std::uint32_t key, const std::map<std::uint32_t, cluster>& values) {
  struct zone {
    std::uint64_t low, high;
    std::uint32_t value;
  };
  std::vector<zone> forward;
  std::vector<zone> backward;
  auto name = [&](std::uint32_t value) {
    return "value " + std::to_string(value) + " of key " + std::to_string(key);
  };
  for (const auto& [value, x] : values) {
    if (!x.written)
      return name(value) + " was read and never written";
    if (!x.seen)
      continue;
    if (x.first_end < x.write_begin)
      return name(value) + " was read before it was written";
    if (x.first_end < x.last_begin)
      forward.push_back({x.first_end, x.last_begin, value});
    else
      backward.push_back({x.last_begin, x.first_end, value});
  }
  std::sort(forward.begin(), forward.end(),
            [](const zone& a, const zone& b) { return a.low < b.low; });
  for (std::size_t i = 1; i < forward.size(); ++i)
    if (forward[i].low < forward[i - 1].high)
      return name(forward[i - 1].value) + " and " + name(forward[i].value)
             + " would each have to come before the other";
  for (const auto& x : backward) {
    auto i = std::upper_bound(forward.begin(), forward.end(), x.low,
                              [](std::uint64_t at, const zone& y) { return at < y.low; });
    if (i != forward.begin() && x.high < std::prev(i)->high)
      return name(x.value) + " falls within the time of " + name(std::prev(i)->value);
  }
  return {};
}

} // namespace legion::proof
