#include <algorithm>

#include "actors/consensus/core.hpp"

// Who the members are: Ongaro 2014, chapter 4: a configuration holds from the entry on (4.1),
// learners catch up in rounds (4.2.1), a leader may remove itself (4.2.2), joint consensus (4.3).

namespace legion::consensus {

/// Empty: the change may begin: one at a time (4.1), of learners that caught up (4.2.1), and after
/// the term's no-op (Ongaro's correction of 4.1, raft-dev, 10 July 2015).
std::string core::obstacle_to(const configuration& wanted) const {
  if (auto flaw = flaw_of(wanted); !flaw.empty())
    return flaw;
  if (!ready_ && holds(rule::change_after_noop))
    return "nothing of this leader's term is committed yet";
  if (log_.members().joint() || log_.members_index() > commit_)
    return "a change of members is under way";
  for (const auto& who : wanted.voters) {
    if (log_.members().votes(who))
      continue;
    auto* x = find(who);
    if (!x || !x->caught_up || x->fallen)
      return "a new voter must first be a learner that has caught up";
  }
  return {};
}

result<core::position> core::propose_change(configuration wanted, time_point now) {
  if (role_ != role::leader)
    return fault{errc::refused, "not the leader"};
  if (!successor_.null())
    return fault{errc::refused, "leadership is being handed over"};
  wanted.outgoing.clear();
  wanted = in_order(std::move(wanted));
  if (auto why = obstacle_to(wanted); !why.empty())
    return fault{flaw_of(wanted).empty() ? errc::refused : errc::invalid, why};
  if (wanted.voters != log_.members().voters)
    wanted.outgoing = log_.members().voters; // joint (4.3); of learners only, one entry does
  touched_ = true;
  return append_configuration(wanted, now);
}

core::position core::append_configuration(const configuration& x, time_point now) {
  auto result = append_own(entry_kind::configuration, encode(x));
  sync_progress(result.index, now);
  return result;
}

/// A progress for each member of the newest configuration; those it removes are sent what there is
/// until that is committed, so that they learn of it. Who is new is so since that entry.
void core::sync_progress(log_index since, time_point now) {
  auto wanted = log_.members().all();
  auto also = [&](const configuration& x) {
    auto all = x.all();
    wanted.insert(wanted.end(), all.begin(), all.end());
  };
  if (log_.members_index() > commit_)
    also(log_.previous_members());
  also(deciding());
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  std::vector<progress> result;
  result.reserve(wanted.size());
  for (const auto& who : wanted) {
    if (who == self_)
      continue;
    if (auto* x = find(who))
      result.push_back(std::move(*x));
    else
      count_round(result.emplace_back(who, log_.last() + 1, since, now), true, now);
  }
  progress_ = std::move(result);
}

/// What the commit of a configuration brings about.
void core::advance_change(time_point now) {
  if (log_.members_index() > commit_ || log_.members_index() == settled_)
    return;
  if (log_.members().joint()) { // 4.3: C-old,new is committed: on to C-new
    auto next = log_.members();
    next.outgoing.clear();
    append_configuration(next, now);
    return;
  }
  settled_ = log_.members_index();
  std::vector<member_id> before;
  for (const auto& x : progress_)
    before.push_back(x.who);
  sync_progress(settled_, now);
  for (const auto& who : before)
    if (!find(who))
      post(who, removed{log_.members_index()}, after::nothing);
  if (!log_.members().votes(self_))
    retire(now);
}

/// The leader has removed itself: it leads until that is committed, and no longer (4.2.2).
void core::retire(time_point now) {
  if (auto* next = successor(log_.members_index(), now))
    post(next->who, take_over{}, after::nothing);
  if (!log_.members().has(self_))
    out_.made().removed = log_.members_index();
  become_follower(term(), {}, now);
}

/// A learner has caught up when what was there at the beginning of a round took it less than an
/// election timeout (4.2.1); or when it has all there is: the next round is empty, and nobody begins
/// it while nothing is written.
void core::count_round(progress& x, bool first, time_point now) {
  if (!first) {
    if (x.caught_up || x.match < x.round_end)
      return;
    auto soon = now - x.round_begin < tuned_.election_timeout || x.match >= log_.last();
    if (soon && !log_.members().votes(x.who)) {
      x.caught_up = true;
      out_.made().caught_up.push_back(x.who);
    }
  }
  x.round_end = log_.last();
  x.round_begin = now;
}

void core::report(progress& x, const member_id& now_there) {
  if (std::exchange(x.reported, true))
    return;
  out_.made().readmissions.push_back({x.who, now_there});
}

void core::on(const stranger&, const message& m, time_point) {
  if (role_ != role::leader || log_.members().has(m.from))
    return;
  for (auto& x : progress_)
    if (x.who.node == m.from.node && log_.members().has(x.who))
      report(x, m.from);
}

/// A quorum may count on what was forgotten here: no more promises.
void core::on(const fence& x, const message& m, time_point now) {
  if (!follow(m.from, now) || log_.last() >= x.acknowledged || !may_vote_)
    return;
  may_vote_ = false;
  out_.made().fenced = true;
  alarm("the log here ends at " + std::to_string(log_.last()) + ", but up to "
        + std::to_string(x.acknowledged) + " was acknowledged");
}

void core::on(const removed& x, const message&, time_point) {
  if (x.members_index > log_.members_index()
      || (x.members_index == log_.members_index() && !log_.members().has(self_)))
    out_.made().removed = x.members_index;
}

} // namespace legion::consensus
