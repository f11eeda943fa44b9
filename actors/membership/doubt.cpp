#include "actors/membership/doubt.hpp"

#include <algorithm>

namespace legion::membership {

doubt::doubt(std::vector<std::size_t> asked, time_point now) : until_(now + patience) {
  for (auto x : asked)
    contacts_.push_back({x, now, false, false});
}

doubt::contact* doubt::find(std::size_t index) {
  auto i = std::find_if(contacts_.begin(), contacts_.end(),
                        [&](const contact& x) { return x.index == index; });
  return i == contacts_.end() ? nullptr : &*i;
}

void doubt::let_in(std::size_t index, bool certain) {
  vouched_ = vouched_ || certain;
  if (auto* x = find(index))
    *x = {index, std::nullopt, true, false};
}

void doubt::no_answer(std::size_t index, bool disputed, time_point now) {
  if (auto* x = find(index))
    *x = {index, now + pause, false, disputed};
}

bool doubt::over(time_point now) const {
  if (confirmed_ || vouched_)
    return !confirmed_;
  auto disputed =
      std::any_of(contacts_.begin(), contacts_.end(), [](const contact& x) { return x.disputes; });
  auto all =
      std::all_of(contacts_.begin(), contacts_.end(), [](const contact& x) { return x.let_in; });
  return !disputed && (all || now >= until_);
}

std::vector<std::size_t> doubt::due(time_point now) {
  std::vector<std::size_t> result;
  for (auto& x : contacts_)
    if (!confirmed_ && x.ask_at && *x.ask_at <= now) {
      x.ask_at.reset();
      result.push_back(x.index);
    }
  return result;
}

time_point doubt::wakes_at() const {
  if (confirmed_)
    return time_point::max();
  auto result = until_;
  auto disputed = false;
  for (const auto& x : contacts_)
    disputed = disputed || x.disputes;
  if (disputed)
    result = time_point::max();
  for (const auto& x : contacts_)
    if (x.ask_at)
      result = std::min(result, *x.ask_at);
  return result;
}

} // namespace legion::membership
