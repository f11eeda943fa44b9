#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/group/group_state_part.hpp"

namespace legion {

namespace {

constexpr auto list_time = seconds{2};
constexpr auto review_pause = milliseconds{200}; // while something is under way
/// A healthy group looks once in so many seconds, at random, whether it should move: of a zone's 64
/// groups a few at a time.
constexpr int least_move_pause = 15;
constexpr int most_move_pause = 45;

void propose(group_pointer self, const consensus::configuration& wanted) {
  auto& s = self->state;
  auto done = s.core()->propose_change(wanted, now(self));
  std::string voters;
  for (const auto& x : wanted.voters)
    voters += (voters.empty() ? "" : ",") + name_of(s, x.node);
  if (done)
    spdlog::info("group members group={} voters={} learners={}", value(s.group), voters,
                 wanted.learners.size());
  else
    spdlog::debug("group members_refused group={} why=\"{}\"", value(s.group), done.why().detail);
}

/// The same question again does no harm: who follows is not told twice.
void ask_zone(group_pointer self) {
  auto& s = self->state;
  auto current = [self, asked = ++s.zone_asked] { return asked == self->state.zone_asked; };
  self->request(s.partners.membership, list_time,
                follow_members{caf::actor_cast<caf::strong_actor_ptr>(self)})
      .then(
          [self, current](const members_known& x) {
            if (!current())
              return;
            auto& s = self->state;
            for (const auto& y : x.members)
              on_member(self, y);
            s.zone_known = true;
            if (leads(s) && !s.core()->members().all().empty())
              s.seat->tell_beats();
            gather_zone(self);
            on_spread_zone(self);
            if (s.keeps)
              review_soon(self, review_pause);
            serve_authors(self);
            s.seat->pump();
          },
          [self, current](caf::error& why) {
            if (!current())
              return;
            spdlog::warn("group zone_unknown group={} why={}", value(self->state.group),
                         fault_of(why).detail);
            ask_zone(self);
          });
}

} // namespace

std::string name_of(const group_shell& state, const node_id& x) {
  if (x == state.context->self.id)
    return state.context->self.name;
  if (const auto* row = state.zone.find(x); row && !row->who.name().empty())
    return row->who.name();
  const auto* listed = state.roster ? state.roster->find(x) : nullptr;
  return listed ? listed->name() : x.short_text();
}

void draw_next_move(group_pointer self) {
  auto& s = self->state;
  auto pause =
      least_move_pause + static_cast<int>(s.random() % (most_move_pause - least_move_pause));
  s.next_move = now(self) + seconds{pause};
}

void review_soon(group_pointer self, time_point::duration after) {
  auto& s = self->state;
  auto at = now(self) + after;
  if (s.review_at && *s.review_at <= at)
    return;
  s.review_at = at;
  self->delayed_send(self, after, review_members{++s.review_generation});
}

/// While this member leads: who should be in the group, and who should lead it.
void review(group_pointer self, const review_members& x) {
  auto& s = self->state;
  if (x.generation != s.review_generation)
    return;
  s.review_at.reset();
  if (!s.core() || !s.keeps || !s.zone_known || s.full)
    return;
  ask_late_holders(self);
  outwait_leases(self);
  auto may_move = now(self) >= s.next_move && !s.committing;
  if (may_move)
    draw_next_move(self);
  auto now_is = s.core()->describe(now(self));
  hint(self, now_is);
  auto plan = s.choice->plan(
      now_is, s.zone.residents(s.roster.get(), died_by(s.context->remembered, s.choice->began())),
      may_move, now(self));
  if (plan.change) {
    propose(self, *plan.change);
  } else if (plan.lead && s.rules->resources().empty()) { // else what `why` remembers would be lost
    spdlog::info("group hands_over group={} to={}", value(s.group), name_of(s, plan.lead->node));
    (void)s.core()->transfer(*plan.lead, now(self));
  }
  s.seat->pump();
  auto soon = plan.change || plan.waits;
  auto seldom = std::max(s.next_move - now(self), time_point::duration{review_pause});
  review_soon(self, soon ? time_point::duration{review_pause} : seldom);
}

void on_member(group_pointer self, const member_change& x) {
  auto& s = self->state;
  if (!s.follows_zone)
    return; // it was on its way
  auto id = node_id::from_bytes(x.who.id());
  auto news = s.zone.put(s.group, x.who, x.state, x.since);
  if (news.claims && leads(s) && !s.core()->members().all().empty())
    s.seat->tell_beats();
  if (const auto* row = s.zone.find(id))
    gather_from(self, row->seen());
  if (!news.matters)
    return;
  if (s.choice && news.known_before && news.other_start)
    s.choice->welcome_back(id);
  if (s.keeps)
    review_soon(self, review_pause);
  if (!s.spreading && s.zone_known) {
    s.spreading = true; // what changes together is told together
    self->send(self, spread_zone{});
  }
}

void on_roster(group_pointer self, const roster_known& x) {
  auto& s = self->state;
  s.roster = x.roster;
  if (s.keeps)
    review_soon(self, review_pause);
}

void hint(group_pointer self, const consensus::core::status& x) {
  auto& s = self->state;
  if (!x.ready || !x.members_committed || !s.partners.charter || s.hinted == x.members_index)
    return;
  s.hinted = x.members_index;
  group_hint what;
  what.set_group(value(s.group));
  what.set_incarnation(consensus::incarnation_of(x.term));
  what.set_index(x.members_index);
  for (const auto& who : x.members.voters)
    what.add_voters(who.node.bytes());
  for (const auto& who : x.members.learners)
    what.add_learners(who.node.bytes());
  self->send(s.partners.charter, group_members_are{std::move(what)});
}

void on_spread_zone(group_pointer self) {
  auto& s = self->state;
  s.spreading = false;
  s.spread.reset();
  if (!s.zone_known || s.rules->resources().empty())
    return;
  s.spread = std::make_shared<const keeper::member_table>(s.zone.for_keepers());
  for (auto& [key, kept] : s.keepers)
    if (kept.keeper)
      self->send(kept.keeper, zone_is{s.spread});
}

void follow_zone(group_pointer self) {
  auto& s = self->state;
  if (std::exchange(s.follows_zone, true))
    return;
  ask_zone(self);
}

void forget_zone(group_pointer self) {
  auto& s = self->state;
  if (!std::exchange(s.follows_zone, false))
    return;
  self->send(s.partners.membership, unfollow_members{caf::actor_cast<caf::strong_actor_ptr>(self)});
  ++s.zone_asked;
  s.zone = {};
  s.zone_known = false;
  s.spread.reset();
  if (s.choice)
    s.choice->welcome_all_back(); // who still wants to leave asks again
}

} // namespace legion
