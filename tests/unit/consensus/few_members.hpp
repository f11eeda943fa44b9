#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/consensus/core.hpp"

namespace legion::consensus {

inline member_id nth_member(int i, int journal = 1) {
  std::string node(16, '\0');
  node[0] = static_cast<char>('a' + i);
  std::string kept(16, '\0');
  kept[0] = static_cast<char>(journal);
  return {node_id::from_bytes(node), journal_id::from_bytes(kept)};
}

/// A few cores with disks, joined by a wire that a test can cut; time moves when told to.
class few_members {
public:
  struct one {
    member_id who;
    std::unique_ptr<core> rules;
    std::uint64_t start = 1;
    // on disk
    ballot voted;
    snapshot kept; // the newest
    entry_refs entries;
    std::deque<write> unsynced;
    bool holds_sync = false; // writes wait until `sync`
    // what came out
    std::vector<std::string> state; // of data entries, and what a snapshot held
    log_index applied = 0;
    std::vector<read_grant> reads;
    std::vector<std::uint64_t> refused_reads;
    std::vector<readmission> readmissions;
    std::vector<member_id> caught_up;
    std::vector<std::string> alarms;
    bool fenced = false;
    bool removed = false;
    bool down = false;
  };

  explicit few_members(int count, options tuned = {}, int voters = -1) : tuned_(tuned) {
    std::vector<member_id> all;
    for (int i = 0; i < (voters < 0 ? count : voters); ++i)
      all.push_back(nth_member(i));
    for (int i = 0; i < count; ++i) {
      auto& x = members_.emplace_back();
      x.who = nth_member(i);
      if (voters < 0 || i < voters)
        x.kept.head = founded_by(all);
      start(i);
    }
  }

  one& operator[](int i) { return members_[static_cast<std::size_t>(i)]; }
  core& rules(int i) { return *(*this)[i].rules; }
  time_point now() const { return now_; }

  void start(int i, bool may_vote = true) {
    auto& x = (*this)[i];
    core::setting s;
    s.self = x.who;
    s.start = x.start;
    s.seed = static_cast<std::uint64_t>(i) + 100 * x.start;
    s.may_vote = may_vote;
    s.tuned = tuned_;
    s.ballot = x.voted;
    s.head = x.kept.head;
    s.entries = x.entries;
    x.state.clear();
    x.applied = x.kept.head.index;
    if (x.kept.state)
      x.state = lines(*x.kept.state);
    x.rules = std::make_unique<core>(s, now_);
    x.down = false;
  }
  void crash(int i) {
    (*this)[i].down = true;
    (*this)[i].unsynced.clear();
  }
  void restart(int i, bool may_vote = true) {
    crash(i);
    ++(*this)[i].start;
    start(i, may_vote);
    for (auto& x : members_)
      if (!x.down && x.who != (*this)[i].who)
        x.rules->on_refused((*this)[i].who.node, now_);
  }

  /// Lets everything that needs no time happen.
  void settle() {
    for (bool busy = true; busy;) {
      busy = false;
      for (std::size_t i = 0; i < members_.size(); ++i)
        busy = step(static_cast<int>(i)) || busy;
      for (auto n = wire_.size(); n > 0; --n) {
        auto x = std::move(wire_.front());
        wire_.pop_front();
        busy = true;
        if (passes && !passes(x))
          continue;
        for (auto& to : members_)
          if (!to.down && to.who.node == x.to.node)
            to.rules->on_message(x, now_);
      }
    }
  }
  void pass(milliseconds much) {
    auto end = now_ + much;
    settle();
    for (;;) {
      auto next = std::min(end, beats_at_);
      for (auto& x : members_)
        if (!x.down)
          next = std::min(next, x.rules->wake_at());
      now_ = std::max(now_, next);
      for (auto& x : members_)
        if (!x.down && x.rules->wake_at() <= now_)
          x.rules->on_tick(now_);
      if (now_ >= beats_at_)
        exchange_beats();
      settle();
      if (now_ >= end)
        return;
    }
  }
  void sync(int i) {
    (*this)[i].holds_sync = false;
    settle();
  }
  std::optional<int> leader() {
    std::optional<int> best;
    for (int i = 0; i < static_cast<int>(members_.size()); ++i)
      if (!(*this)[i].down && rules(i).role() == role::leader
          && (!best || rules(i).term() > rules(*best).term()))
        best = i;
    return best;
  }
  int elect() {
    for (int tries = 0; tries < 100 && !leader(); ++tries)
      pass(milliseconds{100});
    settle();
    return leader().value_or(-1);
  }
  void tell_beat(int from, int to) {
    rules(to).on_beat((*this)[from].who, rules(from).beat(), now_);
  }
  void deliver(const message& x) {
    for (auto& to : members_)
      if (!to.down && to.who.node == x.to.node)
        to.rules->on_message(x, now_);
  }
  /// What this one would say next, kept from the wire.
  std::vector<message> take_messages(int i) {
    step(i);
    std::vector<message> result(wire_.begin(), wire_.end());
    wire_.clear();
    return result;
  }

