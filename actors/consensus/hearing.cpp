#include <algorithm>

#include "actors/consensus/core.hpp"
#include "actors/consensus/quorum.hpp"

// Who is heard: what beats say of peers, and what a leader makes of silence (check-quorum, 6.2).

namespace legion::consensus {

/// Its beats come, and say that it follows in this term; whom, there is only one to follow.
bool core::follows_me(const member_id& who) const {
  auto i = peers_.find(who.node);
  return role_ == role::leader && i != peers_.end() && i->second.hearing && i->second.who == who
         && i->second.item == beat_item{term(), standing::follows};
}

/// Worth sending to.
bool core::seems_up(const progress& x, time_point now) const {
  auto i = peers_.find(x.who.node);
  if (i != peers_.end() && i->second.who == x.who && i->second.hearing
      && i->second.item.standing != standing::gone)
    return true;
  return now - x.heard < tuned_.election_timeout;
}

/// When this leader will not have heard a quorum for T: then it isn't one any more (6.2).
time_point core::quorum_until() const {
  auto heard = agreed<time_point>(log_.members(), [&](const member_id& who) {
    if (who == self_ || follows_me(who))
      return time_point::max();
    auto* x = find(who);
    return x ? x->heard : time_point::min();
  });
  return heard == time_point::max() ? heard : heard + tuned_.election_timeout;
}

/// Something was heard of a follower that nothing was sent to any more: find out what it needs.
void core::wake(progress& x) {
  if (x.parked)
    x.probe_again();
}

void core::heard_from(const member_id& who, time_point now) {
  if (auto* x = find(who)) {
    x->heard = std::max(x->heard, now);
    wake(*x);
  }
}

void core::on_beat(const member_id& from, const beat_item& x, time_point now) {
  if (from.node == self_.node || from.null()
      || (peers_.size() >= 2 * configuration::most_members && !peers_.contains(from.node)))
    return;
  auto& known = peers_[from.node];
  bool led = known.who == leader_ && known.item == beat_item{term(), standing::leads};
  bool news = !known.hearing || known.who != from || known.item != x;
  known = {from, x, true, now};
  if (x.standing == standing::leads && x.term > term()) {
    become_follower(x.term, from, now);
  } else if (x.standing == standing::leads && x.term == term()) {
    follow(from, now);
  } else if (role_ == role::leader) {
    if (x.term > term() && log_.members().votes(from))
      become_follower(x.term, {}, now); // it could not follow this term any more
    else if (!log_.members().has(from) && x.standing != standing::gone && !log_.members().joint()
             && log_.members_index() <= commit_)
      post(from, removed{log_.members_index()}, after::nothing);
  } else if (led && leader_ == from) {
    leader_lost(now); // it said itself that it doesn't lead any more
  }
  heard_from(from, now);
  if (auto* p = find(from); p && news)
    p->commit_sent = 0; // it may have started anew, and know of no commit yet
  settle(now);
}

void core::on_silence(const node_id& node, time_point since, time_point now) {
  auto i = peers_.find(node);
  if (i == peers_.end() || !i->second.hearing)
    return;
  if (auto* x = find(i->second.who))
    x->heard = std::max(x->heard, since);
  if (leader_.node == node)
    contact_ = std::max(contact_, since); // the timeout counts from here
  i->second.hearing = false;
  i->second.last = since;
  settle(now);
}

void core::on_refused(const node_id& node, time_point now) {
  if (auto i = peers_.find(node); i != peers_.end()) {
    if (auto* x = find(i->second.who); x && i->second.hearing)
      x->heard = now;
    i->second.hearing = false;
    i->second.item.standing = standing::gone;
  }
  if (leader_.node == node && role_ == role::follower)
    leader_lost(now);
  settle(now);
}

} // namespace legion::consensus
