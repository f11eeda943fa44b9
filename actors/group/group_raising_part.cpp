#include <algorithm>

#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/group/admission.hpp"
#include "actors/group/group_state_part.hpp"
#include "actors/keeper/lease.hpp"

namespace legion {

namespace {

constexpr auto page_time = seconds{2};
constexpr auto page_pause = milliseconds{300};
constexpr auto end_pause = milliseconds{200};

void gather(group_pointer self, const std::vector<group::gathering::ask>& asks);
void end_if_over(group_pointer self);

std::string text_of(const group_shell& s) {
  return "group " + std::to_string(value(s.group));
}

/// At most one of each may run: an earlier leader may have renewed leases until a moment ago.
bool any_exclusive(const group::state& of) {
  return std::any_of(of.resources().begin(), of.resources().end(), [](const auto& x) {
    return keeper::is_exclusive(x.second.what)
           || std::any_of(x.second.slots.begin(), x.second.slots.end(),
                          [](const auto& y) { return y.second.what.lease_ms() > 0; });
  });
}

/// False: it leads no more, or its log takes nothing now.
bool propose(group_pointer self, const group_entry& x) {
  auto position = self->state.core()->propose(x.SerializeAsString());
  if (!position)
    spdlog::warn("group not_proposed group={} why=\"{}\"", value(self->state.group),
                 position.why().detail);
  return static_cast<bool>(position);
}

void failed(group_pointer self, const node_id& from) {
  auto& s = self->state;
  if (s.gather.rules->on_failed(from))
    self->delayed_send(self, page_pause, gather_again{from, s.gather.generation});
  end_if_over(self);
}

/// What a node holds is committed before the next page of it is asked for.
void on_held(group_pointer self, const node_id& from, const node_view& x) {
  auto& s = self->state;
  auto later = std::any_of(x.holdings().begin(), x.holdings().end(), [&](const auto& y) {
    return y.group() == value(s.group) && y.highest().incarnation() > s.seat->incarnation();
  });
  if (!x.has_held() && later) { // this one is not kept: that one's beat ends it, or it never began
    self->delayed_send(self, page_pause, gather_again{from, s.gather.generation});
    return;
  }
  if (!x.has_held())
    return failed(self, from);
  group_entry entry;
  auto& adopted = *entry.mutable_adopted();
  adopted.set_node(from.bytes());
  adopted.set_node_name(x.member().name().empty() ? name_of(s, from) : x.member().name());
  adopted.set_start(x.member().start());
  *adopted.mutable_held() = x.held();
  adopted.mutable_held()->clear_next();
  adopted.set_all(x.held().next().empty());
  entry.set_time_ms(s.context->wall_clock());
  auto matters = s.rules->gathering() || x.held().slots_size() > 0;
  if (matters && !propose(self, entry))
    return failed(self, from);
  if (x.held().slots_size() > 0)
    spdlog::info("group adopts group={} node={} promises={}", value(s.group), adopted.node_name(),
                 x.held().slots_size());
  gather(self, s.gather.rules->on_page(from, x.held().next()));
  end_if_over(self);
  s.seat->pump();
}

void gather(group_pointer self, const std::vector<group::gathering::ask>& asks) {
  auto& s = self->state;
  for (const auto& x : asks) {
    node_request request;
    request.mutable_held()->set_group(value(s.group));
    request.mutable_held()->set_after(x.after);
    request.mutable_held()->set_incarnation(s.seat->incarnation());
    auto current = [self, generation = s.gather.generation] {
      return self->state.gather.rules && self->state.gather.generation == generation;
    };
    auto node = s.context->directory->at<node_handle>(x.whom, "node");
    self->request(node, page_time, std::move(request))
        .then(
            [self, whom = x.whom, current](const node_view& y) {
              if (current())
                on_held(self, whom, y);
            },
            [self, whom = x.whom, current](const caf::error& why) {
              spdlog::debug("group gather_failed group={} node={} why=\"{}\"",
                            value(self->state.group), whom.short_text(), fault_of(why).detail);
              if (current())
                failed(self, whom);
            });
  }
}

/// Everybody who could be asked was, and no lease of before is left: that is committed, and then
/// the resources are kept.
void end_if_over(group_pointer self) {
  auto& s = self->state;
  if (!s.gather.begun || s.gather.ending || !s.zone_known || !s.gather.rules->over())
    return;
  if (now(self) >= s.gather.hold_until || !any_exclusive(*s.rules)) {
    outwait_leases(self);
    group_entry entry;
    entry.mutable_gathered();
    entry.set_time_ms(s.context->wall_clock());
    s.gather.ending = propose(self, entry);
  }
  if (!s.gather.ending && !std::exchange(s.gather.looks_again, true))
    self->delayed_send(self, end_pause, gather_again{{}, s.gather.generation});
}

void begin(group_pointer self) {
  auto& s = self->state;
  ++s.gather.generation;
  s.gather.looks_again = false;
  auto& rules = s.gather.rules.emplace();
  for (const auto& x : s.zone.rows())
    if (s.rules->gathered(x.id()))
      rules.know(x.id());
  if (s.rules->gathered(s.context->self.id))
    rules.know(s.context->self.id);
  group::resident here;
  here.id = s.context->self.id;
  gather(self, rules.on_resident(here));
  for (const auto& x : s.zone.rows())
    gather(self, rules.on_resident(x.seen()));
}

} // namespace

group_reply look(group_pointer self, const group_request& x) {
  auto& s = self->state;
  if (s.seat->fenced())
    return group::refused(x, refusal_unknown, s.seat->fenced()->detail);
  if (!s.core())
    return group::refused(x, refusal_overloaded, text_of(s) + "'s records are being read");
  group_reply reply;
  reply.set_request_id(x.request_id());
  auto& what = *reply.mutable_standing();
  auto status = s.core()->describe(now(self));
  what.set_member(s.seat->has_log());
  what.set_votes(status.members.votes(s.core()->self()));
  what.set_leads(status.ready);
  if (!status.leader.null())
    what.set_leader(status.leader.node.bytes());
  what.set_term(status.term);
  what.set_last_index(status.last);
  what.set_last_term(status.last_term);
  what.set_incarnation(std::max(s.seat->incarnation(), s.rules->incarnation()));
  what.set_fenced(!status.trusted);
  for (const auto& y : status.members.voters)
    what.add_voters(y.node.bytes());
  // As it would be raised, with what may be committed.
  auto raised = *s.rules;
  auto incarnation = raised.incarnation();
  if (auto rest = s.seat->unapplied())
    for (const auto& y : *rest)
      if (auto entry = read_entry(*y, incarnation))
        raised.apply(*entry);
  for (const auto& [key, y] : raised.resources())
    what.set_resources(what.resources() + (y.deleting ? 0 : 1));
  return reply;
}

void raise(group_pointer self, group_author x) {
  auto& s = self->state;
  const auto& how = x.request.raise();
  auto refuse = [&](refusal_code code, std::string detail) {
    x.reply.deliver(group::refused(x.request, code, std::move(detail)));
  };
  if (s.seat->incarnation() == how.incarnation() && s.rules->raised()) { // asked again
    s.gather.raisers.push_back(std::move(x));
    if (s.keeps)
      on_gathered(self);
    return;
  }
  if (s.gather.raisers.size() >= 16)
    return refuse(refusal_overloaded, text_of(s) + " is being raised already");
  s.gather.from_log = s.seat->has_log();
  s.gather.raisers.push_back(std::move(x));
  auto done = s.seat->raise(how.incarnation(), how.above());
  if (done)
    return;
  x = std::move(s.gather.raisers.back());
  s.gather.raisers.pop_back();
  refuse(done.why().code == errc::overloaded ? refusal_overloaded
         : done.why().code == errc::conflict ? refusal_conflict
                                             : refusal_unknown,
         done.why().detail);
}

void start_gathering(group_pointer self) {
  auto& s = self->state;
  spdlog::info("group gathers group={} incarnation={}", value(s.group), s.seat->incarnation());
  s.gather.begun = true;
  s.gather.ending = false;
  hold_exclusive(self);
  gather_zone(self);
}

void gather_zone(group_pointer self) {
  auto& s = self->state;
  if (!s.gather.begun || !s.zone_known)
    return;
  begin(self);
  end_if_over(self);
}

void stop_gathering(group_pointer self) {
  auto& s = self->state;
  ++s.gather.generation;
  s.gather.rules.reset();
  s.gather.begun = s.gather.ending = false;
}

void dismiss_raisers(group_pointer self) {
  auto& s = self->state;
  for (auto& x : std::exchange(s.gather.raisers, {}))
    x.reply.deliver(
        group::refused(x.request, refusal_overloaded, text_of(s) + " was raised anew elsewhere"));
}

void gather_from(group_pointer self, const group::resident& x) {
  auto& s = self->state;
  if (s.gather.begun && s.gather.rules && s.zone_known)
    gather(self, s.gather.rules->on_resident(x));
}

void on_gather_again(group_pointer self, const gather_again& x) {
  auto& s = self->state;
  if (x.generation != s.gather.generation || !s.gather.rules)
    return;
  s.gather.looks_again = false;
  if (!x.whom.null())
    gather(self, s.gather.rules->again(x.whom));
  end_if_over(self);
  s.seat->pump();
}

void on_gathered(group_pointer self) {
  auto& s = self->state;
  group_raised told;
  told.set_incarnation(s.seat->incarnation());
  told.set_index(s.rules->index());
  told.set_from_log(s.gather.from_log);
  for (const auto& [key, x] : s.rules->resources()) {
    told.set_resources(told.resources() + (x.deleting ? 0 : 1));
    for (const auto& [uid, slot] : x.slots)
      // Of those that its holder has told of; what else the log knows is with who said nothing.
      told.set_promises(told.promises() + (s.rules->gathered(slot.node) ? 1 : 0));
    if (x.deleting && !x.slots.empty())
      *told.add_only_ending() = group::name_of(x.what);
  }
  if (s.gather.rules)
    for (const auto& x : s.gather.rules->silent())
      told.add_silent(x.bytes());
  spdlog::info("group gathered group={} resources={} promises={} silent={}", value(s.group),
               told.resources(), told.promises(), told.silent_size());
  for (auto& x : std::exchange(s.gather.raisers, {})) {
    group_reply reply;
    reply.set_request_id(x.request.request_id());
    *reply.mutable_raised() = told;
    x.reply.deliver(std::move(reply));
  }
  if (s.keeps || !s.gather.begun) // it is only read from the log
    return;
  s.gather.begun = false;
  start_keeping(self);
  review_soon(self, milliseconds{10});
}

void hold_exclusive(group_pointer self) {
  if (self->state.rules->old_leases())
    self->state.gather.hold_until = now(self) + keeper::lease_times{}.wait();
}

void outwait_leases(group_pointer self) {
  auto& s = self->state;
  if (!s.rules->old_leases() || now(self) < s.gather.hold_until)
    return;
  group_entry entry; // nobody is left who may hold one
  entry.mutable_adopted()->set_all(true);
  entry.set_time_ms(s.context->wall_clock());
  propose(self, entry);
}

void ask_late_holders(group_pointer self) {
  auto& s = self->state;
  if (!s.rules->raised() || s.rules->gathering())
    return;
  if (!s.gather.rules)
    return begin(self);
  for (const auto& x : s.zone.rows())
    gather(self, s.gather.rules->on_resident(x.seen()));
}

} // namespace legion
