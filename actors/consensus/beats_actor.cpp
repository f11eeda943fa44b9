#include "actors/consensus/beats_actor.hpp"

#include <map>

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/census/census.hpp"
#include "actors/consensus/beats.hpp"
#include "actors/consensus/wire.hpp"
#include "actors/journal_ends.hpp"
#include "actors/membership/membership_actor.hpp"
#include "actors/node/node_actor.hpp"

namespace legion {

namespace {

using consensus::beats;

struct beats_state {
  static inline const char* name = "beats";
  context_ptr context;
  std::optional<consensus::beats> rules;
  std::map<group_id, consensus_member_handle> groups;
  std::optional<time_point> armed;
  std::uint64_t generation = 0;
};

using beats_pointer = beats_handle::stateful_pointer<beats_state>;

time_point now(beats_pointer self) {
  return self->clock().now();
}

template <class T>
void tell(beats_pointer self, group_id group, T what) {
  auto i = self->state.groups.find(group);
  if (i != self->state.groups.end())
    self->send(i->second, std::move(what));
}

void perform(beats_pointer self, beats::effects all) {
  for (auto& x : all) {
    if (auto* beat = std::get_if<beats::send_beat>(&x)) {
      self->state.context->directory->tell(beat->to, "consensus", std::move(beat->what),
                                           self->context());
    } else if (auto* told = std::get_if<beats::tell_beat>(&x)) {
      tell(self, told->group, peer_beat{told->from, told->what});
    } else if (auto* silent = std::get_if<beats::tell_silence>(&x)) {
      for (auto group : silent->groups)
        tell(self, group, peer_silent{silent->node, silent->since});
    } else if (auto* refused = std::get_if<beats::tell_refused>(&x)) {
      spdlog::debug("beats refused peer={} groups={}", refused->node.short_text(),
                    refused->groups.size());
      for (auto group : refused->groups)
        tell(self, group, peer_refused{refused->node});
    }
  }
  auto due = self->state.rules->wake_at();
  if (due == time_point::max() || (self->state.armed && *self->state.armed <= due))
    return;
  self->state.armed = due;
  self->delayed_send(self, std::max(due - now(self), time_point::duration::zero()),
                     beats_tick{++self->state.generation});
}

using charter_door = caf::typed_actor<caf::reacts_to<group_mail>>;

template <class Handle>
void pass_on(beats_pointer self, const char* path, group_mail mail) {
  const auto& context = *self->state.context;
  if (auto to = context.directory->at<Handle>(context.self.id, path))
    self->send(to, std::move(mail));
}

void on_mail(beats_pointer self, const consensus_batch& x) {
  auto& s = self->state;
  consensus::member_id from{node_id::from_bytes(x.from()),
                            consensus::journal_id::from_bytes(x.from_journal())};
  consensus::member_id to{s.context->self.id, consensus::journal_id::from_bytes(x.to_journal())};
  if (from.node.null() || from.journal.null() || to.journal.null())
    return;
  if (s.context->ends)
    s.context->ends->heard(from, start_number{x.start()}, x.rows());
  std::map<group_id, std::vector<consensus::message>> by_group;
  for (const auto& y : x.messages()) {
    auto message =
        y.group() <= value(charter_group) ? consensus::from_wire(y, from, to) : std::nullopt;
    if (message)
      by_group[group_id{y.group()}].push_back(std::move(*message));
    else
      spdlog::debug("beats senseless_mail peer={} group={}", from.node.short_text(), y.group());
  }
  for (auto& [group, messages] : by_group) {
    auto mail = group_mail{group, std::move(messages)};
    if (s.groups.contains(group))
      tell(self, group, std::move(mail));
    else if (group == charter_group)
      pass_on<charter_door>(self, "charter", std::move(mail));
    else
      pass_on<node_handle>(self, "node", std::move(mail)); // it starts a member that may learn
  }
}

/// Who beats lives: membership need not ping it.
void tell_membership(beats_pointer self, const node_id& from) {
  using who_probes = caf::typed_actor<caf::reacts_to<peer_heard>>;
  const auto& context = *self->state.context;
  if (auto to = context.directory->at<who_probes>(context.self.id, "membership"))
    self->send(to, peer_heard{from});
}

void on_lost(beats_pointer self, const peer_lost& x) {
  auto& rules = *self->state.rules;
  perform(self,
          x.refused ? rules.on_refused(x.node, now(self)) : rules.on_closed(x.node, now(self)));
}

beats_handle::behavior_type beats_actor(beats_pointer self, context_ptr context) {
  auto& s = self->state;
  s.context = std::move(context);
  beats::setting how;
  how.self = {s.context->self.id, consensus::journal_id::from_bytes(s.context->journal_id)};
  how.start = value(s.context->self.start);
  how.interval = beat_interval;
  how.silence = election_timeout;
  s.rules.emplace(how);
  self->set_default_handler(caf::drop);
  return {
      [self](const consensus_batch& x) { on_mail(self, x); },
      [self](const consensus_beat& x) {
        auto from = node_id::from_bytes(x.from());
        tell_membership(self, from);
        perform(self, self->state.rules->on_beat(from, x, now(self)));
      },
      [self](group_stands& x) {
        auto& who = self->state.groups[x.group];
        if (who != x.who) // another actor goes on: it has heard of nobody yet
          perform(self, self->state.rules->forget(x.group, now(self)));
        who = std::move(x.who);
        perform(self, self->state.rules->describe(x.group, x.item, x.members, now(self)));
      },
      [self](const group_forgotten& x) {
        perform(self, self->state.rules->forget(x.group, now(self)));
      },
      [self](const peer_lost& x) { on_lost(self, x); },
      [self](const beats_tick& x) {
        if (x.generation != self->state.generation)
          return;
        self->state.armed.reset();
        perform(self, self->state.rules->on_tick(now(self)));
      },
  };
}

} // namespace

beats_handle spawn_beats(caf::actor_system& system, const context_ptr& context) {
  return spawn_enrolled(system, context, "consensus", beats_actor, context);
}

} // namespace legion
