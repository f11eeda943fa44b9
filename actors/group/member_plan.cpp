#include "actors/group/member_plan.hpp"

#include <algorithm>

#include "actors/group/whereabouts.hpp"

namespace legion::group {

using consensus::configuration;
using consensus::member_id;

namespace {

bool in(const std::vector<member_id>& all, const member_id& x) {
  return std::find(all.begin(), all.end(), x) != all.end();
}

const resident* find(const std::vector<resident>& zone, const node_id& x) {
  auto i = std::find_if(zone.begin(), zone.end(), [&](const resident& y) { return y.id == x; });
  return i == zone.end() ? nullptr : &*i;
}

/// Of those who died at another time, or are not on the roster any more, it tells nothing.
bool died_with(const resident& x, const resident& one) {
  auto apart = x.since > one.since ? x.since - one.since : one.since - x.since;
  return x.admitted && apart < member_rules::patience;
}

/// Then it is the network that failed, or the whole place: nobody is to be replaced who died with it.
/// Who is on the roster no more does not come back: its place is not kept for it.
bool mass_failure(const std::vector<resident>& zone, const resident& one) {
  if (!one.admitted)
    return false;
  std::size_t dead = 0;
  std::size_t all = 0;
  for (const auto& x : zone) {
    if (x.state == member_left || (x.state == member_dead && !died_with(x, one)))
      continue;
    ++all;
    dead += x.state == member_dead;
  }
  return dead * 3 > all;
}

bool here(const resident& x) {
  return x.state == member_alive || x.state == member_suspect;
}

/// By the leader, as a member.
bool heard(const consensus::core::status& now_is, const member_id& who) {
  return std::any_of(now_is.followers.begin(), now_is.followers.end(),
                     [&](const auto& x) { return x.who == who && x.heard; });
}

} // namespace

std::size_t member_rules::size_among(std::size_t nodes) const {
  std::size_t result = 1;
  for (const auto& x : sizes_)
    if (x.nodes <= nodes)
      result = x.voters;
  return result;
}

bool member_rules::may_join(const resident& x, time_point now) const {
  return x.admitted && !x.draining && x.state == member_alive && now - x.since >= settling
         && !x.journal.null() && !distrusted_.contains({x.id, x.journal})
         && !leaving_.contains({x.id, x.journal});
}

/// Because a person wants it to.
bool member_rules::is_leaving(const member_id& who, const std::vector<resident>& zone) const {
  const auto* x = find(zone, who.node);
  return leaving_.contains(who) || (x && (x->draining || x->state == member_left));
}

/// A voter keeps its place, though it may be down for a while.
bool member_rules::stays(const member_id& who, const std::vector<resident>& zone, bool may_move,
                         time_point now) const {
  const auto* x = find(zone, who.node);
  if (distrusted_.contains(who) || is_leaving(who, zone))
    return false;
  if (who == self_)
    return true;
  if (!x) // nor is it on the roster
    return !may_move || now - began_ < patience;
  if (x->lost_journal_of(who))
    return false;
  return here(*x) || !may_move || now - x->since < patience || mass_failure(zone, *x);
}

std::vector<member_id> member_rules::wanted(const consensus::core::status& now_is,
                                            const std::vector<resident>& zone, bool may_move,
                                            member_plan& plan, time_point now) const {
  const auto& of = now_is.members;
  std::vector<member_id> kept;
  for (const auto& who : of.voters)
    if (stays(who, zone, may_move, now))
      kept.push_back(who);
  auto healthy = kept.size() == of.voters.size();
  std::vector<resident> newcomers;
  newcomers.reserve(zone.size());
  for (const auto& x : zone) {
    auto joins = may_join(x, now);
    if (in(kept, {x.id, x.journal}))
      continue;
    plan.waits = plan.waits
                 || (!joins && x.admitted && !x.draining && x.state == member_alive
                     && !leaving_.contains({x.id, x.journal}));
    if (joins)
      newcomers.push_back(x);
  }
  auto size = std::max(of.voters.size(), size_among(kept.size() + newcomers.size()));
  auto most =
      newcomers.begin()
      + static_cast<std::ptrdiff_t>(std::min(newcomers.size(), std::max<std::size_t>(size, 1)));
  std::partial_sort(
      newcomers.begin(), most, newcomers.end(),
      [&](const resident& a, const resident& b) { return ranks_before(group_, a.id, b.id); });
  auto result = kept;
  for (const auto& x : newcomers)
    if (result.size() < size)
      result.push_back({x.id, x.journal});
  std::vector<member_id> unreplaced;
  for (const auto& who : of.voters)
    if (result.size() + unreplaced.size() < size && !in(result, who))
      unreplaced.push_back(who);
  auto all_leave = std::all_of(unreplaced.begin(), unreplaced.end(),
                               [&](const member_id& who) { return is_leaving(who, zone); });
  auto lives = [&](const member_id& who) {
    const auto* x = find(zone, who.node);
    return who == self_ || (x && here(*x) && !(in(of.voters, who) && !heard(now_is, who)));
  };
  auto last = std::find_if(result.begin(), result.end(), lives);
  if (last != result.end() && result.size() * 2 <= size && all_leave)
    return {*last}; // else those who stay would wait for who left
  result.insert(result.end(), unreplaced.begin(), unreplaced.end());
  if (!healthy || result.size() != of.voters.size() || result.size() < sizes_.front().voters
      || newcomers.empty() || !may_move)
    return result;
  // All is well: the one that ranks lowest makes room for one that ranks higher.
  auto votes = [&](const resident& x) {
    return std::any_of(result.begin(), result.end(), [&](const auto& y) { return y.node == x.id; });
  };
  auto known = std::all_of(result.begin(), result.end(),
                           [&](const member_id& x) { return find(zone, x.node) != nullptr; });
  auto calm = known && std::all_of(zone.begin(), zone.end(), [&](const resident& x) {
                auto gone = x.state == member_dead && now - x.since >= patience && !votes(x);
                return x.state == member_left || gone || (here(x) && now - x.since >= steady);
              });
  auto lowest = std::max_element(result.begin(), result.end(), [&](const auto& a, const auto& b) {
    return ranks_before(group_, a.node, b.node);
  });
  if (calm && ranks_before(group_, newcomers.front().id, lowest->node))
    *lowest = {newcomers.front().id, newcomers.front().journal};
  return result;
}

departure member_rules::without(const member_id& who, const consensus::core::status& now_is,
                                const std::vector<resident>& zone, time_point now) const {
  const auto& members = now_is.members;
  if (now_is.members_committed && !members.has(who))
    return departure_free;
  auto next = plan(now_is, zone, false, now);
  if (next.change || next.waits)
    return departure_under_way;
  auto up = [&](const member_id& x) {
    const auto* at = find(zone, x.node);
    return x != who && at && here(*at) && (x == self_ || heard(now_is, x)) && !is_leaving(x, zone);
  };
  auto left =
      static_cast<std::size_t>(std::count_if(members.voters.begin(), members.voters.end(), up));
  return left * 2 > members.voters.size() ? departure_free : departure_stuck;
}

member_plan member_rules::plan(const consensus::core::status& now_is,
                               const std::vector<resident>& zone, bool may_move,
                               time_point now) const {
  member_plan result;
  if (!now_is.ready)
    return result;
  if (!now_is.members_committed) {
    result.waits = true;
    return result;
  }
  const auto& members = now_is.members;
  auto moving = may_move || !members.learners.empty(); // what was begun goes on
  auto voters_now = wanted(now_is, zone, moving, result, now);
  auto caught_up = [&](const member_id& who) {
    return std::any_of(now_is.followers.begin(), now_is.followers.end(),
                       [&](const auto& x) { return x.who == who && x.caught_up; });
  };
  configuration next;
  next.voters = members.voters;
  auto ready = true;
  for (const auto& who : voters_now)
    if (!in(members.voters, who)) {
      next.learners.push_back(who);
      ready = ready && in(members.learners, who) && caught_up(who);
    }
  if (ready)
    next = {voters_now, {}, {}};
  next = consensus::in_order(std::move(next));
  if (next != members)
    result.change = next;
  else if (!next.learners.empty())
    result.waits = true;
  if (result.change || !may_move || !next.learners.empty())
    return result;
  // Leaders spread over the zone as voters do: the voter that ranks highest leads.
  auto best = self_;
  for (const auto& x : now_is.followers) {
    const auto* at = find(zone, x.who.node);
    auto fit = !x.learner && x.heard && x.match == now_is.last && at && at->state == member_alive
               && now - at->since >= steady;
    if (fit && ranks_before(group_, x.who.node, best.node))
      best = x.who;
  }
  if (best != self_)
    result.lead = best;
  return result;
}

} // namespace legion::group
