#include "actors/consensus/log.hpp"

#include <algorithm>

namespace legion::consensus {

log::log(snapshot_head head, entry_refs entries, bool& sound) {
  sound = true;
  history_.front() = {head.members_index, head.members};
  base_ = head.index;
  base_term_ = head.term;
  if (entries.empty() || entries.back()->index <= head.index)
    return;
  auto begin = entries.begin();
  if ((*begin)->index <= head.index) { // what came before the snapshot's end serves slow followers
    base_ = (*begin)->index;
    base_term_ = (*begin)->term;
    ++begin;
  }
  for (; begin != entries.end(); ++begin) {
    auto& x = **begin;
    sound = x.index == last() + 1 && x.term >= last_term();
    if (sound && x.index > head.index)
      sound = push(std::move(*begin));
    else if (sound) { // what it says of members, the head knows better
      bytes_ += cost(x);
      entries_.push_back(std::move(*begin));
    }
    if (!sound)
      return;
  }
  sound = has(head.index, head.term);
}

std::optional<term_number> log::term(log_index i) const {
  if (i == base_)
    return base_term_;
  if (i < base_ || i > last())
    return std::nullopt;
  return at(i)->term;
}

bool log::not_newer_than(log_index last_index, term_number term) const {
  return term > last_term() || (term == last_term() && last_index >= last());
}

bool log::push(entry_ref x) {
  if (x->kind == entry_kind::configuration) {
    auto members = decode_configuration(x->data);
    if (!members)
      return false;
    history_.push_back({x->index, std::move(*members)});
  }
  bytes_ += cost(*x);
  entries_.push_back(std::move(x));
  return true;
}

void log::cut_from(log_index i) {
  while (last() >= i && !entries_.empty()) {
    bytes_ -= cost(*entries_.back());
    entries_.pop_back();
  }
  while (history_.size() > 1 && history_.back().index >= i)
    history_.pop_back();
}

void log::compact(log_index upto) {
  upto = std::min(upto, last());
  if (upto <= base_)
    return;
  while (base_ < upto) {
    ++base_;
    base_term_ = entries_.front()->term;
    bytes_ -= cost(*entries_.front());
    entries_.pop_front();
  }
  while (history_.size() > 1 && history_[1].index <= base_)
    history_.erase(history_.begin());
}

void log::reset(const snapshot_head& head) {
  base_ = head.index;
  base_term_ = head.term;
  entries_.clear();
  bytes_ = 0;
  history_.assign(1, {head.members_index, head.members});
}

entry_refs log::slice(log_index from, std::size_t bytes, std::size_t count) const {
  entry_refs result;
  if (from <= base_ || from > last())
    return result;
  auto most = std::min<std::size_t>(count, last() - from + 1);
  result.reserve(most);
  std::size_t sum = 0;
  for (auto i = from - base_ - 1; result.size() < most; ++i) {
    sum += cost(*entries_[i]);
    if (sum > bytes && !result.empty())
      break;
    result.push_back(entries_[i]);
  }
  return result;
}

log_index log::last_not_above(log_index i, term_number t) const {
  i = std::min(i, last());
  while (i > base_ && at(i)->term > t)
    --i;
  return i;
}

const log::decided& log::previous() const {
  return history_[history_.size() > 1 ? history_.size() - 2 : 0];
}

snapshot_head log::head_at(log_index i) const {
  snapshot_head result;
  result.index = i;
  result.term = term(i).value_or(0);
  for (const auto& x : history_)
    if (x.index <= i) {
      result.members = x.members;
      result.members_index = x.index;
    }
  return result;
}

} // namespace legion::consensus
