#include "actors/membership/journal_trial.hpp"

#include <algorithm>

namespace legion::membership {

journal_trial::journal_trial(const std::vector<std::size_t>& asked, time_point now) : began_(now) {
  for (auto x : asked) {
    auto& added = contacts_.emplace_back();
    added.index = x;
    added.ask_at = now;
  }
}

journal_trial::contact* journal_trial::find(std::size_t index) {
  auto i = std::find_if(contacts_.begin(), contacts_.end(),
                        [&](const contact& x) { return x.index == index; });
  return i == contacts_.end() ? nullptr : &*i;
}

void journal_trial::let_in(std::size_t index, bool certain) {
  vouched_ = vouched_ || certain;
  auto* x = find(index);
  if (!x)
    return;
  x->let_in = true;
  x->answered = true;
  x->gone = false;
  x->ask_at.reset();
  x->disputed_until.reset();
}

void journal_trial::no_answer(std::size_t index, errc why, time_point now) {
  auto* x = find(index);
  if (!x)
    return;
  x->let_in = false;
  x->answered = true;
  x->gone = now - x->asked_at < at_once;
  x->ask_at = now + x->pause;
  x->pause = std::min<milliseconds>(2 * x->pause, last_pause);
  if (why == errc::outlived)
    x->disputed_until = now + dispute_lasts;
}

void journal_trial::postpone(time_point::duration lag) {
  began_ += lag;
  for (auto& x : contacts_)
    if (x.disputed_until)
      *x.disputed_until += lag;
}

/// Not before the last dispute is over; and then at once, if all have let this node in, or one that
/// is certain. But that one may know less of this node than another: each has time to say so.
time_point journal_trial::earliest_end() const {
  auto all =
      std::all_of(contacts_.begin(), contacts_.end(), [](const contact& x) { return x.let_in; });
  auto silent = std::any_of(contacts_.begin(), contacts_.end(),
                            [](const contact& x) { return !x.let_in && !x.gone; });
  auto answered =
      std::all_of(contacts_.begin(), contacts_.end(), [](const contact& x) { return x.answered; });
  auto result = began_ + (vouched_ ? at_once : silent ? silent_patience : patience);
  if (all || (vouched_ && answered))
    result = time_point::min();
  for (const auto& x : contacts_)
    if (x.disputed_until)
      result = std::max(result, *x.disputed_until);
  return result;
}

bool journal_trial::over(time_point now) const {
  return !lost_ && now >= earliest_end();
}

std::vector<std::size_t> journal_trial::unheard() const {
  std::vector<std::size_t> result;
  for (const auto& x : contacts_)
    if (!x.let_in)
      result.push_back(x.index);
  return result;
}

std::vector<std::size_t> journal_trial::due(time_point now) {
  std::vector<std::size_t> result;
  for (auto& x : contacts_)
    if (!lost_ && x.ask_at && *x.ask_at <= now) {
      x.ask_at.reset();
      x.asked_at = now;
      x.gone = false; // until it is found so again
      result.push_back(x.index);
    }
  return result;
}

time_point journal_trial::wakes_at() const {
  if (lost_)
    return time_point::max();
  auto result = earliest_end();
  for (const auto& x : contacts_)
    if (x.ask_at)
      result = std::min(result, *x.ask_at);
  return result;
}

} // namespace legion::membership
