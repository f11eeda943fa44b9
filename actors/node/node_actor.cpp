#include "actors/node/node_actor.hpp"

#include <algorithm>

#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/census/census.hpp"
#include "actors/node/node_actor_state.hpp"
#include "actors/node/recovery.hpp"

namespace legion {

node_state::~node_state() {
  for (auto& [uid, x] : keeping)
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
  for (auto& [g, x] : groups)
    if (x.group)
      caf::anon_send_exit(x.group, caf::exit_reason::user_shutdown);
}

/// One timer for all that waits: it is armed again only for something earlier.
void arm(node_pointer self) {
  auto& s = self->state;
  auto next = s.ledger.next_expiry();
  for (const auto& x : {s.reports.next_due(), s.remember_members_at, next_lease_ask(self)})
    if (x && (!next || *x < *next))
      next = x;
  if (!next || (s.armed && *s.armed <= *next))
    return;
  s.armed = next;
  self->delayed_send(self, std::max(time_point::duration::zero(), *next - now(self)),
                     node_tick{++s.generation});
}

/// What this node says of itself to the zone.
member description(node_pointer self) {
  auto& s = self->state;
  const auto& context = *s.context;
  member result;
  result.set_id(context.self.id.bytes());
  result.set_start(value(context.self.start));
  result.set_life(context.self.life);
  result.set_name(context.self.name);
  result.set_endpoint(context.self.endpoint);
  result.set_public_key(context.self.public_key);
  result.set_zone(context.self.zone);
  for (const auto& x : context.offers.labels)
    *result.add_labels() = x;
  for (const auto& x : context.offers.taints)
    *result.add_taints() = x;
  result.set_cordoned(s.self.describes.cordoned);
  result.set_keeps(s.keeps);
  result.set_binary_version(LEGION_VERSION);
  result.set_journal(context.journal_id);
  result.set_disk_full(s.journal.full);
  result.set_draining(s.self.describes.draining);
  return result;
}

void describe(node_pointer self) {
  self->send(self->state.partners.membership, describe_self{description(self)});
}

namespace {

/// Changes of members gather for so long before they are written.
constexpr auto members_pause = milliseconds{3000};
constexpr auto first_members_pause = milliseconds{100};

void on_down(node_pointer self, const caf::down_msg& x) {
  auto& s = self->state;
  if (on_group_ended(self, x))
    return;
  for (auto& [uid, promise] : s.keeping)
    if (promise.address() == x.source) {
      spdlog::warn("node promise_failed uid={} why=\"{}\"", uid, caf::to_string(x.reason));
      auto lost = uid;
      s.keeping.erase(lost);
      if (s.restarts[lost].spend(now(self)))
        employ_again(self, lost);
      else
        self->delayed_send(self, node::restart_budget::span, employ_later{lost});
      return;
    }
}

/// Sorted by node; who keeps nothing is not there.
void note_keeper(std::vector<std::pair<node_id, std::uint64_t>>& all, const node_id& id,
                 std::uint64_t keeps) {
  auto i = std::lower_bound(all.begin(), all.end(), id,
                            [](const auto& x, const node_id& y) { return x.first < y; });
  auto known = i != all.end() && i->first == id;
  if (known && keeps == 0)
    all.erase(i);
  else if (known)
    i->second = keeps;
  else if (keeps != 0)
    all.insert(i, {id, keeps});
}

void on_member(node_pointer self, const member_change& x) {
  auto& s = self->state;
  auto id = node_id::from_bytes(x.who.id());
  if (id != s.context->self.id)
    s.reports.keeper_is(id, x.state == member_alive || x.state == member_suspect,
                        start_number{x.who.start()}, now(self));
  auto keeps = x.state == member_alive || x.state == member_suspect ? x.who.keeps() : 0;
  note_keeper(s.keepers, id, keeps);
  // The first time soon: with the members goes the cluster's id, which a restart must find.
  if (id != s.context->self.id && !s.remember_members_at)
    s.remember_members_at = now(self) + (s.members_hash == 0 ? first_members_pause : members_pause);
  arm(self);
}

caf::typed_response_promise<drained> on_drain(node_pointer self) {
  auto& s = self->state;
  auto reply = self->make_response_promise<drained>();
  s.self.describes.draining = true;
  describe(self); // lest it be asked to take over from another that drains
  spdlog::info("node drains promises={}", s.promises.all().size());
  hand_over_groups(self);
  std::vector<std::string> uids;
  for (const auto& [uid, x] : s.promises.all())
    uids.push_back(uid);
  for (const auto& uid : uids)
    end_here(self, uid, true);
  s.draining.push_back(reply);
  answer_drains(self);
  arm(self);
  return reply;
}

void on_health(node_pointer self, const store::health& now) {
  auto& s = self->state;
  auto turned = s.journal.full != now.full;
  if (turned)
    s.journal_changed_ms = s.context->wall_clock();
  s.journal = now;
  s.self.disk_full = now.full;
  if (turned)
    describe(self); // who is told that a change has no quorum is told why
  for (auto& [id, here] : s.groups)
    if (here.group)
      self->send(here.group, now);
  if (s.partners.charter)
    self->send(s.partners.charter, now);
}

void on_tick(node_pointer self, const node_tick& x) {
  auto& s = self->state;
  if (x.generation != s.generation)
    return;
  s.armed.reset();
  s.ledger.expire(now(self));
  send_reports(self);
  ask_for_leases(self);
  if (s.remember_members_at && *s.remember_members_at <= now(self))
    remember_members(self);
  arm(self);
}

void set_up(node_pointer self, context_ptr context, node_partners partners) {
  auto& s = self->state;
  s.context = std::move(context);
  s.promises = node::commitments{s.context->broken};
  s.partners = std::move(partners);
  const auto& mine = *s.context;
  s.self.id = mine.self.id;
  s.self.start = mine.self.start;
  s.self.describes.name = mine.self.name;
  s.self.describes.labels = mine.offers.labels;
  s.self.describes.taints = mine.offers.taints;
  s.self.describes.cordoned = mine.cordoned;
  s.keeps = mine.keeps;
  s.started_ms = mine.wall_clock();
  s.ledger = {mine.offers.total, mine.offers.first_port, mine.offers.last_port};
  self->set_default_handler(caf::drop);
  self->set_down_handler([self](const caf::down_msg& x) { on_down(self, x); });
  self->set_exception_handler([](std::exception_ptr&) -> caf::error {
    spdlog::error("node failed: restart legion-node");
    return caf::sec::runtime_error;
  });
}

inner_node_handle::behavior_type node_actor(node_pointer self, context_ptr context,
                                            node_partners partners, std::vector<record> replayed) {
  set_up(self, std::move(context), std::move(partners));
  restore(self, replayed);
  spawn_groups(self, replayed);
  await_trust_of_journal(self);
  self->send(self->state.partners.membership,
             subscribe_members{caf::actor_cast<caf::strong_actor_ptr>(self)});
  self->send(self->state.partners.store,
             subscribe_health{caf::actor_cast<caf::strong_actor_ptr>(self)});
  self->send(self->state.partners.runtime,
             watch_supervisor{caf::actor_cast<caf::strong_actor_ptr>(self)});
  recover(self);
  return {
      [self](const call& x) {
        auto& s = self->state;
        auto reply = node::answer_call(x, s.self, ++s.last_offer, s.ledger, s.promises, now(self));
        spdlog::debug("node call of={}/{} count={} answer={}", x.of().namespace_(), x.of().name(),
                      x.count(), reply.has_offer() ? "offer" : reply.decline().detail());
        arm(self);
        return reply;
      },
      [self](const accept& x) { return on_accept(self, x); },
      [self](const release& x) { return on_release(self, x); },
      [self](const report& x) { return on_report(self, x); },
      [self](const lease_ask& x) { return on_lease_ask(self, x); },
      [self](const group_request& x) { return on_group_request(self, x); },
      [self](const node_request& x) { return on_node_request(self, x); },
      [self](const logs_request& x) { return on_logs(self, x); },
      [self](const member_change& x) { on_member(self, x); },
      [self](const group_claimed& x) { on_claimed(self, x); },
      [self](const group_let_go& x) { on_let_go(self, x); },
      [self](const roster_known& x) { on_roster(self, x); },
      [self](group_mail& x) { on_group_mail(self, x); },
      [self](drain) { return on_drain(self); },
      [self](const promise_says& x) { on_says(self, x); },
      [self](const promise_tells& x) { on_tells(self, x); },
      [self](const promise_over& x) { on_over(self, x.uid); },
      [self](const promise_lapsed& x) { end_here(self, x.uid, true); },
      [self](const node_tick& x) { on_tick(self, x); },
      [self](recover_again) { recover(self); },
      [self](const judge_strays& x) { on_judge_strays(self, x); },
      [self](const employ_later& x) { employ_again(self, x.uid); },
      [self](describe_again) {
        self->state.describing = false;
        describe(self);
      },
      [self](zone_told) { on_zone_told(self); },
      [self](hand_over_ends) { on_hand_over_ends(self); },
      [self](stop_answering) { on_stop_answering(self); },
      [self](const store::health& x) { on_health(self, x); },
      [self](const supervisor_lost& x) { on_supervisor_lost(self, x.why); },
      [self](learn_supervisor) { learn_supervisor_again(self); },
  };
}

} // namespace

node_handle spawn_node(caf::actor_system& system, const context_ptr& context,
                       const node_partners& partners, std::vector<record> replayed) {
  return spawn_enrolled(system, context, "node", node_actor, context, partners,
                        std::move(replayed));
}

} // namespace legion
