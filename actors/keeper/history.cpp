#include "actors/keeper/history.hpp"

#include <algorithm>
#include <optional>

namespace legion::keeper {

namespace {

constexpr std::size_t max_explained_rounds = 16;
constexpr std::size_t max_gone = 64;

bool in_vain(const negotiation_round& x) {
  return std::none_of(x.candidates().begin(), x.candidates().end(),
                      [](const candidate& y) { return y.accepted(); });
}

bool names_one_of(const negotiation_round& x, const std::set<std::string>& pods) {
  return std::any_of(x.pods().begin(), x.pods().end(),
                     [&](const std::string& pod) { return pods.contains(pod); });
}

/// Those that were accepted, and of the others the first that fit.
negotiation_round compact(const negotiation_round& x) {
  negotiation_round result = x;
  if (x.ByteSizeLong() <= history::most_candidate_bytes)
    return result;
  result.clear_candidates();
  std::size_t bytes = 0;
  for (const auto& y : x.candidates()) {
    auto more = y.ByteSizeLong();
    if (!y.accepted() && bytes + more > history::most_candidate_bytes)
      continue;
    bytes += more;
    *result.add_candidates() = y;
  }
  auto left_out = x.candidates_size() - result.candidates_size();
  result.set_candidates_left_out(x.candidates_left_out() + static_cast<std::uint32_t>(left_out));
  return result;
}

bool same_pods(const negotiation_round& a, const negotiation_round& b) {
  return std::equal(a.pods().begin(), a.pods().end(), b.pods().begin(), b.pods().end());
}

/// What was told when the round was decided. Which of several nodes got which pod it does not say.
std::optional<event> scheduled_by(const negotiation_round& x) {
  std::vector<std::string> winners;
  for (const auto& y : x.candidates())
    if (y.accepted())
      winners.push_back(y.node_name());
  if (winners.empty() || x.pods().empty())
    return std::nullopt;
  auto many = x.pods_size() > 1;
  event result;
  result.set_time_ms(x.time_ms());
  result.set_type("Normal");
  result.set_reason("Scheduled");
  result.set_source("keeper");
  result.set_object(many ? x.of().name() : x.pods(0));
  result.set_message((many ? "called for " + std::to_string(x.pods_size()) + " replicas: " : "")
                     + (winners.size() == 1 ? "accepted the offer of " + winners.front()
                                            : "accepted the offers of "
                                                  + std::to_string(winners.size()) + " nodes"));
  return result;
}

} // namespace

void history::push_round(negotiation_round x) {
  auto bytes = x.ByteSizeLong();
  rounds_.push_back({std::move(x), bytes});
  round_bytes_ += bytes;
}

void history::changed(remembered_round& x) {
  round_bytes_ -= x.bytes;
  x.bytes = x.what.ByteSizeLong();
  round_bytes_ += x.bytes;
  x.kept = on_disk::no;
}

void history::drop_round(std::size_t i) {
  round_bytes_ -= rounds_[i].bytes;
  rounds_.erase(rounds_.begin() + static_cast<std::ptrdiff_t>(i));
}

void history::add(negotiation_round x, const std::set<std::string>& living) {
  if (!rounds_.empty() && in_vain(rounds_.back().what) && in_vain(x)
      && same_pods(rounds_.back().what, x))
    drop_round(rounds_.size() - 1);
  push_round(std::move(x));
  auto lives = [&](const std::string& pod) { return living.contains(pod); };
  for (std::size_t i = 0; rounds_.size() > few_rounds && i + 1 < rounds_.size();) {
    const auto& pods = rounds_[i].what.pods();
    if (std::any_of(pods.begin(), pods.end(), lives))
      ++i;
    else
      drop_round(i);
  }
  while (rounds_.size() > 1 && (rounds_.size() > most_rounds || round_bytes_ > most_round_bytes))
    drop_round(0);
}

void history::amend(std::uint64_t call, const candidate& x) {
  for (auto i = rounds_.rbegin(); i != rounds_.rend(); ++i) {
    if (i->what.call() != call)
      continue;
    for (auto& y : *i->what.mutable_candidates())
      if (y.node() == x.node() && !y.has_offer() && y.decline().reason() == decline_silent)
        y = x;
    changed(*i);
    return;
  }
}

void history::regret(regretted_slot x) {
  for (auto i = rounds_.rbegin(); i != rounds_.rend(); ++i) {
    auto& round = i->what;
    auto asked = std::find(round.pods().begin(), round.pods().end(), x.pod()) != round.pods().end();
    auto accepted = [&](const candidate& y) { return y.accepted() && y.node() == x.node(); };
    if (!asked || !std::any_of(round.candidates().begin(), round.candidates().end(), accepted))
      continue;
    *round.add_regretted() = std::move(x);
    changed(*i);
    return;
  }
}

void history::restore(const std::deque<negotiation_round>& rounds) {
  for (const auto& x : rounds) {
    if (auto told = scheduled_by(x))
      events_.recall(std::move(*told));
    push_round(x);
    rounds_.back().kept = on_disk::yes;
  }
}

std::vector<negotiation_round> history::unsaved(const std::set<std::string>& pods) {
  std::vector<negotiation_round> result;
  std::size_t bytes = 0;
  for (auto i = rounds_.rbegin(); i != rounds_.rend(); ++i) {
    if (i->kept != on_disk::no || !names_one_of(i->what, pods))
      continue;
    auto x = compact(i->what);
    bytes += x.ByteSizeLong();
    if (bytes > most_saved_bytes)
      break;
    i->kept = on_disk::under_way;
    result.push_back(std::move(x));
  }
  std::reverse(result.begin(), result.end());
  return result;
}

void history::saved(bool committed) {
  for (auto& x : rounds_)
    if (x.kept == on_disk::under_way)
      x.kept = committed ? on_disk::yes : on_disk::no;
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
  std::vector<const negotiation_round*> rounds; // newest first
  for (auto i = rounds_.rbegin(); i != rounds_.rend() && rounds.size() < max_explained_rounds; ++i)
    if (std::find(i->what.pods().begin(), i->what.pods().end(), pod) != i->what.pods().end())
      rounds.push_back(&i->what);
  for (auto i = rounds.rbegin(); i != rounds.rend(); ++i) {
    auto& round = *result.add_rounds() = **i;
    auto& regretted = *round.mutable_regretted(); // of the other pods it is no news
    regretted.erase(std::remove_if(regretted.begin(), regretted.end(),
                                   [&](const regretted_slot& x) { return x.pod() != pod; }),
                    regretted.end());
  }
  for (auto i = gone_.rbegin(); i != gone_.rend(); ++i)
    if (i->slot().pod() == pod) {
      *result.mutable_view() = *i;
      result.mutable_view()->set_state("gone");
      break;
    }
  return result;
}

} // namespace legion::keeper
