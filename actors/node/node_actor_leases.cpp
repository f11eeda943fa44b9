#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/consensus/incarnation.hpp"
#include "actors/node/node_actor_state.hpp"

namespace legion {

namespace {

constexpr auto ask_timeout = seconds{1}; // less than the pause between two asks

/// Those who say that they keep the group, for when nobody is known to lead it.
std::vector<node_id> keepers_of(node_pointer self, std::uint32_t group) {
  std::vector<node_id> result;
  for (const auto& [id, bits] : self->state.keepers)
    if (bits >> (group % groups_per_zone) & 1)
      result.push_back(id);
  return result;
}

void refused(node_pointer self, std::uint32_t group, std::uint64_t sequence,
             const node_id& leader) {
  auto& s = self->state;
  s.leases.on_refused(sequence, leader, keepers_of(self, group), s.context->boot_clock());
  arm(self);
}

void answered(node_pointer self, std::uint32_t group, std::uint64_t sequence,
              const lease_answer& x) {
  auto& s = self->state;
  if (!x.leader().empty())
    return refused(self, group, sequence, node_id::from_bytes(x.leader()));
  if (consensus::incarnation_of(x.term()) < consensus::incarnation_of(s.terms[group]))
    return refused(self, group, sequence, {}); // the group was raised anew without that one
  std::vector<std::string> uids(x.renewed().begin(), x.renewed().end());
  for (const auto& y : s.leases.on_answer(sequence, uids, s.context->boot_clock())) {
    spdlog::debug("node lease uid={} until_ms={}", y.uid, y.until_ms);
    if (auto i = s.keeping.find(y.uid); i != s.keeping.end())
      self->send(i->second, lease_renewed{y.until_ms});
  }
}

} // namespace

void lease_begins(node_pointer self, const promise_record& x) {
  auto& s = self->state;
  const auto& slot = x.slot();
  if (slot.lease_ms() == 0)
    return;
  s.leases.add(slot.uid(), x.group(), node_id::from_bytes(x.keeper()),
               milliseconds{slot.lease_ms()});
  if (auto until = s.leases.until(slot.uid()); until > 0)
    self->send(s.keeping.at(slot.uid()), lease_renewed{until}); // another actor took over
  arm(self);
}

/// The rules think in boot time: a machine that was suspended asks at once.
std::optional<time_point> next_lease_ask(node_pointer self) {
  auto& s = self->state;
  auto at = s.leases.next_due();
  if (at < 0)
    return std::nullopt;
  return now(self) + milliseconds{std::max<std::int64_t>(0, at - s.context->boot_clock())};
}

void ask_for_leases(node_pointer self) {
  auto& s = self->state;
  for (auto& x : s.leases.due(s.context->boot_clock())) {
    lease_ask what;
    what.set_group(x.group);
    what.set_node(s.context->self.id.bytes());
    what.set_sequence(x.sequence);
    for (auto& uid : x.uids)
      what.add_uids(std::move(uid));
    self->request(s.context->directory->at<node_handle>(x.to, "node"), ask_timeout, std::move(what))
        .then([self, group = x.group, sequence = x.sequence](
                  const lease_answer& y) { answered(self, group, sequence, y); },
              [self, group = x.group, sequence = x.sequence](const caf::error& why) {
                spdlog::debug("node lease_unanswered group={} why=\"{}\"", group,
                              fault_of(why).detail);
                refused(self, group, sequence, {});
              });
  }
}

caf::result<lease_answer> on_lease_ask(node_pointer self, const lease_ask& x) {
  auto& groups = self->state.groups;
  auto i = groups.find(x.group());
  if (i == groups.end() || !i->second.group)
    return make_error(fault{errc::unreachable, "the keeper group is not here"});
  return self->delegate(i->second.group, x);
}

} // namespace legion
