#include "actors/group/group_actor.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/census/census.hpp"
#include "actors/group/group_state_part.hpp"

namespace legion {

group_shell::~group_shell() {
  for (auto& [key, kept] : keepers)
    if (kept.keeper)
      caf::anon_send_exit(kept.keeper, caf::exit_reason::user_shutdown);
}

namespace {

group_core::behavior_type group_actor(group_pointer self, context_ptr context, group_id group,
                                      consensus::journal_copy_ptr journal,
                                      group_partners partners) {
  auto& s = self->state;
  s.context = std::move(context);
  s.group = group;
  s.partners = std::move(partners);
  self->set_default_handler(caf::drop);
  self->set_down_handler([self](caf::down_msg& x) { on_keeper_down(self, x); });
  self->set_exit_handler([self](caf::exit_msg& x) {
    for (auto& [key, kept] : self->state.keepers)
      if (kept.keeper)
        self->send_exit(kept.keeper, x.reason);
    self->quit(x.reason);
  });
  take_seat(self, std::move(journal));
  return {
      [self](group_request& x) { return on_request(self, x); },
      [self](const report& x) { return on_report(self, x); },
      [self](const lease_ask& x) { return on_lease_ask(self, x); },
      [self](const member_change& x) { on_member(self, x); },
      [self](const store::health& x) {
        self->state.full = x.full;
        stand_aside(self);
      },
      [self](const stand_back& x) {
        self->state.standing_back = x.back;
        stand_aside(self);
        leave_in_turn(self);
      },
      [self](journal_trusted) { self->state.seat->trust_journal(); },
      [self](const roster_known& x) { on_roster(self, x); },
      [self](group_mail& x) {
        auto& s = self->state;
        if (!s.standing_back || !s.core() || !s.core()->outside()) // else it would join, and go
          s.seat->on_mail(std::move(x.messages));
      },
      [self](const peer_beat& x) { self->state.seat->on_beat(x.from, x.what); },
      [self](const peer_silent& x) {
        self->state.seat->hear([&](auto& core) { core.on_silence(x.node, x.since, now(self)); });
      },
      [self](const peer_refused& x) {
        self->state.seat->hear([&](auto& core) { core.on_refused(x.node, now(self)); });
      },
      [self](propose_entries& x) { return on_propose(self, x); },
      [self](const seat_tick& x) {
        if (!self->state.seat->on_tick(x))
          return;
        dismiss_impatient(self);
        self->state.seat->pump();
      },
      [self](write_again) { self->state.seat->on_write_again(); },
      [self](spread_zone) { on_spread_zone(self); },
      [self](const review_members& x) { review(self, x); },
      [self](ask_to_leave) { try_to_leave(self); },
      [self](const gather_again& x) { on_gather_again(self, x); },
      [self](const forget_state& x) { on_forget_state(self, x); },
      [self](const respawn_keeper& x) {
        auto i = self->state.keepers.find(x.key);
        if (i != self->state.keepers.end() && !i->second.keeper)
          start_keeper(self, x.key);
      },
  };
}

} // namespace

group_handle spawn_group(caf::actor_system& system, const context_ptr& context, group_id group,
                         consensus::journal_copy_ptr journal, const group_partners& partners) {
  return spawn_enrolled(system, context, "group/" + std::to_string(value(group)), group_actor,
                        context, group, std::move(journal), partners);
}

} // namespace legion
