#include "actors/charter/charter_actor.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/census/census.hpp"
#include "actors/charter/charter_state_part.hpp"
#include "actors/node/recovery.hpp"
#include "messages/journal.pb.h"

namespace legion {

namespace {

constexpr std::string_view charter_keys = "charter/";

/// Who joined the zone later has a copy, from which it goes on.
void recall(charter_pointer self, const std::vector<record>& replayed) {
  for (const auto& x : replayed) {
    roster_state state;
    if (x.key() != "roster" || x.value().empty() || !state.ParseFromString(x.value()))
      continue;
    if (auto read = charter::roster::from(state, self->state.context->rows))
      self->state.known = charter::shared(std::move(*read));
  }
}

void sit_down(charter_pointer self, const std::vector<record>& replayed, bool founds) {
  auto& s = self->state;
  std::vector<record> mine;
  for (const auto& x : replayed)
    if (x.key().starts_with(charter_keys) && !x.value().empty())
      mine.push_back(x);
  s.journal = std::make_shared<consensus::journal_copy>(mine, s.context->shelf);
  if (founds) {
    record_batch first;
    consensus::log_records::found(
        std::string{charter_keys},
        {{s.context->self.id, consensus::journal_id::from_bytes(s.context->journal_id)}}, first);
    s.journal->writing(std::move(first));
  }
  if (founds || node::has_charter(replayed))
    take_seat(self);
}

template <class Input>
void hear(charter_pointer self, Input input) {
  if (self->state.seat)
    self->state.seat->hear(input);
}

charter_core::behavior_type charter_actor(charter_pointer self, context_ptr context,
                                          charter_partners partners, std::vector<record> replayed,
                                          bool founds) {
  auto& s = self->state;
  s.context = std::move(context);
  s.partners = std::move(partners);
  s.fold = charter::roster{s.context->rows};
  s.random.seed(s.context->seed_for("charter"));
  self->set_default_handler(caf::drop);
  self->set_down_handler([self](const caf::down_msg& x) {
    std::erase_if(self->state.subscribers, [&](auto& who) { return who->address() == x.source; });
  });
  recall(self, replayed);
  sit_down(self, replayed, founds);
  publish(self);
  pull_now_and_then(self);
  self->request(s.partners.membership, caf::infinite, await_trust{}).then([self](journal_trusted) {
    self->state.trusts_journal = true;
    if (self->state.seat)
      self->state.seat->trust_journal();
  });
  return {
      [self](charter_request& x) { return on_request(self, x); },
      [self](const roster_ask& x) { return on_ask(self, x); },
      [self](const roster_state& x) { return on_news(self, x); },
      [self](const subscribe_roster& x) { on_subscribe(self, x); },
      [self](const group_members_are& x) { on_hint(self, x); },
      [self](const member_change& x) { on_member(self, x); },
      [self](const store::health& x) {
        self->state.full = x.full;
        stand_aside(self);
      },
      [self](const stand_back& x) {
        self->state.standing_back = x.back;
        self->state.drains = x.back ? self->current_sender() : nullptr;
        try_to_leave(self);
      },
      [self](const group_request& x) { return on_leave_request(self, x); },
      [self](leave_charter) { try_to_leave(self); },
      [self](group_mail& x) {
        auto& s = self->state;
        if (s.standing_back && (!s.core() || s.core()->outside()))
          return;        // it would join, and go
        take_seat(self); // a learner's, if it has none yet
        self->state.seat->on_mail(std::move(x.messages));
      },
      [self](const peer_beat& x) {
        if (self->state.seat)
          self->state.seat->on_beat(x.from, x.what);
      },
      [self](const peer_silent& x) {
        hear(self, [&](auto& core) { core.on_silence(x.node, x.since, now(self)); });
      },
      [self](const peer_refused& x) {
        hear(self, [&](auto& core) { core.on_refused(x.node, now(self)); });
      },
      [self](const seat_tick& x) {
        if (!self->state.seat->on_tick(x))
          return;
        dismiss_impatient(self);
        serve_desk(self);
        self->state.seat->pump();
      },
      [self](write_again) { self->state.seat->on_write_again(); },
      [self](const review_charter& x) { review(self, x); },
      [self](push_roster) {
        self->state.pushing = false;
        push(self);
      },
      [self](pull_roster) { pull_now_and_then(self); },
      [self](write_roster) { write_known(self); },
      [](const try_again& x) { x.what(); },
      [self](const pass_hints& x) {
        if (x.number == self->state.hints_number)
          pass_on_hints(self);
      },
  };
}

} // namespace

charter_handle spawn_charter(caf::actor_system& system, const context_ptr& context,
                             const charter_partners& partners, const std::vector<record>& replayed,
                             bool founds) {
  std::vector<record> mine;
  for (const auto& x : replayed)
    if (x.key().starts_with(charter_keys) || x.key() == "roster")
      mine.push_back(x);
  return spawn_enrolled(system, context, "charter", charter_actor, context, partners,
                        std::move(mine), founds);
}

} // namespace legion
