#include <spdlog/spdlog.h>

#include <bit>

#include "actors/bridge/directory.hpp"
#include "actors/consensus/incarnation.hpp"
#include "actors/node/holdings.hpp"
#include "actors/node/log_question.hpp"
#include "actors/node/losses.hpp"
#include "actors/node/node_actor_state.hpp"

namespace legion {

namespace {

constexpr auto read_timeout = seconds{10};
constexpr auto bridge_timeout = seconds{1};

node_condition disk_pressure(const node_state& s) {
  node_condition result;
  result.set_type("DiskPressure");
  result.set_status(s.journal.full);
  result.set_reason(s.journal.full ? "JournalFull" : "JournalHasSpace");
  result.set_message(s.journal.full
                         ? "the data folder is full: what runs goes on, and changes are refused "
                           "until there is space ("
                               + s.journal.detail + ")"
                         : "the journal has space");
  result.set_since_ms(s.journal_changed_ms);
  return result;
}

node_condition journal_damaged(const damage_record& x) {
  node_condition result;
  result.set_type("JournalDamaged");
  result.set_status(true);
  result.set_reason("JournalReplaced");
  result.set_message(x.detail()
                     + "; what runs here goes on; keeper groups that have a quorum without this "
                       "node take it back as a new member. The damaged files are in "
                     + x.aside()
                     + ". Once no keeper group lacks an answer, a start with --accept-loss takes "
                       "this note away");
  result.set_since_ms(x.time_ms());
  return result;
}

} // namespace

node_view view(node_pointer self, const node_request& what) {
  auto& s = self->state;
  const auto& context = *s.context;
  node_view result;
  *result.mutable_member() = description(self);
  result.set_state(member_alive);
  *result.mutable_total() = s.ledger.total();
  *result.mutable_free() = s.ledger.free();
  result.set_promises(static_cast<std::uint32_t>(s.promises.all().size()));
  for (const auto& x : context.offers.notes)
    result.add_notes(x);
  if (!s.features.note.empty())
    result.add_notes(s.features.note);
  for (const auto& x : s.features.limits)
    result.add_limits(x);
  for (const auto& x : s.self.describes.drivers)
    result.add_drivers(x);
  *result.add_conditions() = disk_pressure(s);
  if (context.damage)
    *result.add_conditions() = journal_damaged(*context.damage);
  result.set_started_ms(s.started_ms);
  result.set_first_started_ms(context.first_started_ms > 0 ? context.first_started_ms
                                                           : s.started_ms);
  result.set_kept_groups(static_cast<std::uint32_t>(std::popcount(s.keeps)));
  result.set_answered(true);
  result.set_charter(s.roster.standing);
  result.set_heard_ms(context.wall_clock());
  result.set_pid(context.pid);
  result.set_supervisor_pid(s.supervisor_pid);
  if (what.events())
    for (const auto& x : s.events.all())
      *result.add_events() = x;
  if (what.holdings())
    for (auto& x : node::holdings_of(s.promises, s.terms))
      *result.add_holdings() = std::move(x);
  std::set<std::string> told;
  for (const auto& [uid, x] : s.promises.all()) {
    if (what.assessments() && x.latest.has_slot())
      *result.add_assessments() = x.latest;
    if (what.resources() && x.record->what().has_metadata()
        && told.insert(node::name_of(x.record->what()).SerializeAsString()).second)
      *result.add_resources() = x.record->what();
  }
  return result;
}

namespace {

/// With what the bridge has counted, if it answers.
void answer_with_losses(node_pointer self, const node_request& x, std::string joining,
                        caf::typed_response_promise<node_view> reply) {
  const auto& context = *self->state.context;
  auto bridge = context.directory->at<bridge_handle>(context.self.id, "bridge");
  auto said = [self, reply, x, joining]() {
    auto result = view(self, x);
    result.set_joining(joining);
    return result;
  };
  self->request(bridge, bridge_timeout, list_losses{})
      .then(
          [reply, said](const losses& counted) mutable {
            auto result = said();
            std::vector<lost_messages> lost(counted.counts.size());
            for (std::size_t i = 0; i < lost.size(); ++i) {
              lost[i].set_peer(counted.counts[i].peer.bytes());
              lost[i].set_reason(node::word_of(counted.counts[i].reason));
              lost[i].set_messages(counted.counts[i].messages);
            }
            node::add_losses(result, std::move(lost));
            reply.deliver(std::move(result));
          },
          [reply, said](const caf::error&) mutable { reply.deliver(said()); });
}

} // namespace

/// A group that was raised anew asks what is held of it: from now on it is the one to be obeyed. One
/// that is not the newest hears only that.
static node_view held_here(node_pointer self, const held_question& x) {
  auto& s = self->state;
  auto& term = s.terms[x.group()];
  node_view result;
  if (consensus::incarnation_of(term) > x.incarnation()) {
    auto& known = *result.add_holdings();
    known.set_group(x.group());
    known.mutable_highest()->set_incarnation(consensus::incarnation_of(term));
    return result;
  }
  term = std::max(term, consensus::first_term(x.incarnation()));
  result.mutable_member()->set_id(s.context->self.id.bytes());
  result.mutable_member()->set_name(s.context->self.name);
  result.mutable_member()->set_start(value(s.context->self.start));
  *result.mutable_held() = node::held_of(s.promises, x.group(), x.after());
  spdlog::debug("node holds group={} promises={}", x.group(), result.held().slots_size());
  return result;
}

/// Until it has joined, a node says what comes of that.
caf::typed_response_promise<node_view> on_node_request(node_pointer self, const node_request& x) {
  auto reply = self->make_response_promise<node_view>();
  auto& s = self->state;
  if (x.has_held()) {
    reply.deliver(held_here(self, x.held()));
    return reply;
  }
  if (s.joined) {
    answer_with_losses(self, x, {}, reply);
    return reply;
  }
  self->request(s.partners.membership, bridge_timeout, list_members{})
      .then(
          [self, reply, x](const members_known& all) {
            auto& context = *self->state.context;
            self->state.joined = !all.joining;
            auto joining = self->state.joined ? std::string{}
                           : all.join_trouble.empty()
                               ? "it waits for an answer of " + context.join.front().endpoint
                               : all.join_trouble;
            answer_with_losses(self, x, std::move(joining), reply);
          },
          [self, reply, x](const caf::error&) { answer_with_losses(self, x, {}, reply); });
  return reply;
}

caf::typed_response_promise<log_lines> on_logs(node_pointer self, const logs_request& x) {
  auto& s = self->state;
  auto reply = self->make_response_promise<log_lines>();
  if (x.find_gone()) {
    log_lines lines;
    if (const auto* gone = node::gone_pod_meant(x, s.departed))
      lines.set_gone_ms(gone->gone_ms());
    reply.deliver(std::move(lines));
    return reply;
  }
  auto question = node::log_question_of(x, s.promises, s.departed, s.context->self.name);
  if (!question) {
    log_lines lines;
    lines.set_error(question.why().detail);
    lines.set_not_found(true);
    reply.deliver(std::move(lines));
    return reply;
  }
  read_output what;
  what.workload = question->workload;
  what.container = question->container;
  what.life = question->life;
  what.offset = question->offset;
  self->request(s.partners.runtime, read_timeout, std::move(what))
      .then(
          [reply, question = *question](const drivers::output& y) mutable {
            log_lines lines;
            if (!question.only_the_end)
              lines.set_text(y.text);
            lines.set_next_offset(y.next_offset);
            lines.set_end_of_life(y.end);
            lines.set_life(question.life);
            lines.set_workload(question.workload);
            reply.deliver(std::move(lines));
          },
          [reply](const caf::error& why) mutable {
            log_lines lines;
            auto fault = fault_of(why);
            lines.set_error(fault.detail);
            lines.set_not_found(fault.code == errc::not_found);
            reply.deliver(std::move(lines));
          });
  return reply;
}

} // namespace legion
