#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/consensus/incarnation.hpp"
#include "actors/consensus/log_records.hpp"
#include "actors/group/admission.hpp"
#include "actors/group/group_keys.hpp"
#include "actors/node/node_actor_state.hpp"

namespace legion {

namespace {

/// Groups are joined and left several at a time.
constexpr auto describe_pause = milliseconds{200};
constexpr auto hand_over_time = seconds{10};
constexpr auto raise_time = seconds{60};
constexpr auto pass_on_time = milliseconds{900}; // twice, before who asked gives up

consensus::journal_copy_ptr new_journal_copy(node_pointer self,
                                             const std::vector<record>& records = {}) {
  return std::make_shared<consensus::journal_copy>(records, self->state.context->shelf);
}

group_handle& spawn_here(node_pointer self, std::uint32_t id, consensus::journal_copy_ptr journal) {
  auto& s = self->state;
  auto& here = s.groups[id];
  here.journal = std::move(journal);
  here.group = spawn_group(self->system(), s.context, group_id{id}, here.journal,
                           {s.partners.store, s.partners.membership, s.partners.beats,
                            caf::actor_cast<node_handle>(self), s.partners.charter});
  self->monitor(here.group);
  if (s.journal.full)
    self->send(here.group, s.journal);
  if (s.trusts_journal)
    self->send(here.group, journal_trusted{});
  if (s.self.describes.draining)
    self->send(here.group, stand_back{});
  if (s.roster.roster)
    self->send(here.group, s.roster);
  return here.group;
}

/// What was acknowledged here may not be all there: a member with another journal begins anew, once
/// its group has admitted it.
std::string why_absent(const node_state& s, std::uint32_t group) {
  const auto& damage = s.context->damage;
  auto text = "group " + std::to_string(group) + " is not kept by " + s.context->self.name;
  if (damage && (damage->groups() >> group & 1) != 0)
    text += " any more, because its journal was damaged: " + damage->detail()
            + "; the damaged files are in " + damage->aside()
            + ". If no other node holds what they held: legionctl keepers rebuild, which begins "
              "with the promises that nodes hold; without any: legion-node --accept-loss";
  return text;
}

/// Whoever was told of another that is raised at the same time may not raise this one: see
/// consensus/incarnation. From the question on the node takes sides, not only once it is done.
caf::result<group_reply> raise_here(node_pointer self, const group_request& x) {
  auto& s = self->state;
  auto& here = s.groups.at(x.group());
  auto wanted = x.raise().incarnation();
  auto before = s.terms[x.group()];
  auto known = consensus::incarnation_of(before);
  if (known > wanted || consensus::rivals(known, wanted))
    return group::refused(x, refusal_conflict,
                          "group " + std::to_string(x.group())
                              + " is being raised anew already, as incarnation "
                              + std::to_string(known));
  s.terms[x.group()] = std::max(before, consensus::first_term(wanted));
  auto take_back = [self, group = x.group(), before, wanted] {
    auto& term = self->state.terms[group];
    if (term == consensus::first_term(wanted))
      term = before;
  };
  auto reply = self->make_response_promise<group_reply>();
  self->request(here.group, raise_time, x)
      .then(
          [reply, take_back](group_reply& y) mutable {
            if (!y.has_raised())
              take_back();
            reply.deliver(std::move(y));
          },
          [reply](caf::error& why) mutable { reply.deliver(std::move(why)); });
  return reply;
}

/// All groups begin with the node that founded the cluster, and grow from there. The first thing
/// that each does is to write the record it starts from.
void found_groups(node_pointer self) {
  const auto& context = *self->state.context;
  consensus::member_id founder{context.self.id,
                               consensus::journal_id::from_bytes(context.journal_id)};
  for (std::uint32_t g = 0; g < groups_per_zone; ++g) {
    record_batch first;
    consensus::log_records::found(group::key_prefix(group_id{g}), {founder}, first);
    auto journal = new_journal_copy(self);
    journal->writing(std::move(first));
    spawn_here(self, g, std::move(journal));
  }
}

/// Another actor goes on from what is on disk; one that fails again and again is given up.
void on_group_down(node_pointer self, std::uint32_t id, const caf::error& why) {
  auto& here = self->state.groups.at(id);
  if (here.restarts.spend(now(self))) {
    spdlog::warn("node group_failed group={} why=\"{}\": started again", id, caf::to_string(why));
    spawn_here(self, id, here.journal);
    return;
  }
  spdlog::error("node group_given_up group={} why=\"{}\": it failed {} times within {} s; restart "
                "this node",
                id, caf::to_string(why), node::restart_budget::most + 1,
                node::restart_budget::span.count());
  here.group = nullptr;
  on_let_go(self, {group_id{id}, true});
}

} // namespace

void await_trust_of_journal(node_pointer self) {
  self->request(self->state.partners.membership, caf::infinite, await_trust{})
      .then([self](journal_trusted x) {
        auto& s = self->state;
        s.trusts_journal = true;
        for (auto& [id, here] : s.groups)
          if (here.group)
            self->send(here.group, x);
      });
}

void spawn_groups(node_pointer self, std::vector<record>& replayed) {
  const auto& context = *self->state.context;
  std::map<std::uint32_t, std::vector<record>> by_group;
  for (auto& x : replayed)
    if (auto g = group::group_of_key(x.key()))
      by_group[value(*g)].push_back(std::move(x));
  if (by_group.empty() && context.founds() && !context.damage)
    return found_groups(self);
  for (auto& [id, records] : by_group)
    spawn_here(self, id, new_journal_copy(self, records));
}

bool on_group_ended(node_pointer self, const caf::down_msg& x) {
  for (auto& [id, here] : self->state.groups)
    if (here.group && here.group.address() == x.source) {
      on_group_down(self, id, x.reason);
      return true;
    }
  return false;
}

/// For one that cannot reach who leads the group: as it is said here, once.
static caf::result<group_reply> pass_on(node_pointer self, const group_handle& here,
                                        group_request what) {
  what.clear_pass_on();
  auto reply = self->make_response_promise<group_reply>();
  auto failed = [reply](const caf::error& why) mutable { reply.deliver(why); };
  self->request(here, pass_on_time, what)
      .then(
          [self, reply, what](group_reply& y) mutable {
            auto leader = node_id::from_bytes(y.refused().node());
            auto& context = *self->state.context;
            if (y.refused().code() != refusal_elsewhere || leader.null()
                || leader == context.self.id) {
              reply.deliver(std::move(y));
              return;
            }
            self->request(context.directory->at<node_handle>(leader, "node"), pass_on_time, what)
                .then([reply](group_reply& z) mutable { reply.deliver(std::move(z)); },
                      [reply, y](const caf::error& why) mutable {
                        if (may_be_done(fault_of(why).code))
                          y.mutable_refused()->set_in_doubt(true);
                        reply.deliver(std::move(y));
                      });
          },
          failed);
  return reply;
}

caf::result<group_reply> on_group_request(node_pointer self, const group_request& x) {
  auto& s = self->state;
  if (x.group() >= groups_per_zone)
    return group::refused(x, refusal_invalid, "there is no group " + std::to_string(x.group()));
  auto here = s.groups.find(x.group());
  if (here == s.groups.end() && x.has_raise()) { // from promises alone
    spawn_here(self, x.group(), new_journal_copy(self));
    here = s.groups.find(x.group());
  }
  if (here == s.groups.end()) {
    auto reply = group::refused(x, refusal_elsewhere, why_absent(s, x.group()));
    reply.mutable_refused()->set_absent(true);
    return reply;
  }
  if (!here->second.group)
    return group::refused(x, refusal_unreachable,
                          "group " + std::to_string(x.group()) + " has failed on "
                              + s.context->self.name + "; restart that node");
  if (x.has_raise())
    return raise_here(self, x);
  if (x.pass_on())
    return pass_on(self, here->second.group, x);
  return self->delegate(here->second.group, x);
}

caf::result<report_reply> on_report(node_pointer self, const report& x) {
  auto& groups = self->state.groups;
  auto i = groups.find(x.group());
  if (i == groups.end() || !i->second.group)
    return make_error(fault{errc::unreachable, "the keeper group is not here"});
  return self->delegate(i->second.group, x);
}

/// Of a group that has no member here yet: its leader wants this node in it.
void on_group_mail(node_pointer self, group_mail& x) {
  auto& s = self->state;
  auto here = s.groups.find(value(x.group));
  if (here == s.groups.end() && s.self.describes.draining)
    return; // it would join, and go
  if (here == s.groups.end())
    self->send(spawn_here(self, value(x.group), new_journal_copy(self)), std::move(x));
  else if (here->second.group)
    self->send(here->second.group, std::move(x));
}

void on_roster(node_pointer self, const roster_known& x) {
  auto& s = self->state;
  s.roster = x;
  if (!x.roster)
    return;
  for (auto& [id, here] : s.groups)
    if (here.group)
      self->send(here.group, x);
  const auto* mine = x.roster->find(s.context->self.id);
  if (!mine || mine->cordoned() == s.self.describes.cordoned)
    return;
  s.self.describes.cordoned = mine->cordoned();
  spdlog::info("node cordoned={} name={}", mine->cordoned(), s.context->self.name);
  describe(self);
}

void on_claimed(node_pointer self, const group_claimed& x) {
  auto& s = self->state;
  auto before = s.keeps;
  auto bit = std::uint64_t{1} << (value(x.group) % groups_per_zone);
  s.keeps = x.keeps ? s.keeps | bit : s.keeps & ~bit;
  if (s.keeps != before && !std::exchange(s.describing, true))
    self->delayed_send(self, describe_pause, describe_again{});
}

void hand_over_groups(node_pointer self) {
  auto& s = self->state;
  for (auto& [id, here] : s.groups)
    if (here.group) {
      s.handing_over.insert(id);
      self->send(here.group, stand_back{});
    }
  if (s.partners.charter) {
    s.handing_over.insert(value(charter_group));
    self->send(s.partners.charter, stand_back{});
  }
  if (!s.handing_over.empty())
    self->delayed_send(self, hand_over_time, hand_over_ends{});
}

void on_let_go(node_pointer self, const group_let_go& x) {
  auto& s = self->state;
  if (s.handing_over.erase(value(x.group)) == 0)
    return;
  if (x.group == charter_group)
    s.charter_stuck = x.stuck;
  else
    s.stuck_groups += x.stuck ? 1 : 0;
  answer_drains(self);
}

void on_hand_over_ends(node_pointer self) {
  auto& s = self->state;
  s.charter_stuck = s.handing_over.erase(value(charter_group)) != 0 || s.charter_stuck;
  s.stuck_groups += s.handing_over.size();
  s.handing_over.clear();
  answer_drains(self);
}

} // namespace legion
