#include "actors/consensus/core.hpp"

#include <algorithm>

namespace legion::consensus {

snapshot_head founded_by(std::vector<member_id> voters) {
  snapshot_head result{1, 1, {std::move(voters), {}, {}}, 1};
  result.members = in_order(std::move(result.members));
  return result;
}

core::core(setting x, time_point now)
    : tuned_(x.tuned), self_(x.self), start_(x.start), random_(x.seed), may_vote_(x.may_vote),
      removed_at_(x.removed_at), waits_(x.waits), ballot_(x.ballot), contact_(now) {
  if (ballot_.term == 0 && x.head.index == 1)
    ballot_.term = x.head.term; // as founded
  bool sound = true;
  log_ = log{x.head, std::move(x.entries), sound};
  if (!sound || log_.last_term() > ballot_.term) {
    // A journal that contradicts itself can't say what it promised.
    may_vote_ = false;
    out_.made().fenced = true;
    alarm("the journal's log has gaps, or is newer than its ballot");
  }
  commit_ = handed_ = applied_ = x.head.index;
  durable_ = log_.last();
  unwritten_ = durable_ + 1;
  draw_timeout();
}

const configuration& core::deciding() const {
  return holds(rule::only_members_count) ? log_.members() : log_.oldest_members();
}

void core::alarm(std::string what) {
  auto& alarms = out_.made().alarms;
  if (alarms.size() < 16)
    alarms.push_back(std::move(what));
}

bool core::dirty() const {
  return ballot_dirty_ || installing_ || unwritten_ <= log_.last();
}

void core::post(const member_id& to, message_body body, after what, term_number term) {
  message x{self_, to, term, std::move(body)};
  std::uint64_t needs = 0;
  if (what == after::everything)
    needs = dirty() ? sequence_ + 1 : sequence_;
  else if (what == after::ballot)
    needs = ballot_dirty_ ? sequence_ + 1 : ballot_sequence_;
  if (needs > written_)
    held_.push_back({needs, std::move(x)});
  else if (to == self_)
    own_.push_back(std::move(x));
  else
    outbox_.push_back(std::move(x));
}

/// What this member says to itself goes no further.
void core::settle(time_point now) {
  touched_ = true;
  while (!own_.empty()) {
    auto x = std::move(own_.front());
    own_.pop_front();
    dispatch(x, now);
  }
}

void core::on_message(message x, time_point now) {
  if (x.from == self_ || x.from.null() || x.to.node != self_.node)
    return;
  if (x.to != self_) { // meant for whoever kept an earlier journal here
    if (!std::holds_alternative<stranger>(x.body) && !std::holds_alternative<removed>(x.body)
        && !std::holds_alternative<fence>(x.body))
      post(x.from, stranger{}, after::nothing, 0);
    settle(now);
    return;
  }
  dispatch(x, now);
  settle(now);
}

void core::dispatch(message& x, time_point now) {
  if (auto* told = std::get_if<stranger>(&x.body))
    return on(*told, x, now);
  if (auto* told = std::get_if<removed>(&x.body))
    return on(*told, x, now);
  if (x.term > term() && !rises(x, now))
    return;
  if (x.term < term())
    return answer_stale(x);
  if (x.from != self_)
    heard_from(x.from, now);
  std::visit([&](const auto& body) { on(body, x, now); }, x.body);
}

/// A higher term ends this member's own (3.3), with the exceptions that keep the undisturbed
/// undisturbed (9.6, 4.2.3). False: nothing more to do.
bool core::rises(const message& x, time_point now) {
  if (auto* request = std::get_if<vote_request>(&x.body)) {
    if (request->trial)
      return true;
    if (leased(now) && !request->transfer)
      return false;
  }
  if (auto* reply = std::get_if<vote_reply>(&x.body); reply && reply->trial && reply->granted)
    return true;
  bool leads =
      std::holds_alternative<append>(x.body) || std::holds_alternative<snapshot_chunk>(x.body)
      || std::holds_alternative<confirm>(x.body) || std::holds_alternative<take_over>(x.body);
  become_follower(x.term, leads ? x.from : member_id{}, now);
  return true;
}

/// Who lives in an earlier term is told of this one, so that it steps down or asks anew (3.3).
void core::answer_stale(const message& x) {
  if (auto* request = std::get_if<vote_request>(&x.body))
    post(x.from, vote_reply{request->trial, false}, after::everything);
  else if (auto* refused = std::get_if<append>(&x.body))
    post(x.from, reply_with(false, refused->previous_index), after::everything);
  else if (std::holds_alternative<snapshot_chunk>(x.body)
           || std::holds_alternative<confirm>(x.body))
    post(x.from, reply_with(false, 0), after::everything);
}

void core::on_written(std::uint64_t sequence, time_point now) {
  written_ = std::max(written_, std::min(sequence, sequence_));
  for (; !writing_.empty() && writing_.front().sequence <= written_; writing_.pop_front())
    durable_ = std::max(durable_, writing_.front().last);
  for (; !restoring_.empty() && restoring_.front().first <= written_; restoring_.pop_front())
    out_.made().restore = std::move(restoring_.front().second);
  auto ready = std::stable_partition(held_.begin(), held_.end(),
                                     [&](const held_message& x) { return x.sequence <= written_; });
  for (auto i = held_.begin(); i != ready; ++i)
    (i->what.to == self_ ? (void)own_.push_back(std::move(i->what))
                         : outbox_.push_back(std::move(i->what)));
  held_.erase(held_.begin(), ready);
  if (role_ == role::leader)
    maybe_commit(now);
  settle(now);
}

void core::on_applied(log_index index) {
  applied_ = std::max(applied_, std::min(index, handed_));
  for (; !unapplied_.empty() && unapplied_.front().last <= index; unapplied_.pop_front())
    unapplied_bytes_ -= unapplied_.front().bytes;
  touched_ = true;
}

void core::on_tick(time_point now) {
  if (role_ != role::leader) {
    if (now >= election_at())
      campaign(true, false, now); // 9.6: ask first
    return settle(now);
  }
  if (now >= quorum_until()) { // 6.2
    become_follower(term(), {}, now);
    return settle(now);
  }
  if (!successor_.null() && now >= transfer_until_) {
    successor_ = {};
    if (abstains_)
      become_follower(term(), {}, now);
    if (role_ != role::leader)
      return settle(now);
  }
  for (auto& x : progress_)
    if (now >= x.resend_at)
      resend(x, now);
  if (now >= confirm_again_)
    begin_round(now);
  if (now >= commit_due_) {
    commit_due_ = time_point::max();
    commit_now_ = true;
  }
  settle(now);
}

time_point core::wake_at() const {
  if (role_ != role::leader)
    return election_at();
  auto result = std::min({quorum_until(), confirm_again_, commit_due_, transfer_wakes_at()});
  for (const auto& x : progress_)
    result = std::min(result, x.resend_at);
  return result;
}

void core::compose_write(work& out) {
  if (!dirty())
    return;
  auto& x = out.write.emplace();
  x.sequence = ++sequence_;
  x.ballot = ballot_;
  if (ballot_dirty_)
    ballot_sequence_ = sequence_;
  ballot_dirty_ = false;
  if (installing_) {
    restoring_.push_back({sequence_, *installing_});
    x.installed = installing_.take();
  }
  x.entries.reserve(log_.last() + 1 - unwritten_);
  for (; unwritten_ <= log_.last(); ++unwritten_)
    x.entries.push_back(log_.at(unwritten_));
  x.truncate_from = std::exchange(truncate_from_, 0);
  writing_.push_back({sequence_, log_.last()});
}

/// A leader's own disk may be the slow one: what the others have on theirs is committed (10.2.1).
/// Elsewhere only what is on the own disk too, and nothing before a snapshot that is being written.
void core::hand_out(work& out) {
  std::size_t bytes = 0;
  auto upto = commit_;
  if (role_ != role::leader || installing_ || !restoring_.empty())
    upto = std::min(upto, durable_);
  for (; handed_ < upto && unapplied_bytes_ + bytes < tuned_.unapplied_bytes; ++handed_) {
    out.committed.push_back(log_.at(handed_ + 1));
    bytes += cost(*out.committed.back());
  }
  if (!out.committed.empty()) {
    unapplied_.push_back({handed_, bytes});
    unapplied_bytes_ += bytes;
  }
  for (; !granted_.empty() && granted_.front().index <= handed_; granted_.pop_front())
    out.reads.push_back({granted_.front().number, granted_.front().index});
}

work core::take_work(time_point now) {
  touched_ = false;
  if (role_ == role::leader) {
    advance_transfer();
    if (!waiting_.empty() && ready_ && waiting_.back().round > round_)
      begin_round(now);
    for (auto& x : progress_)
      feed(x, now);
    commit_now_ = false;
    settle(now);
    touched_ = false;
  }
  auto result = out_.take();
  compose_write(result);
  result.messages = std::exchange(outbox_, {});
  if (result.restore) { // the state is this; what was handed out before is part of it
    unapplied_.clear();
    unapplied_bytes_ = 0;
    applied_ = std::max(applied_, result.restore->head.index);
  }
  hand_out(result);
  if (role_ != last_role_ || term() != last_term_ || leader_ != last_leader_
      || log_.members_index() != last_members_ || ready_ != was_ready_) {
    last_role_ = role_;
    last_term_ = term();
    last_leader_ = leader_;
    last_members_ = log_.members_index();
    was_ready_ = ready_;
    result.changed = true;
  }
  return result;
}

beat_item core::beat() const {
  auto what = role_ == role::leader ? standing::leads
              : leader_.null()      ? standing::alone
                                    : standing::follows;
  return {term(), what};
}

bool core::outside() const {
  const auto& members = log_.members();
  return role_ != role::leader && !members.has(self_) && !members.joint()
         && log_.members_index() <= commit_;
}

core::status core::describe(time_point now) const {
  status x;
  x.role = role_;
  x.term = term();
  x.leader = leader_;
  x.members = log_.members();
  x.members_index = log_.members_index();
  x.members_committed = x.members_index <= commit_ && !x.members.joint();
  x.first = log_.base() + 1;
  x.last = log_.last();
  x.last_term = log_.last_term();
  x.trusted = may_vote_;
  x.commit = commit_;
  x.applied = applied_;
  x.ready = role_ == role::leader && ready_;
  for (const auto& p : progress_)
    x.followers.push_back(
        {p.who, p.match, !x.members.votes(p.who), p.caught_up, seems_up(p, now) && !p.fallen});
  return x;
}

} // namespace legion::consensus