  std::function<bool(const message&)> passes;

  void cut_off(int i) {
    passes = [who = (*this)[i].who](const message& x) { return x.from != who && x.to != who; };
    deaf = i;
  }
  void heal() {
    passes = nullptr;
    deaf = -1;
  }
  int deaf = -1; // no beats from or to this one

private:
  static std::vector<std::string> lines(const std::string& x) {
    std::vector<std::string> result;
    for (std::size_t at = 0; at < x.size();) {
      auto end = x.find('\n', at);
      result.push_back(x.substr(at, end - at));
      at = end + 1;
    }
    return result;
  }

  void keep(one& x, const write& w) {
    x.voted = w.ballot;
    if (w.installed) {
      x.kept = *w.installed;
      x.entries.clear();
    }
    auto from = w.truncate_from;
    if (from == 0 && !w.entries.empty())
      from = w.entries.front()->index;
    while (from != 0 && !x.entries.empty() && x.entries.back()->index >= from)
      x.entries.pop_back();
    x.entries.insert(x.entries.end(), w.entries.begin(), w.entries.end());
  }

  /// As `beats` would tell it: a beat from each to each, and silence once.
  void exchange_beats() {
    beats_at_ = now_ + milliseconds{100};
    for (int from = 0; from < static_cast<int>(members_.size()); ++from)
      for (int to = 0; to < static_cast<int>(members_.size()); ++to) {
        if (from == to || (*this)[to].down)
          continue;
        auto& heard = heard_[{from, to}];
        if (!(*this)[from].down && from != deaf && to != deaf) {
          tell_beat(from, to);
          heard = now_;
        } else if (heard && now_ - *heard >= milliseconds{500}) {
          rules(to).on_silence((*this)[from].who.node, *heard, now_);
          heard.reset();
        }
      }
  }

  void offer(int i) {
    auto& x = (*this)[i];
    if (x.kept.state && x.kept.head.index + 1 >= x.rules->describe(now_).first)
      return x.rules->offer_snapshot(x.kept);
    std::string all;
    for (const auto& line : x.state)
      all += line + "\n";
    x.rules->offer_snapshot(
        {x.rules->head_at(x.applied), std::make_shared<const std::string>(std::move(all))});
  }

  bool step(int i) {
    auto& x = (*this)[i];
    if (x.down)
      return false;
    auto todo = x.rules->take_work(now_);
    bool busy = !todo.empty();
    if (todo.write)
      x.unsynced.push_back(std::move(*todo.write));
    for (auto& m : todo.messages)
      wire_.push_back(std::move(m));
    if (todo.restore) {
      x.state = lines(*todo.restore->state);
      x.applied = todo.restore->head.index;
      x.rules->on_applied(x.applied);
    }
    for (auto& e : todo.committed) {
      x.applied = e->index;
      if (e->kind == entry_kind::data)
        x.state.push_back(e->data);
    }
    if (!todo.committed.empty())
      x.rules->on_applied(x.applied);
    auto add = [](auto& to, auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    add(x.reads, todo.reads);
    add(x.refused_reads, todo.refused_reads);
    add(x.readmissions, todo.readmissions);
    add(x.caught_up, todo.caught_up);
    add(x.alarms, todo.alarms);
    if (todo.wants_snapshot)
      offer(i);
    x.fenced = x.fenced || todo.fenced;
    x.removed = x.removed || todo.removed != 0;
    while (!x.holds_sync && !x.unsynced.empty()) {
      busy = true;
      keep(x, x.unsynced.front());
      auto sequence = x.unsynced.front().sequence;
      x.unsynced.pop_front();
      x.rules->on_written(sequence, now_);
    }
    return busy;
  }

  options tuned_;
  std::deque<one> members_;
  std::deque<message> wire_;
  std::map<std::pair<int, int>, std::optional<time_point>> heard_;
  time_point now_ = time_point{} + std::chrono::hours{1};
  time_point beats_at_ = now_;
};

} // namespace legion::consensus
