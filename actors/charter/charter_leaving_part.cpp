#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/charter/charter_state_part.hpp"
#include "actors/group/admission.hpp"
#include "actors/group/leaving_part.hpp"
#include "actors/node/node_actor.hpp"

// A voter of the charter that drains goes only when the others can do without it, as with a keeper
// group (group_leaving_part.cpp).

namespace legion {

namespace {

using leave_door = caf::typed_actor<caf::replies_to<group_request>::with<group_reply>>;
using drain_door = caf::typed_actor<caf::reacts_to<group_let_go>>;

void go(charter_pointer self, bool stuck) {
  auto& s = self->state;
  if (stuck)
    spdlog::warn("charter nobody_takes_over");
  self->send(caf::actor_cast<drain_door>(std::exchange(s.drains, {})),
             group_let_go{charter_group, stuck});
}

departure let_go(charter_pointer self, const consensus::member_id& who) {
  auto& s = self->state;
  s.choice->let_go(who);
  review_soon(self, milliseconds{0});
  return s.choice->without(who, s.core()->describe(now(self)), residents_of(s), now(self));
}

struct charter_hands {
  using door = leave_door;
  static constexpr const char* path = "charter";
  static group_id group(charter_pointer) { return charter_group; }
  static void go(charter_pointer self, bool stuck) { legion::go(self, stuck); }
  static departure judge(charter_pointer self) { return let_go(self, self->state.core()->self()); }
  static void again(charter_pointer self, milliseconds pause) {
    self->delayed_send(self, pause, leave_charter{});
  }
};

} // namespace

void try_to_leave(charter_pointer self) {
  auto& s = self->state;
  stand_aside(self);
  if (!s.drains)
    return;
  group::leaving::look look{.core = s.core(), .fenced = s.core() && s.seat->fenced()};
  look.zone_known = s.zone_known;
  look.see(residents_of(s), s.context->self.id);
  look.leads = s.leads;
  group::take<charter_hands>(self, s.leaving.next(look, now(self)));
}

group_reply on_leave_request(charter_pointer self, const group_request& x) {
  auto& s = self->state;
  auto who = group::who_leaves(x);
  if (x.group() != value(charter_group) || !x.has_leave() || who.node.null() || who.journal.null())
    return group::refused(x, refusal_invalid, "the charter is asked only to let a voter go");
  if (!s.leads || !s.zone_known)
    return group::refused(x, refusal_elsewhere, "another node leads the charter, or nobody");
  group_reply reply;
  reply.set_request_id(x.request_id());
  reply.set_leaving(let_go(self, who));
  return reply;
}

} // namespace legion
