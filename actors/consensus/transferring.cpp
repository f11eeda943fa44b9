#include <algorithm>

#include "actors/consensus/core.hpp"

// Snapshots (Ongaro 2014, chapter 5) and the log's beginning: in chunks, under one window.

namespace legion::consensus {

snapshot_head core::head_at(log_index index) const {
  return log_.head_at(std::min(index, handed_));
}

void core::compact(log_index upto) {
  upto = std::min({upto, applied_, durable_, unwritten_ - 1});
  // A follower that installs the snapshot on offer goes on from its end.
  if (offer_ && log_.bytes() <= tuned_.retained_bytes)
    upto = std::min(upto, offer_->head.index);
  log_.compact(upto);
}

void core::offer_snapshot(snapshot x) {
  offer_wanted_ = false;
  touched_ = true;
  if (role_ != role::leader || !x.state || x.head.index < log_.base() || x.head.index > handed_)
    return;
  offer_ = std::make_shared<const snapshot>(std::move(x));
  for (auto& p : progress_)
    if (p.now == progress::mode::snapshot && !p.sending)
      p.begin_snapshot(offer_);
}

void core::need_snapshot(progress& x) {
  if (offer_ && offer_->head.index < log_.base())
    offer_.reset(); // too old to go on from
  x.begin_snapshot(offer_);
  if (!offer_ && !std::exchange(offer_wanted_, true))
    out_.made().wants_snapshot = true;
}

void core::feed_chunks(progress& x, time_point now) {
  while (!x.full(tuned_)) {
    const auto& state = *x.sending->state;
    snapshot_chunk what;
    what.head = x.head;
    what.offset = x.chunk_sent;
    what.size = state.size();
    what.data = state.substr(x.chunk_sent, tuned_.chunk_bytes);
    x.chunk_sent += what.data.size();
    x.opened = true;
    if (x.resend_at == time_point::max())
      x.resend_at = now + tuned_.resend_after;
    post(x.who, std::move(what), after::nothing);
  }
}

void core::on(const snapshot_chunk& x, const message& m, time_point now) {
  if (!x.head || !flaw_of(x.head->members).empty() || x.head->term > m.term
      || x.size > tuned_.snapshot_bytes || x.offset + x.data.size() > x.size)
    return alarm("a piece of a snapshot that makes no sense");
  if (!follow(m.from, now))
    return;
  const auto& head = *x.head;
  snapshot_reply done{head.index, x.size, true, ++replies_, start_};
  if (head.index <= commit_)
    return post(m.from, done, after::everything);
  if (log_.has(head.index, head.term) && holds(rule::longer_log_stays)) {
    commit_to(head.index, now); // the log has it and perhaps more, acknowledged: it stays (5.3)
    return post(m.from, done, after::everything);
  }
  if (!incoming_ || incoming_->from != m.from || incoming_->term != m.term
      || incoming_->head != head || incoming_->size != x.size)
    incoming_ = incoming_snapshot{m.from, m.term, head, x.size, {}};
  auto& in = *incoming_;
  if (x.offset == in.state.size())
    in.state += x.data;
  if (in.state.size() < in.size)
    return post(m.from, snapshot_reply{head.index, in.state.size(), false, 0, 0}, after::nothing);
  install();
  post(m.from, done, after::everything);
}

/// The log ends; the snapshot takes its place, in one write.
void core::install() {
  auto state = std::make_shared<const std::string>(std::move(incoming_->state));
  installing_ = snapshot{incoming_->head, std::move(state)};
  incoming_.reset();
  const auto& head = installing_->head;
  log_.reset(head);
  commit_ = handed_ = head.index;
  durable_ = 0;
  for (auto& x : writing_)
    x.last = 0;
  unwritten_ = head.index + 1;
  truncate_from_ = 0;
}

void core::on(const snapshot_reply& x, const message& m, time_point now) {
  auto* p = role_ == role::leader ? find(m.from) : nullptr;
  if (!p || p->fallen || x.index > log_.last())
    return;
  if (x.done) {
    p->reply = std::max(p->reply, {x.start, x.count});
    accepted(*p, x.index, now);
    if (p->now == progress::mode::snapshot)
      p->begin_probe(); // the log's beginning has moved on: another
  } else if (p->now == progress::mode::snapshot && p->sending && p->head->index == x.index
             && x.received <= p->sending->state->size()) {
    // Less than before: it started anew (or the reply was overtaken, and a window is sent twice).
    p->chunk_sent =
        x.received < p->chunk_received ? x.received : std::max(p->chunk_sent, x.received);
    p->chunk_received = x.received;
    p->resend_at = now + tuned_.resend_after;
  }
  bool needed = std::any_of(progress_.begin(), progress_.end(),
                            [](const progress& y) { return y.sending != nullptr; });
  if (!needed)
    offer_.reset();
}

} // namespace legion::consensus
