#include "actors/keeper/history.hpp"

#include <algorithm>

namespace legion::keeper {

namespace {

constexpr std::size_t max_events = 100;
constexpr std::size_t max_rounds = 16;
constexpr std::size_t max_gone = 64;
constexpr std::size_t repeat_window = 16;

bool in_vain(const negotiation_round& x) {
  return std::none_of(x.candidates().begin(), x.candidates().end(),
                      [](const candidate& y) { return y.accepted(); });
}

bool same_pods(const negotiation_round& a, const negotiation_round& b) {
  return std::equal(a.pods().begin(), a.pods().end(), b.pods().begin(), b.pods().end());
}

} // namespace

void history::add(event x) {
  auto n = std::min(events_.size(), repeat_window);
  for (auto i = events_.end() - static_cast<std::ptrdiff_t>(n); i != events_.end(); ++i) {
    if (i->reason() != x.reason() || i->object() != x.object() || i->message() != x.message()
        || i->source() != x.source())
      continue;
    x.set_count(i->count() + std::max(1u, x.count()));
    events_.erase(i);
    events_.push_back(std::move(x));
    return;
  }
  if (x.count() == 0)
    x.set_count(1);
  events_.push_back(std::move(x));
  if (events_.size() > max_events)
    events_.pop_front();
}

void history::add(negotiation_round x) {
  if (!rounds_.empty() && in_vain(rounds_.back()) && in_vain(x) && same_pods(rounds_.back(), x))
    rounds_.pop_back();
  rounds_.push_back(std::move(x));
  if (rounds_.size() > max_rounds)
    rounds_.pop_front();
}

void history::add_gone(pod_view x) {
  gone_.push_back(std::move(x));
  if (gone_.size() > max_gone)
    gone_.pop_front();
}

bool history::was_here(const std::string& pod) const {
  return std::any_of(gone_.begin(), gone_.end(),
                     [&](const pod_view& x) { return x.slot().pod() == pod; });
}

explanation history::explain(const std::string& pod) const {
  explanation result;
  result.set_pod(pod);
  for (const auto& x : rounds_)
    if (std::find(x.pods().begin(), x.pods().end(), pod) != x.pods().end())
      *result.add_rounds() = x;
  for (auto i = gone_.rbegin(); i != gone_.rend(); ++i)
    if (i->slot().pod() == pod) {
      *result.mutable_view() = *i;
      result.mutable_view()->set_state("gone");
      break;
    }
  return result;
}

} // namespace legion::keeper
