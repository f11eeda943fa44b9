#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/group/admission.hpp"
#include "actors/group/group_state_part.hpp"
#include "actors/group/leaving_part.hpp"

namespace legion {

namespace {

constexpr auto leaving_apart = milliseconds{40}; // of 64 groups a few are given away at a time

void go(group_pointer self, bool stuck) {
  auto& s = self->state;
  if (stuck)
    spdlog::warn("group nobody_takes_over group={}", value(s.group));
  self->send(s.partners.node, group_let_go{s.group, stuck});
}

departure let_go(group_pointer self, const consensus::member_id& who) {
  auto& s = self->state;
  s.choice->let_go(who);
  review_soon(self, milliseconds{0});
  return s.choice->without(
      who, s.core()->describe(now(self)),
      s.zone.residents(s.roster.get(), died_by(s.context->remembered, s.choice->began())),
      now(self));
}

struct group_hands {
  using door = node_handle;
  static constexpr const char* path = "node";
  static group_id group(group_pointer self) { return self->state.group; }
  static void go(group_pointer self, bool stuck) { legion::go(self, stuck); }
  static departure judge(group_pointer self) { return let_go(self, self->state.core()->self()); }
  static void again(group_pointer self, milliseconds pause) {
    self->delayed_send(self, pause, ask_to_leave{});
  }
};

} // namespace

void stand_aside(group_pointer self) {
  auto& s = self->state;
  if (!s.core())
    return;
  auto alone = s.core()->members().voters.size() < 2;
  auto goes = s.standing_back
              && (!s.zone_known || group::another_stays(*s.core(), s.zone.residents(nullptr, {})));
  s.core()->abstain((s.full || goes) && !alone, now(self));
  s.seat->pump();
}

void leave_in_turn(group_pointer self) {
  auto& s = self->state;
  if (s.standing_back && s.core() && s.core()->members().voters.size() > 1)
    self->delayed_send(self, leaving_apart * value(s.group), ask_to_leave{});
  else
    try_to_leave(self);
}

void try_to_leave(group_pointer self) {
  auto& s = self->state;
  if (!s.standing_back) {
    if (!leads(s))
      forget_zone(self);
    return;
  }
  group::leaving::look look{.core = s.core(), .fenced = s.core() && s.seat->fenced()};
  if (look.core != nullptr && !look.fenced)
    follow_zone(self);
  stand_aside(self);
  look.zone_known = s.zone_known;
  look.see(s.zone.residents(s.roster.get(), [](const node_id&) { return time_point{}; }),
           s.context->self.id);
  look.leads = s.keeps;
  group::take<group_hands>(self, s.leaving.next(look, now(self)));
}

group_reply on_leave_request(group_pointer self, const group_request& x) {
  auto who = group::who_leaves(x);
  if (who.node.null() || who.journal.null())
    return group::refused(x, refusal_invalid, "it does not say who leaves");
  group_reply reply;
  reply.set_request_id(x.request_id());
  reply.set_leaving(let_go(self, who));
  return reply;
}

} // namespace legion
