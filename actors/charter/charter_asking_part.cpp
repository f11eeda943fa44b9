#include <algorithm>

#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/charter/charter_state_part.hpp"
#include "actors/charter/errand.hpp"

namespace legion {

namespace {

constexpr auto leader_patience = milliseconds{1000};
constexpr auto voter_time = milliseconds{800};
constexpr auto cordon_time = seconds{5}; // its node is told meanwhile
constexpr auto election_time = seconds{4};
constexpr auto election_pause = milliseconds{300};
constexpr auto hints_pause = milliseconds{500};
constexpr auto hints_rest = seconds{2}; // between newer and newer ones
constexpr auto hints_again = seconds{15};

using charter_door = caf::typed_actor<caf::replies_to<charter_request>::with<charter_reply>>;

bool down(const charter_shell& s, const node_id& x) {
  auto i = s.zone.find(x);
  return i != s.zone.end() && (i->second.state == member_dead || i->second.state == member_left);
}

std::set<node_id> without_journal(const charter_shell& s) {
  std::set<node_id> result;
  const auto& voters = voters_known(s);
  if (!s.core() && std::find(voters.begin(), voters.end(), s.context->self.id) != voters.end())
    result.insert(s.context->self.id);
  if (s.core())
    for (const auto& x : s.core()->members().voters)
      if (lost_its_vote(s, x))
        result.insert(x.node);
  return result;
}

/// What a node says when no voter answers for the charter.
charter_reply nobody_decides(charter_pointer self, const charter_request& x, bool in_doubt) {
  auto& s = self->state;
  auto voters = voters_known(s);
  std::sort(voters.begin(), voters.end());
  auto why =
      charter::no_quorum(s.known.get(), voters, without_journal(s), s.zone, s.context->self.zone);
  charter_reply reply;
  if (x.has_show()) {
    auto& result = *reply.mutable_view();
    for (const auto& id : voters) {
      auto& y = *result.add_members();
      y.set_node(id.bytes());
      y.set_name(charter::name_of(s.known ? *s.known : charter::roster{}, s.zone, id));
      y.set_votes(true);
      y.set_heard(!down(s, id));
    }
    if (s.known) {
      result.set_incarnation(s.known->at().incarnation);
      result.set_index(s.known->at().index);
      result.set_nodes(static_cast<std::uint32_t>(s.known->nodes().size()));
    }
    result.set_detail(std::move(why));
    result.set_answered_by(s.context->self.id.bytes());
    return reply;
  }
  reply = in_doubt ? refused(refusal_deadline, std::move(why)
                                                   + "; whether it was done is unknown: look with "
                                                     "`legionctl get nodes` before you repeat it")
                   : refused(refusal_unreachable, std::move(why));
  reply.set_later(true);
  return reply;
}

struct running_errand {
  charter::errand rules;
  charter_request what;
  charter_answer answer;
  bool in_doubt = false; // somebody may have done it, or may yet
  time_point until{};    // a voter may be elected meanwhile
};

/// It was elected meanwhile, and the others send their errands here.
void decide_here(charter_pointer self, running_errand& x) {
  if (x.what.has_show())
    return x.answer(shown(self));
  x.what.set_direct(false);
  take_in(self, {std::move(x.what), std::move(x.answer), now(self) + leader_patience, x.in_doubt});
}

void ask_next(charter_pointer self, const std::shared_ptr<running_errand>& x) {
  auto& s = self->state;
  if (s.decides())
    return decide_here(self, *x);
  auto next = x->rules.next();
  while (next && (*next == s.context->self.id || down(s, *next)))
    next = x->rules.next();
  if (!next && x->what.has_cordon() && now(self) < x->until
      && charter::may_elect(voters_known(s), without_journal(s), s.zone)) {
    x->rules = charter::errand{voters_known(s)};
    self->delayed_send(self, election_pause, try_again{[self, x] { ask_next(self, x); }});
    return;
  }
  if (!next)
    return x->answer(nobody_decides(self, x->what, x->in_doubt && x->what.has_cordon()));
  auto to = s.context->directory->at<charter_door>(*next, "charter");
  auto time = x->what.has_cordon() ? milliseconds{cordon_time} : voter_time;
  self->request(to, time, x->what)
      .then(
          [self, x](charter_reply& reply) {
            x->in_doubt = x->in_doubt || reply.refused().in_doubt();
            if (!x->rules.on(reply))
              return ask_next(self, x);
            if (reply.refused().code() == refusal_overloaded && x->in_doubt)
              reply.mutable_refused()->set_in_doubt(true);
            x->answer(std::move(reply));
          },
          [self, x](const caf::error& why) {
            x->in_doubt = x->in_doubt || may_be_done(fault_of(why).code);
            ask_next(self, x);
          });
}

void forget_zone(charter_shell& s) {
  if (s.seat)
    return;
  s.zone.clear();
  s.residents.clear();
  s.records.clear();
}

/// Who is on the roster comes back without the charter.
bool is_listed(const charter_shell& s, const roster_node& who) {
  const auto* known = s.known ? s.known->find(node_id::from_bytes(who.id())) : nullptr;
  return known && known->public_key() == who.public_key() && known->name() == who.name();
}

} // namespace

charter_reply refused(refusal_code code, std::string why) {
  charter_reply result;
  result.mutable_refused()->set_code(code);
  result.mutable_refused()->set_detail(std::move(why));
  return result;
}

charter_reply elsewhere(const charter_shell& state) {
  auto result = refused(refusal_elsewhere, "the charter is not led by " + state.context->self.name);
  auto leader = state.core() ? state.core()->leader().node : node_id{};
  result.set_led(!leader.null() && leader != state.context->self.id);
  if (result.led())
    result.set_leader(leader.bytes());
  else if (state.standing == "follower") // it was a voter, and knows who came after it
    for (const auto& x : voters_known(state))
      result.set_leader(x.bytes());
  return result;
}

std::vector<node_id> voters_known(const charter_shell& state) {
  std::vector<node_id> result;
  const auto* core = state.core();
  if (core && core->members().has(core->self())) {
    for (const auto& x : core->members().voters)
      result.push_back(x.node);
    auto leader = core->leader().node;
    std::stable_partition(result.begin(), result.end(),
                          [&](const node_id& x) { return x == leader; });
    return result;
  }
  const auto* hint = state.known ? state.known->hint(charter_group) : nullptr;
  if (hint)
    for (const auto& x : hint->voters())
      result.push_back(node_id::from_bytes(x));
  return result;
}

charter_reply shown(charter_pointer self) {
  auto& s = self->state;
  charter_reply reply;
  auto& result = *reply.mutable_view();
  auto status = s.core()->describe(now(self));
  result.set_incarnation(s.fold.at().incarnation);
  result.set_index(s.fold.at().index);
  result.set_nodes(static_cast<std::uint32_t>(s.fold.nodes().size()));
  result.set_quorum(true);
  result.set_answered_by(s.context->self.id.bytes());
  for (const auto& who : status.members.all()) {
    auto& x = *result.add_members();
    x.set_node(who.node.bytes());
    x.set_name(charter::name_of(s.fold, s.zone, who.node));
    x.set_votes(status.members.votes(who));
    x.set_leads(who == s.core()->self());
    x.set_heard(x.leads());
    for (const auto& y : status.followers)
      if (y.who == who)
        x.set_heard(y.heard && !down(s, who.node) && !lost_its_vote(s, who));
  }
  return reply;
}

charter_answer with_zone(charter_pointer self, charter_answer answer) {
  ++self->state.errands;
  return [self, answer = std::move(answer)](charter_reply reply) {
    answer(std::move(reply));
    if (--self->state.errands == 0)
      forget_zone(self->state);
  };
}

/// With the zone as it is: who is known to be down is not asked.
void run_errand(charter_pointer self, charter_request what, charter_answer answer, bool in_doubt) {
  auto& s = self->state;
  what.set_direct(true);
  auto x = std::make_shared<running_errand>(
      running_errand{charter::errand{voters_known(s)}, std::move(what),
                     with_zone(self, std::move(answer)), in_doubt, now(self) + election_time});
  if (s.zone_known)
    return ask_next(self, x);
  self->request(s.partners.membership, list_time, list_members{})
      .then(
          [self, x](const members_known& all) {
            for (const auto& y : all.members)
              on_member(self, y);
            ask_next(self, x);
          },
          [self, x](const caf::error&) { ask_next(self, x); });
}

caf::typed_response_promise<charter_reply> on_request(charter_pointer self, charter_request& x) {
  auto& s = self->state;
  auto reply = self->make_response_promise<charter_reply>();
  auto answer = [reply](charter_reply y) mutable { reply.deliver(std::move(y)); };
  auto in = s.core() && s.core()->members().votes(s.core()->self());
  if (x.has_admit() && is_listed(s, x.admit().who())) {
    charter_reply done;
    done.mutable_done();
    answer(std::move(done));
  } else if (x.has_rebuild()) {
    rebuild(self, x.rebuild(), answer);
  } else if (s.leads && x.has_show()) {
    answer(shown(self));
  } else if (s.leads || (in && !x.direct() && !x.has_show() && s.core()->leader().null())) {
    take_in(self, {std::move(x), answer, now(self) + leader_patience});
  } else if (x.direct()) {
    answer(elsewhere(s));
  } else {
    run_errand(self, std::move(x), answer);
  }
  return reply;
}

namespace {

void pass_hints_after(charter_pointer self, time_point::duration after) {
  auto& s = self->state;
  auto due = now(self) + after;
  if (s.hints_due && *s.hints_due <= due)
    return;
  s.hints_due = due;
  self->delayed_send(self, after, pass_hints{++s.hints_number});
}

} // namespace

void on_hint(charter_pointer self, const group_members_are& x) {
  auto& s = self->state;
  if (!charter::acceptable(x.hint))
    return;
  auto number = [](const group_hint& y) { return std::pair{y.incarnation(), y.index()}; };
  const auto* told = s.known ? s.known->hint(group_id{x.hint.group()}) : nullptr;
  if (told && number(*told) >= number(x.hint))
    return;
  s.hints[x.hint.group()] = x.hint;
  auto pause = std::max<time_point::duration>(hints_pause, s.hints_passed + hints_rest - now(self));
  pass_hints_after(self, pause);
}

void pass_on_hints(charter_pointer self) {
  auto& s = self->state;
  s.hints_due.reset();
  if (s.hints.empty())
    return;
  s.hints_passed = now(self);
  charter_request what;
  for (const auto& [group, x] : s.hints)
    *what.mutable_hints()->add_hints() = x;
  if (s.leads) {
    take_in(self, {std::move(what), {}, now(self)});
  } else {
    run_errand(self, std::move(what), [](const charter_reply&) {});
  }
  pass_hints_after(self, hints_again); // unless the roster has them by then
}

} // namespace legion
