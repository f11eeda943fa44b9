#include <algorithm>

#include "actors/consensus/core.hpp"
#include "actors/consensus/quorum.hpp"

// Who leads: Ongaro 2014, chapter 3.4 to 3.6, pre-vote 9.6, leases against disturbance 4.2.3,
// transfer 3.10.

namespace legion::consensus {

/// T to 2T at random (3.4); while a leader is known to be dead, short pauses, so that of several
/// that know it one asks first.
void core::draw_timeout() {
  auto least = time_point::duration{tuned_.election_timeout}.count();
  timeout_ = time_point::duration{least + static_cast<std::int64_t>(random_() % least)};
}

/// What a member promised before it was removed is forgotten; once its log holds a later
/// configuration with it, that log has all that came of those promises.
bool core::may_vote() const {
  if (!may_vote_ || removed_at_ == 0)
    return may_vote_;
  return (log_.members_index() > removed_at_ && log_.members().has(self_))
         || (log_.previous_index() > removed_at_ && log_.previous_members().has(self_));
}

/// Even when its newest configuration leaves it out, as long as that may not be committed: those who
/// know less can't win against its log (4.2.2, figure 4.6).
bool core::may_stand() const {
  bool votes = log_.members().votes(self_)
               || (log_.members_index() > commit_ && log_.previous_members().votes(self_));
  return may_vote() && !abstains_ && !waits_ && votes;
}

/// Its beats come, and say that it leads in this term.
bool core::hears_leader() const {
  if (leader_.null())
    return false;
  auto i = peers_.find(leader_.node);
  return i != peers_.end() && i->second.hearing && i->second.who == leader_
         && i->second.item == beat_item{term(), standing::leads};
}

/// A leader that was heard within T is not to be disturbed (4.2.3).
bool core::leased(time_point now) const {
  if (role_ == role::leader)
    return true;
  return !leader_.null() && (hears_leader() || now - contact_ < tuned_.election_timeout);
}

time_point core::election_at() const {
  if (!may_stand() || (role_ == role::follower && hears_leader()))
    return time_point::max();
  const auto& members = log_.members();
  if (role_ == role::follower && members.voters.size() == 1 && !members.joint())
    return contact_; // there is nobody else to wait for
  return contact_ + timeout_;
}

/// The leader is dead for certain: ask for votes now, or as good as.
void core::prompt(time_point now) {
  prompt_until_ = now + tuned_.election_timeout;
  auto most = std::max<std::int64_t>(1, time_point::duration{tuned_.prompt_pause}.count());
  timeout_ = time_point::duration{static_cast<std::int64_t>(random_() % most)};
  contact_ = now;
}

void core::leader_lost(time_point now) {
  if (role_ != role::follower || leader_.null())
    return;
  leader_ = {};
  prompt(now);
}

void core::become_follower(term_number to, const member_id& leader, time_point now) {
  if (to > term()) {
    ballot_ = {to, {}};
    ballot_dirty_ = true;
  }
  if (role_ == role::leader)
    refuse_reads();
  role_ = role::follower;
  leader_ = leader;
  votes_.clear();
  progress_.clear();
  ready_ = false;
  commit_due_ = confirm_again_ = time_point::max();
  successor_ = {};
  offer_.reset();
  offer_wanted_ = false;
  incoming_.reset();
  contact_ = now;
  draw_timeout();
}

/// A message that only this term's leader sends. False: it can't be from the leader.
bool core::follow(const member_id& leader, time_point now) {
  if (role_ == role::leader || (!leader_.null() && leader_ != leader)) {
    alarm("two leaders in term " + std::to_string(term()));
    return false;
  }
  if (role_ != role::follower || leader_.null())
    become_follower(term(), leader, now);
  contact_ = now;
  return true;
}

void core::campaign(bool trial, bool transfer, time_point now) {
  role_ = trial ? role::pre_candidate : role::candidate;
  leader_ = {};
  votes_.clear();
  contact_ = now;
  draw_timeout();
  if (now < prompt_until_)
    timeout_ = tuned_.prompt_pause + timeout_ % (2 * tuned_.prompt_pause);
  if (!trial) {
    ballot_ = {term() + 1, self_};
    ballot_dirty_ = true;
  }
  // Its own vote counts, and others are asked, once all that they go by is on disk (3.8).
  auto asked = trial ? term() + 1 : term();
  post(self_, vote_reply{trial, true}, after::everything, asked);
  vote_request x{trial, log_.last(), log_.last_term(), transfer};
  for (const auto& who : log_.members().all())
    if (who != self_ && log_.members().votes(who))
      post(who, x, after::everything, asked);
}

void core::on(const vote_request& x, const message& m, time_point now) {
  bool newer = log_.not_newer_than(x.last_index, x.last_term); // 3.6.1
  if (x.trial) { // 9.6: it could win, and nobody leads whom that would disturb
    const auto& members = log_.members();
    if (role_ == role::leader && !members.has(m.from) && log_.members_index() <= commit_
        && !members.joint())
      post(m.from, removed{log_.members_index()}, after::nothing);
    bool granted = m.term > term() && !leased(now) && newer && may_vote();
    post(m.from, vote_reply{true, granted}, after::everything, granted ? m.term : term());
    return;
  }
  bool free =
      ballot_.vote.null() ? leader_.null() : ballot_.vote == m.from; // one vote a term (3.4)
  bool granted = free && newer && may_vote();
  if (granted && ballot_.vote.null()) {
    ballot_.vote = m.from;
    ballot_dirty_ = true;
  }
  if (granted)
    contact_ = now;
  post(m.from, vote_reply{false, granted}, after::everything);
}

void core::on(const vote_reply& x, const message& m, time_point now) {
  bool mine = x.trial ? role_ == role::pre_candidate && m.term == (x.granted ? term() + 1 : term())
                      : role_ == role::candidate && m.term == term();
  if (!mine)
    return;
  votes_.emplace(m.from, x.granted);
  auto voted = [&](const member_id& who, bool how) {
    auto i = votes_.find(who);
    return i != votes_.end() && i->second == how;
  };
  if (quorum(log_.members(), [&](const member_id& who) { return voted(who, true); })) {
    if (x.trial)
      campaign(false, false, now);
    else
      become_leader(now);
  } else if (!quorum(log_.members(), [&](const member_id& who) { return !voted(who, false); })) {
    role_ = role::follower; // lost: again after the timeout that was drawn
    votes_.clear();
  }
}

void core::become_leader(time_point now) {
  role_ = role::leader;
  leader_ = self_;
  votes_.clear();
  progress_.clear();
  sync_progress(0, now);
  uncommitted_bytes_ = 0;
  for (auto i = commit_ + 1; i <= log_.last(); ++i)
    uncommitted_bytes_ += cost(*log_.at(i));
  first_own_ = log_.last() + 1;
  settled_ = log_.members_index() <= commit_ && !log_.members().joint() ? log_.members_index() : 0;
  ready_ = !holds(rule::noop_first);
  if (!ready_) // what came before can only be committed through an entry of its own (6.4, 3.6.2)
    append_own(entry_kind::noop, {});
}

void core::on(const take_over&, const message& m, time_point now) {
  if (role_ == role::leader || (!leader_.null() && leader_ != m.from) || !may_stand())
    return;
  campaign(false, true, now); // 3.10: no pre-vote, and no lease stands against it
}

result<void> core::transfer(const member_id& to, time_point now) {
  if (role_ != role::leader)
    return fault{errc::refused, "not the leader"};
  auto* x = find(to);
  if (!x || !log_.members().votes(to) || x->fallen)
    return fault{errc::invalid, "leadership goes to another voter of the group only"};
  successor_ = to;
  successor_told_ = false;
  transfer_until_ = now + tuned_.election_timeout;
  settle(now);
  return {};
}

time_point core::transfer_wakes_at() const {
  return successor_.null() ? time_point::max() : transfer_until_;
}

/// The successor is asked to stand once it has all there is; nothing new is taken meanwhile (3.10).
void core::advance_transfer() {
  if (successor_.null() || successor_told_)
    return;
  auto* x = find(successor_);
  if (!x || !log_.members().votes(successor_))
    successor_ = {};
  else if (x->match == log_.last()) {
    post(successor_, take_over{}, after::nothing);
    successor_told_ = true;
  }
}

const progress* core::successor(log_index at_least, time_point now) const {
  const progress* best = nullptr;
  for (const auto& x : progress_)
    if (log_.members().votes(x.who) && !x.fallen && x.match >= at_least && seems_up(x, now)
        && (!best || x.match > best->match))
      best = &x;
  return best;
}

void core::abstain(bool x, time_point now) {
  abstains_ = x;
  if (!x || role_ != role::leader || !successor_.null()) // or it hands over already
    return;
  if (auto* best = successor(0, now))
    (void)transfer(best->who, now);
}

} // namespace legion::consensus
