#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/charter/charter_state_part.hpp"
#include "actors/group/admission.hpp"
#include "actors/node/node_actor.hpp"

// A voter of the charter that drains goes only when the others can do without it, as with a keeper
// group (group_leaving_part.cpp).

namespace legion {

namespace {

constexpr auto answer_time = seconds{2};
constexpr auto ask_pause = milliseconds{250};
/// An election takes less; a charter without a quorum does not get a leader.
constexpr auto leader_patience = seconds{4};

using leave_door = caf::typed_actor<caf::replies_to<group_request>::with<group_reply>>;
using drain_door = caf::typed_actor<caf::reacts_to<group_let_go>>;

void settle(charter_pointer self, bool stuck) {
  auto& s = self->state;
  if (stuck)
    spdlog::warn("charter nobody_takes_over");
  self->send(caf::actor_cast<drain_door>(std::exchange(s.drains, {})),
             group_let_go{charter_group, stuck});
}

void ask_again(charter_pointer self) {
  self->delayed_send(self, ask_pause, leave_charter{});
}

void on_departure(charter_pointer self, departure what) {
  self->state.leaderless_since.reset();
  if (what == departure_free || what == departure_stuck)
    settle(self, what == departure_stuck);
  else
    ask_again(self);
}

departure let_go(charter_pointer self, const consensus::member_id& who) {
  auto& s = self->state;
  s.choice->let_go(who);
  review_soon(self, milliseconds{0});
  return s.choice->without(who, s.core()->describe(now(self)), residents_of(s), now(self));
}

bool is_alone(const charter_shell& s) {
  return std::none_of(s.zone.begin(), s.zone.end(), [&](const auto& x) {
    auto there = x.second.state == member_alive || x.second.state == member_suspect;
    return there && x.first != s.context->self.id;
  });
}

void ask_leader(charter_pointer self, const node_id& leader) {
  auto& s = self->state;
  group_request x;
  x.set_group(value(charter_group));
  x.mutable_leave()->set_node(s.context->self.id.bytes());
  x.mutable_leave()->set_journal(s.context->journal_id);
  self->request(s.context->directory->at<leave_door>(leader, "charter"), answer_time, std::move(x))
      .then(
          [self](const group_reply& answer) {
            on_departure(self, answer.what_case() == group_reply::kLeaving
                                   ? answer.leaving()
                                   : departure_under_way); // it leads no more
          },
          [self](const caf::error&) { ask_again(self); });
}

void wait_for_leader(charter_pointer self) {
  auto& since = self->state.leaderless_since;
  if (!since)
    since = now(self);
  if (now(self) - *since > leader_patience)
    settle(self, true);
  else
    ask_again(self);
}

} // namespace

void try_to_leave(charter_pointer self) {
  auto& s = self->state;
  if (!s.drains)
    return;
  auto* core = s.core();
  if (!core || s.seat->fenced() || !core->members().has(core->self()))
    return settle(self, false);
  if (!s.zone_known)
    return ask_again(self);
  if (is_alone(s))
    return settle(self, false);
  if (s.leads)
    return on_departure(self, let_go(self, core->self()));
  auto leader = core->leader().node;
  if (leader.null() || leader == s.context->self.id)
    return wait_for_leader(self);
  ask_leader(self, leader);
}

group_reply on_leave_request(charter_pointer self, const group_request& x) {
  auto& s = self->state;
  consensus::member_id who{node_id::from_bytes(x.leave().node()),
                           consensus::journal_id::from_bytes(x.leave().journal())};
  if (x.group() != value(charter_group) || !x.has_leave() || who.node.null() || who.journal.null())
    return group::refused(x, refusal_invalid, "the charter is asked only to let a voter go");
  if (!s.leads || !s.zone_known)
    return group::refused(x, refusal_elsewhere, "another node leads the charter, or nobody");
  group_reply reply;
  reply.set_request_id(x.request_id());
  reply.set_leaving(s.core()->members().has(who) ? let_go(self, who) : departure_free);
  return reply;
}

} // namespace legion
