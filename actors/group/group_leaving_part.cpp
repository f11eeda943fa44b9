#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/group/admission.hpp"
#include "actors/group/group_state_part.hpp"

namespace legion {

namespace {

constexpr auto answer_time = seconds{2};
constexpr auto ask_pause = milliseconds{250};
/// An election takes less; a group without a quorum does not get a leader.
constexpr auto leader_patience = seconds{4};

void settle(group_pointer self, bool stuck) {
  auto& s = self->state;
  if (stuck)
    spdlog::warn("group nobody_takes_over group={}", value(s.group));
  self->send(s.partners.node, group_let_go{s.group, stuck});
}

void ask_again(group_pointer self) {
  self->delayed_send(self, ask_pause, ask_to_leave{});
}

/// Nobody else is there: what is kept here stays here, as it does when the node stops.
bool is_alone(const group_shell& state) {
  const auto& all = state.zone.rows();
  return std::none_of(all.begin(), all.end(), [&](const auto& x) {
    auto there = x.state == member_alive || x.state == member_suspect;
    return there && x.id() != state.context->self.id;
  });
}

void on_departure(group_pointer self, departure what) {
  self->state.leaderless_since.reset();
  if (what == departure_free || what == departure_stuck)
    settle(self, what == departure_stuck);
  else
    ask_again(self);
}

departure let_go(group_pointer self, const consensus::member_id& who) {
  auto& s = self->state;
  s.choice->let_go(who);
  review_soon(self, milliseconds{0});
  return s.choice->without(who, s.core()->describe(now(self)), s.zone.residents(s.roster.get()),
                           now(self));
}

void ask_leader(group_pointer self, const node_id& leader) {
  auto& s = self->state;
  group_request x;
  x.set_group(value(s.group));
  x.mutable_leave()->set_node(s.context->self.id.bytes());
  x.mutable_leave()->set_journal(s.context->journal_id);
  self->request(s.context->directory->at<node_handle>(leader, "node"), answer_time, std::move(x))
      .then(
          [self](const group_reply& answer) {
            on_departure(self, answer.what_case() == group_reply::kLeaving
                                   ? answer.leaving()
                                   : departure_under_way); // it leads no more
          },
          [self](const caf::error&) { ask_again(self); });
}

void wait_for_leader(group_pointer self) {
  auto& since = self->state.leaderless_since;
  if (!since)
    since = now(self);
  if (now(self) - *since > leader_patience)
    settle(self, true);
  else
    ask_again(self);
}

} // namespace

void try_to_leave(group_pointer self) {
  auto& s = self->state;
  if (!s.standing_back) {
    if (!leads(s))
      forget_zone(self);
    return;
  }
  if (!s.core() || s.seat->fenced() || !s.core()->members().has(s.core()->self()))
    return settle(self, false);
  follow_zone(self);
  if (!s.zone_known)
    return ask_again(self);
  if (is_alone(s))
    return settle(self, false);
  if (s.keeps)
    return on_departure(self, let_go(self, s.core()->self()));
  auto leader = s.core()->leader().node;
  if (leader.null() || leader == s.context->self.id)
    return wait_for_leader(self);
  ask_leader(self, leader);
}

group_reply on_leave_request(group_pointer self, const group_request& x) {
  consensus::member_id who{node_id::from_bytes(x.leave().node()),
                           consensus::journal_id::from_bytes(x.leave().journal())};
  if (who.node.null() || who.journal.null())
    return group::refused(x, refusal_invalid, "it does not say who leaves");
  group_reply reply;
  reply.set_request_id(x.request_id());
  reply.set_leaving(self->state.core()->members().has(who) ? let_go(self, who) : departure_free);
  return reply;
}

} // namespace legion
