#include "actors/group/group_actor.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/census/census.hpp"
#include "actors/group/admission.hpp"
#include "actors/group/group_state_part.hpp"

namespace legion {

group_shell::~group_shell() {
  for (auto& [key, kept] : keepers)
    if (kept.keeper)
      caf::anon_send_exit(kept.keeper, caf::exit_reason::user_shutdown);
}

namespace {

constexpr auto write_time = seconds{60};
constexpr auto list_time = seconds{2};
constexpr auto restart_pause = seconds{10};
/// Longer than any author tries a request again: the answers it remembers go with it.
constexpr auto claim_pause = seconds{30};
constexpr auto rewrite_pause = seconds{1};
constexpr std::uint32_t restarts_at_once = 5; // then one each `restart_pause`
constexpr std::size_t max_waiting_authors = 1024;
constexpr std::size_t max_waiting_proposals = 4096;

void serve_authors(group_pointer self);
void perform_all(group_pointer self, std::vector<group::log::effect> effects);

void start_keeper(group_pointer self, const group::resource_key& key) {
  auto& state = self->state;
  auto* resource = state.rules->find(key);
  if (!resource)
    return;
  auto& kept = state.keepers[key];
  kept.keeper = spawn_keeper(self->system(), state.context, state.group, *resource,
                             state.rules->index() + kept.restarts, state.spread,
                             caf::actor_cast<commit_handle>(self));
  kept.who = caf::actor_cast<caf::actor_addr>(kept.keeper);
  self->monitor(kept.keeper);
}

void on_keeper_down(group_pointer self, const caf::down_msg& x) {
  auto& state = self->state;
  for (auto& [key, kept] : state.keepers) {
    if (kept.who != x.source)
      continue;
    spdlog::error("group keeper_failed group={} resource={}/{} restarts={}", value(state.group),
                  key.space, key.name, kept.restarts);
    kept.keeper = keeper_handle{};
    if (kept.restarts++ < restarts_at_once)
      start_keeper(self, key);
    else
      self->delayed_send(self, restart_pause, respawn_keeper{key});
    return;
  }
}

/// A committed entry reaches its resource's keeper, in order; keepers come and go with resources.
void apply(group_pointer self, std::vector<group_entry>& entries) {
  auto& state = self->state;
  std::map<group::resource_key, std::vector<group_entry>> by_resource;
  for (auto& x : entries) {
    state.rules->apply(x);
    by_resource[group::subject_of(x)].push_back(std::move(x));
  }
  for (auto& [key, xs] : by_resource) {
    auto i = state.keepers.find(key);
    if (!state.rules->find(key)) {
      if (i == state.keepers.end())
        continue;
      spdlog::info("group resource_gone group={} resource={}/{}", value(state.group), key.space,
                   key.name);
      if (i->second.keeper) {
        self->demonitor(i->second.who);
        self->send_exit(i->second.keeper, caf::exit_reason::user_shutdown);
      }
      state.keepers.erase(i);
    } else if (i == state.keepers.end()) {
      start_keeper(self, key);
    } else if (i->second.keeper) {
      self->send(i->second.keeper, entries_committed{std::move(xs)});
    }
  }
  auto empty = state.rules->resources().empty();
  if (!state.claimed && !empty) {
    state.claimed = true;
    self->send(state.node, group_claimed{state.group});
  } else if (state.claimed && empty && !std::exchange(state.giving_up, true)) {
    self->delayed_send(self, claim_pause, give_up_claim{});
  }
}

/// Nothing is kept here any more: the zone's members decide anew who keeps the group.
void on_give_up(group_pointer self) {
  auto& state = self->state;
  state.giving_up = false;
  if (!state.claimed || !state.rules->resources().empty())
    return;
  if (state.committing || !state.proposals.empty()) {
    state.giving_up = true;
    self->delayed_send(self, claim_pause, give_up_claim{});
    return;
  }
  spdlog::info("group given_up group={}: it holds nothing", value(state.group));
  state.claimed = false;
  state.withdrawing = true;
  self->send(state.node, group_claimed{state.group, false});
}

void perform(group_pointer self, group::log::write& x) {
  auto& state = self->state;
  if (x.after.count() > 0) {
    state.unknown_batch = std::move(x.batch);
    self->delayed_send(self, x.after, rewrite_batch{});
    return;
  }
  state.journal->writing(x.batch);
  self->request(state.store, write_time, std::move(x.batch))
      .then(
          [self](written) {
            self->state.journal->written();
            perform_all(self, self->state.log->on_written());
          },
          [self](caf::error& why) {
            auto fault = fault_of(why);
            if (fault.code == errc::disk_full || fault.code == errc::overloaded)
              self->state.journal->refused();
            spdlog::warn("group write_failed group={} why={} detail={}", value(self->state.group),
                         to_string(fault.code), fault.detail);
            perform_all(self, self->state.log->on_failed(fault));
          });
}

void perform(group_pointer self, group::log::commit& x) {
  auto& state = self->state;
  put_result answer;
  if (!x.entries.empty() && x.entries.front().has_result()) {
    answer = x.entries.front().result();
    if (x.entries.front().has_put())
      answer.set_resource_version(x.entries.front().index());
  }
  apply(self, x.entries);
  if (state.log->wants_snapshot())
    state.log->compact(state.rules->snapshot());
  if (auto i = state.proposals.find(x.proposal); i != state.proposals.end()) {
    i->second.deliver(entries_proposed{});
    state.proposals.erase(i);
  }
  if (state.committing && state.committing_proposal == x.proposal) {
    group_reply reply;
    reply.set_request_id(state.committing->request.request_id());
    spdlog::info("group {} group={} resource={}/{} version={}", answer.action(), value(state.group),
                 answer.name().namespace_(), answer.name().name(), answer.resource_version());
    *reply.mutable_done() = std::move(answer);
    state.committing->reply.deliver(std::move(reply));
    state.committing.reset();
    serve_authors(self);
  }
}

void perform(group_pointer self, group::log::refuse& x) {
  auto& state = self->state;
  if (auto i = state.proposals.find(x.proposal); i != state.proposals.end()) {
    i->second.deliver(make_error(x.why));
    state.proposals.erase(i);
  }
  if (state.committing && state.committing_proposal == x.proposal) {
    auto full = x.why.code == errc::disk_full;
    state.committing->reply.deliver(
        group::refused(state.committing->request, full ? refusal_disk_full : refusal_overloaded,
                       (full ? "the data folder of the node that keeps it is full: nothing was "
                               "changed; "
                             : "the journal of the node that keeps it is overloaded; ")
                           + x.why.detail));
    state.committing.reset();
    serve_authors(self);
  }
}

void perform_all(group_pointer self, std::vector<group::log::effect> effects) {
  for (auto& x : effects)
    std::visit([self](auto& y) { perform(self, y); }, x);
}

/// Which other node keeps this group, if this one holds nothing of it and does not have to.
std::optional<node_id> elsewhere(const group_shell& state) {
  if (!state.rules->resources().empty() || state.committing)
    return std::nullopt;
  std::vector<group::candidate_keeper> members;
  for (const auto& [id, x] : state.zone)
    members.push_back(x);
  auto keeper = group::keeper_of(state.group, members);
  if (!keeper || *keeper == state.context->self.id)
    return std::nullopt;
  return keeper;
}

void serve(group_pointer self, group_author& x) {
  auto& state = self->state;
  if (auto other = elsewhere(state)) {
    auto reply =
        group::refused(x.request, refusal_elsewhere,
                       "group " + std::to_string(value(state.group)) + " is kept by another node");
    reply.mutable_refused()->set_node(other->bytes());
    x.reply.deliver(std::move(reply));
    return;
  }
  if (x.request.has_read())
    return read(self, x);
  if (x.request.has_explain())
    return explain(self, x);
  if (state.rules->resources().empty()
      && !group::may_claim(state.context->join.size(), state.zone.size())) {
    x.reply.deliver(group::refused(
        x.request, refusal_unreachable,
        "this node has not joined its zone yet: it asks " + state.context->join.front().endpoint
            + ", and its log says what comes of it; try again in a moment, or ask another node"));
    return;
  }
  auto next = group::admit(*state.rules, x.request, state.context->wall_clock(), state.random);
  if (auto* reply = std::get_if<group_reply>(&next)) {
    x.reply.deliver(std::move(*reply));
    return;
  }
  state.committing = std::move(x);
  state.committing_proposal = state.next_proposal++;
  std::vector<group_entry> entries;
  entries.push_back(std::move(std::get<group_entry>(next)));
  perform_all(self, state.log->propose(state.committing_proposal, std::move(entries)));
}

void serve_authors(group_pointer self) {
  auto& state = self->state;
  while (state.zone_known && !state.committing && !state.withdrawing && !state.authors.empty()) {
    auto x = std::move(state.authors.front());
    state.authors.pop_front();
    serve(self, x);
  }
}

author_reply on_request(group_pointer self, group_request& x) {
  auto& state = self->state;
  auto reply = self->make_response_promise<group_reply>();
  spdlog::debug("group request group={} what={}", value(state.group),
                static_cast<int>(x.what_case()));
  if (state.fenced) {
    reply.deliver(group::refused(x, refusal_unknown, state.fenced->detail));
  } else if (state.authors.size() >= max_waiting_authors) {
    reply.deliver(group::refused(x, refusal_overloaded,
                                 std::to_string(max_waiting_authors)
                                     + " requests wait for this keeper group"));
  } else {
    auto waits = !x.has_read() && !x.has_explain();
    auto who = group_author{std::move(x), reply};
    if (state.zone_known && !waits)
      serve(self, who);
    else
      state.authors.push_back(std::move(who));
    serve_authors(self);
  }
  return reply;
}

keeper_reply on_propose(group_pointer self, propose_entries& x) {
  auto& state = self->state;
  auto reply = self->make_response_promise<entries_proposed>();
  if (state.proposals.size() >= max_waiting_proposals) {
    reply.deliver(make_error(fault{errc::overloaded, "the group's log is behind"}));
    return reply;
  }
  auto proposal = state.next_proposal++;
  state.proposals.emplace(proposal, reply);
  perform_all(self, state.log->propose(proposal, std::move(x.entries)));
  return reply;
}

void on_member(group_pointer self, const member_change& x) {
  auto& state = self->state;
  auto id = node_id::from_bytes(x.who.id());
  if (id.null())
    return;
  auto gone = x.state == member_dead || x.state == member_left;
  state.zone[id] = {id, !gone, x.who.keeps()};
  auto bit = std::uint64_t{1} << (value(state.group) % groups_per_zone);
  if (id == state.context->self.id && state.withdrawing && (x.who.keeps() & bit) == 0) {
    state.withdrawing = false;
    serve_authors(self);
  }
  auto& row = state.members[id];
  if (row.name == x.who.name() && row.start == x.who.start() && row.state == x.state)
    return;
  row = {x.who.name(), x.who.start(), x.state};
  if (!state.spreading && state.zone_known) {
    state.spreading = true; // what changes together is told together
    self->send(self, spread_zone{});
  }
}

void learn_zone(group_pointer self) {
  auto& state = self->state;
  self->request(state.membership, list_time, list_members{})
      .then(
          [self](const members_known& x) {
            auto& state = self->state;
            for (const auto& y : x.members)
              on_member(self, y);
            state.zone_known = true;
            self->send(self, spread_zone{});
            self->send(state.membership,
                       subscribe_members{caf::actor_cast<caf::strong_actor_ptr>(self)});
            serve_authors(self);
          },
          [self](caf::error& why) {
            spdlog::warn("group zone_unknown group={} why={}", value(self->state.group),
                         fault_of(why).detail);
            learn_zone(self);
          });
}

/// Reads the journal, and keeps what it says.
void begin(group_pointer self) {
  auto& state = self->state;
  if (auto done = state.log->replay(state.journal->records(), *state.rules); !done) {
    state.fenced = done.why();
    spdlog::error("group fenced group={} why={}", value(state.group), done.why().detail);
  }
  state.random.seed(state.context->seed_for("group/" + std::to_string(value(state.group)) + "/"
                                            + std::to_string(value(state.context->self.start)) + "/"
                                            + std::to_string(state.rules->index())));
  state.begun = true;
  if (!state.fenced) {
    for (const auto& [key, resource] : state.rules->resources())
      start_keeper(self, key);
    if (!state.rules->resources().empty()) {
      state.claimed = true;
      self->send(state.node, group_claimed{state.group});
    }
  }
  learn_zone(self);
}

/// What an earlier actor was writing may be on disk or not: the same again makes it sure.
void finish_earlier_write(group_pointer self) {
  auto& state = self->state;
  if (state.journal->in_doubt().records().empty())
    return begin(self);
  self->request(state.store, write_time, state.journal->in_doubt())
      .then(
          [self](written) {
            self->state.journal->written();
            begin(self);
          },
          [self](caf::error& why) {
            spdlog::warn("group write_failed group={} why={}", value(self->state.group),
                         fault_of(why).detail);
            self->delayed_send(self, rewrite_pause, finish_writing{});
          });
}

group_core::behavior_type group_actor(group_pointer self, context_ptr context, group_id group,
                                      group::journal_copy_ptr journal, store_handle store,
                                      membership_handle membership, node_handle node) {
  auto& state = self->state;
  state.context = std::move(context);
  state.group = group;
  state.journal = std::move(journal);
  state.store = std::move(store);
  state.membership = std::move(membership);
  state.node = std::move(node);
  state.log.emplace(group);
  state.rules.emplace(group);
  self->set_default_handler(caf::drop);
  self->set_down_handler([self](caf::down_msg& x) { on_keeper_down(self, x); });
  self->set_exit_handler([self](caf::exit_msg& x) {
    for (auto& [key, kept] : self->state.keepers)
      if (kept.keeper)
        self->send_exit(kept.keeper, x.reason);
    self->quit(x.reason);
  });
  finish_earlier_write(self);
  return {
      [self](group_request& x) { return on_request(self, x); },
      [self](const report& x) { return on_report(self, x); },
      [self](const member_change& x) { on_member(self, x); },
      [self](propose_entries& x) { return on_propose(self, x); },
      [self](rewrite_batch) {
        auto batch = std::move(self->state.unknown_batch);
        perform_all(self, {group::log::write{std::move(batch)}});
      },
      [self](spread_zone) {
        auto& state = self->state;
        state.spreading = false;
        state.spread = std::make_shared<const keeper::member_table>(state.members);
        for (auto& [key, kept] : state.keepers)
          if (kept.keeper)
            self->send(kept.keeper, zone_is{state.spread});
      },
      [self](finish_writing) { finish_earlier_write(self); },
      [self](give_up_claim) { on_give_up(self); },
      [self](const respawn_keeper& x) {
        auto i = self->state.keepers.find(x.key);
        if (i != self->state.keepers.end() && !i->second.keeper)
          start_keeper(self, x.key);
      },
  };
}

} // namespace

group_handle spawn_group(caf::actor_system& system, const context_ptr& context, group_id group,
                         group::journal_copy_ptr journal, const store_handle& store,
                         const membership_handle& membership, const node_handle& node) {
  return spawn_enrolled(system, context, "group/" + std::to_string(value(group)), group_actor,
                        context, group, std::move(journal), store, membership, node);
}

} // namespace legion
