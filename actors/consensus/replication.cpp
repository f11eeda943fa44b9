#include <algorithm>

#include "actors/consensus/core.hpp"
#include "actors/consensus/quorum.hpp"

// The log and its copies: Ongaro 2014, 3.5 (replication, consistency check), 3.6.2 (commit),
// 10.2.1 (the leader's disk and the followers' work at the same time; pipelining).

namespace legion::consensus {

result<core::position> core::propose(std::string data) {
  if (role_ != role::leader)
    return fault{errc::refused, "not the leader"};
  if (!successor_.null())
    return fault{errc::refused, "leadership is being handed over"};
  if (data.size() > tuned_.entry_bytes)
    return fault{errc::too_large, "a proposal of " + std::to_string(data.size())
                                      + " bytes, allowed: " + std::to_string(tuned_.entry_bytes)};
  if (uncommitted_bytes_ > tuned_.uncommitted_bytes)
    return fault{errc::overloaded, "too much is proposed and not committed yet"};
  touched_ = true;
  return append_own(entry_kind::data, std::move(data));
}

core::position core::append_own(entry_kind kind, std::string data) {
  auto x = std::make_shared<const entry>(entry{log_.last() + 1, term(), kind, std::move(data)});
  uncommitted_bytes_ += cost(*x);
  position result{x->index, x->term};
  log_.push(std::move(x));
  return result;
}

const progress* core::find(const member_id& who) const {
  auto i = std::lower_bound(progress_.begin(), progress_.end(), who,
                            [](const progress& x, const member_id& y) { return x.who < y; });
  return i != progress_.end() && i->who == who ? &*i : nullptr;
}

progress* core::find(const member_id& who) {
  return const_cast<progress*>(std::as_const(*this).find(who));
}

/// Sends a follower what its window allows.
void core::feed(progress& x, time_point now) {
  if (x.fallen || x.parked)
    return;
  if (x.now != progress::mode::snapshot && x.next <= log_.base())
    need_snapshot(x);
  if (x.now == progress::mode::snapshot)
    return feed_chunks(x, now);
  while (!x.full(tuned_)) {
    bool entries = x.next <= log_.last();
    bool probes = x.now == progress::mode::probe;
    if (!entries && !probes && !(commit_now_ && x.commit_sent < commit_))
      break;
    append what;
    what.previous_index = x.next - 1;
    what.previous_term = *log_.term(x.next - 1);
    what.commit = commit_;
    what.entries = log_.slice(x.next, tuned_.append_bytes, tuned_.append_entries);
    auto last = x.next - 1 + what.entries.size();
    std::size_t bytes = 0;
    for (const auto& y : what.entries)
      bytes += cost(*y);
    x.commit_sent = std::min(commit_, last);
    x.sent(last, bytes, now + tuned_.resend_after);
    post(x.who, std::move(what), after::nothing);
    if (!entries)
      break;
  }
  if (x.commit_sent < commit_ && x.idle())
    commit_due_ = std::min(commit_due_, now + tuned_.commit_pause);
}

/// No answer in time: from what it is known to have, one message at a time; not at all to voters who
/// don't seem to be there. A learner that has nothing yet can't be heard in this group: whoever lost
/// the first message, or a log of before with it, is asked again now and then until it answers.
void core::resend(progress& x, time_point now) {
  x.resend_at = time_point::max();
  if (x.fallen) {
    post(x.who, fence{x.match}, after::nothing);
    x.resend_at = now + tuned_.election_timeout;
  } else if (!seems_up(x, now) && (!x.parked || log_.members().votes(x.who))) {
    x.parked = true;
    if (!log_.members().votes(x.who))
      x.resend_at = now + tuned_.election_timeout;
  } else if (x.now == progress::mode::snapshot && !x.parked) {
    x.chunk_sent = x.chunk_received;
    x.opened = false;
  } else {
    x.probe_again();
    x.commit_sent = 0;
  }
}

/// Commits what a majority has on disk. Of earlier terms nothing is committed by counting, only
/// along with an entry of the own (3.6.2, figure 3.7; figure 8 of the paper).
void core::maybe_commit(time_point now) {
  auto n = agreed<log_index>(deciding(), [&](const member_id& who) -> log_index {
    if (who == self_)
      return durable_;
    auto* x = find(who);
    return x && !x->fallen ? x->match : 0;
  });
  if (n > commit_ && (log_.term(n) == term() || !holds(rule::own_term_only)))
    commit_to(n, now);
}

void core::commit_to(log_index n, time_point now) {
  if (role_ == role::leader)
    for (auto i = commit_ + 1; i <= n; ++i)
      uncommitted_bytes_ -= std::min(uncommitted_bytes_, cost(*log_.at(i)));
  commit_ = n;
  if (role_ != role::leader)
    return;
  if (!ready_ && commit_ >= first_own_) {
    ready_ = true;
    for (auto& x : waiting_) // 6.4, step 1: only now is it known what was committed before
      x = {x.number, commit_, round_ + 1};
  }
  advance_change(now);
}

namespace {

bool in_order(const append& x, term_number term) {
  auto index = x.previous_index;
  auto last = x.previous_term;
  for (const auto& y : x.entries) {
    if (!y || y->index != ++index || y->term < last || y->term > term)
      return false;
    last = y->term;
  }
  return true;
}

} // namespace

append_reply core::reply_with(bool accepted, log_index index) {
  append_reply x;
  x.accepted = accepted;
  x.index = index;
  x.last_index = log_.last();
  x.start = start_;
  x.count = ++replies_;
  return x;
}

/// The leader may go back by whole terms (5.3 of the paper): what it has after the last entry here
/// whose term isn't above the refused one can't agree.
void core::refuse(const append& x, const message& m) {
  auto reply = reply_with(false, x.previous_index);
  reply.hint_index = log_.last_not_above(x.previous_index, x.previous_term);
  reply.hint_term = log_.term(reply.hint_index).value_or(0);
  post(m.from, reply, after::everything);
}

void core::on(const append& x, const message& m, time_point now) {
  if (!in_order(x, m.term))
    return alarm("entries out of order from the leader");
  if (!follow(m.from, now))
    return;
  auto previous = x.previous_index;
  auto term_there = x.previous_term;
  auto next = x.entries.begin();
  if (previous < commit_) { // what is committed agrees already
    auto known = std::min<std::size_t>(commit_ - previous, x.entries.size());
    next += static_cast<std::ptrdiff_t>(known);
    previous += known;
    if (previous < commit_)
      return post(m.from, reply_with(true, commit_), after::everything);
    term_there = (*std::prev(next))->term;
  }
  if (!log_.has(previous, term_there)) { // the consistency check (3.5)
    if (previous <= commit_ && previous >= log_.base())
      alarm("the leader contradicts a committed entry");
    return refuse(x, m);
  }
  for (; next != x.entries.end(); ++next) {
    if (log_.has((*next)->index, (*next)->term))
      continue;
    if ((*next)->index <= log_.last())
      cut_from((*next)->index);
    if (!log_.push(*next))
      return alarm("a configuration in the leader's log can't be read");
  }
  auto last = x.previous_index + x.entries.size();
  auto commit = std::min(x.commit, last);
  if (commit > commit_ || !holds(rule::commit_forward))
    commit_to(commit, now);
  post(m.from, reply_with(true, last), after::everything); // on disk before it is answered (3.8)
}

/// Entries that conflict with the leader's end, with all that follow them (3.5).
void core::cut_from(log_index i) {
  log_.cut_from(i);
  durable_ = std::min(durable_, i - 1);
  for (auto& x : writing_)
    x.last = std::min(x.last, i - 1);
  if (i < unwritten_) {
    truncate_from_ = truncate_from_ == 0 ? i : std::min(truncate_from_, i);
    unwritten_ = i;
  }
}

void core::accepted(progress& x, log_index index, time_point now) {
  bool more = index > x.match;
  x.accepted(index, now + tuned_.resend_after);
  if (x.now == progress::mode::snapshot && x.match >= log_.base())
    x.begin_probe();
  if (more) {
    count_round(x, false, now);
    maybe_commit(now);
  }
}

void core::on(const append_reply& x, const message& m, time_point now) {
  if (role_ != role::leader)
    return;
  auto* p = find(m.from);
  if (!p || p->fallen)
    return;
  std::pair newness{x.start, x.count};
  if (x.start < p->reply.first) // it has begun anew since: from a log that may be gone
    return;
  if (x.accepted) {
    if (x.index > log_.last())
      return alarm("a follower acknowledges what was never sent");
    p->reply = std::max(p->reply, newness);
    return accepted(*p, x.index, now);
  }
  if (x.last_index < p->match) {
    if (newness <= p->reply)
      return;
    if (p->match >= p->since) {
      // Said after it had acknowledged more: it lost what it promised to keep. Its match is never
      // taken back; it doesn't count any more.
      p->fallen = true;
      report(*p, p->who);
      return resend(*p, now);
    }
    // It was removed and came back: what it acknowledged before its return may be of the log that
    // it rightly buried, and has counted for nothing.
    p->begin_anew();
    p->reply = newness;
  }
  bool stale = p->now == progress::mode::probe ? x.index + 1 != p->next : x.index <= p->match;
  if (stale || p->now == progress::mode::snapshot)
    return;
  auto agree = log_.last_not_above(std::min(x.hint_index, x.index), x.hint_term);
  p->begin_probe();
  p->next = std::max(p->match, agree) + 1;
}

} // namespace legion::consensus
