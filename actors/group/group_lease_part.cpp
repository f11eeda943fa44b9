#include "actors/group/group_lease_part.hpp"

#include <algorithm>
#include <memory>

#include <spdlog/spdlog.h>

#include "actors/group/group_state_part.hpp"

namespace legion {

namespace {

constexpr auto keeper_time = seconds{1};

void begin_round(group_pointer self);

/// Answers of several keepers, gathered into one.
struct renewing {
  lease_answer answer;
  lease_reply reply;
  std::size_t waiting = 0;
};

/// Each resource's keeper says which of its slots may go on: only what it grants itself can it count
/// on being over.
void renew(group_pointer self, const keeper::lease_desk::ask& x, const lease_reply& reply) {
  auto& state = self->state;
  auto all = std::make_shared<renewing>();
  all->reply = reply;
  all->answer.set_term(state.core()->term());
  std::vector<keeper_handle> asked;
  for (const auto& [key, resource] : state.rules->resources()) {
    auto holds = std::any_of(x.uids.begin(), x.uids.end(),
                             [&](const auto& uid) { return resource.slots.contains(uid); });
    auto i = state.keepers.find(key);
    if (holds && i != state.keepers.end() && i->second.keeper)
      asked.push_back(i->second.keeper);
  }
  all->waiting = asked.size();
  if (asked.empty())
    all->reply.deliver(std::move(all->answer));
  auto add = [](renewing& to, const std::vector<std::string>& uids) {
    to.answer.mutable_renewed()->Add(uids.begin(), uids.end());
    if (--to.waiting == 0)
      to.reply.deliver(std::move(to.answer));
  };
  for (const auto& keeper : asked)
    self->request(keeper, keeper_time, renew_slots{x.from, x.uids})
        .then([all, add](const slots_renewed& y) { add(*all, y.uids); },
              [all, add](const caf::error&) { add(*all, {}); });
}

void refuse_all(group_pointer self) {
  auto& leases = self->state.leases.made();
  leases.desk.deposed();
  for (auto& [from, x] : std::exchange(leases.asked, {}))
    x.second.deliver(make_error(fault{errc::unreachable, "no quorum confirmed that the group is "
                                                         "led here"}));
}

void on_round(group_pointer self, std::uint64_t round, bool confirmed) {
  auto& leases = self->state.leases.made();
  leases.under_way = false;
  if (!confirmed)
    return refuse_all(self);
  for (const auto& x : leases.desk.round_confirmed(round)) {
    auto i = leases.asked.find(x.from);
    if (i == leases.asked.end() || i->second.first != x.sequence)
      continue;
    auto reply = i->second.second;
    leases.asked.erase(i);
    renew(self, x, reply);
  }
  if (!leases.desk.empty())
    begin_round(self);
}

void begin_round(group_pointer self) {
  auto& leases = self->state.leases.made();
  leases.under_way = true;
  leases.desk.round_begins(++leases.round);
  confirm_quorum(self, [self, round = leases.round](bool yes) { on_round(self, round, yes); });
}

} // namespace

lease_reply on_lease_ask(group_pointer self, const lease_ask& x) {
  auto& state = self->state;
  auto reply = self->make_response_promise<lease_answer>();
  auto from = node_id::from_bytes(x.node());
  if (!state.keeps) {
    lease_answer elsewhere;
    elsewhere.set_leader(state.core() ? state.core()->leader().node.bytes() : std::string{});
    if (elsewhere.leader().empty() || state.core()->leader().node.null()
        || state.core()->leader().node == state.context->self.id)
      reply.deliver(make_error(fault{errc::overloaded, "nobody leads the keeper group yet"}));
    else
      reply.deliver(std::move(elsewhere));
    return reply;
  }
  std::vector<std::string> uids(x.uids().begin(), x.uids().end());
  auto& leases = state.leases.made();
  auto& known = leases.asked[from];
  auto late = known.second.pending() && known.first > x.sequence();
  if (late || !leases.desk.on_ask({from, x.sequence(), std::move(uids)})) {
    if (!known.second.pending())
      leases.asked.erase(from);
    reply.deliver(make_error(fault{errc::overloaded, "too many nodes ask for leases"}));
    return reply;
  }
  if (known.second.pending())
    known.second.deliver(make_error(fault{errc::conflict, "the node has asked again since"}));
  known = {x.sequence(), reply};
  if (!leases.under_way)
    begin_round(self);
  return reply;
}

/// A read: its answer says that a quorum followed this leader in a round that began after it.
void confirm_quorum(group_pointer self, std::function<void(bool)> done) {
  auto& s = self->state;
  auto number = s.core()->read();
  if (!number)
    return done(false);
  s.leases.made().confirming.emplace(*number, std::move(done));
  self->state.seat->pump();
}

bool on_quorum_answered(group_pointer self, std::uint64_t read, bool yes) {
  if (!self->state.leases)
    return false;
  auto found = self->state.leases->confirming.extract(read);
  if (found.empty())
    return false;
  found.mapped()(yes && self->state.keeps);
  return true;
}

void dismiss_lease_asks(group_pointer self) {
  if (!self->state.leases)
    return;
  self->state.leases->confirming.clear();
  self->state.leases->under_way = false;
  refuse_all(self);
}

} // namespace legion
