#include <set>

#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/group/admission.hpp"
#include "actors/group/group_state_part.hpp"
#include "messages/listed.hpp"

namespace legion {

namespace {

constexpr std::size_t max_waiting_authors = 1024;
constexpr std::size_t max_waiting_proposals = 4096;
/// An election takes less; a group without a quorum does not get one.
constexpr auto leader_patience = milliseconds{1000};

constexpr const char* damaged =
    ", whose journal was damaged: `legionctl keepers rebuild` begins it anew with what nodes hold";

std::string text_of(group_id group) {
  return "group " + std::to_string(value(group));
}

/// "n1, n2 and n3", whoever of them is up: who does not lead knows nothing of the zone.
std::string members_of(const group_shell& state) {
  std::set<std::string> names;
  for (const auto& x : state.core()->members().all())
    names.insert(name_of(state, x.node));
  return listed({names.begin(), names.end()});
}

/// Another member leads, or nobody: null.
group_reply elsewhere(const group_shell& state, const group_request& x) {
  auto leader = state.core() ? state.core()->leader().node : node_id{};
  if (leader == state.context->self.id)
    leader = {};
  auto in = state.core() && state.core()->members().has(state.core()->self());
  auto reply =
      group::refused(x, refusal_elsewhere,
                     text_of(state.group)
                         + (!leader.null() ? " is led by " + name_of(state, leader)
                            : leads(state) && state.rules->gathering()
                                ? " is raised anew, and asks all nodes what they hold"
                            : in && state.full ? " has no leader: the disk of "
                                                     + state.context->self.name + " is full"
                            : in ? " has no leader: most of " + members_of(state) + " must be up"
                                 : " is not kept by " + state.context->self.name
                                       + (state.context->damage ? damaged : "")));
  if (!leader.null())
    reply.mutable_refused()->set_node(leader.bytes());
  if (leader.null() && in)
    for (const auto& x : state.core()->members().voters)
      reply.mutable_refused()->add_voters(x.node.bytes() + x.journal.bytes());
  reply.mutable_refused()->set_absent(leader.null() && !in && !leads(state));
  return reply;
}

void refuse_elsewhere(group_pointer self, group_author& x) {
  x.reply.deliver(elsewhere(self->state, x.request));
}

bool is_read(const group_request& x) {
  return x.has_read() || x.has_explain() || (x.has_read_state() && x.read_state().reading() == 0);
}

/// A read, or an answer that changes nothing, as of now: once this member has heard that it leads
/// still. Who was stopped for a while knows only what was.
void ask_to_read(group_pointer self, group_author& x) {
  auto& s = self->state;
  auto number = s.core()->read();
  if (number) {
    s.readers.emplace(*number, std::move(x));
  } else if (number.why().code == errc::overloaded) {
    x.reply.deliver(group::refused(x.request, refusal_overloaded, number.why().detail));
  } else {
    refuse_elsewhere(self, x);
  }
}

refusal_code code_of(const fault& why) {
  return why.code == errc::too_large    ? refusal_too_large
         : why.code == errc::overloaded ? refusal_overloaded
                                        : refusal_elsewhere;
}

/// What was only tried, if it would be written otherwise.
bool would_change(const group_request& x, const group_reply& reply) {
  auto tried = x.put().dry_run() || x.restore().dry_run();
  return tried && !reply.has_refused() && reply.done().action() != "unchanged";
}

void change(group_pointer self, group_author& x) {
  auto& s = self->state;
  auto next =
      group::admit(*s.rules, x.request, s.context->wall_clock(), s.random, s.context->broken);
  auto* reply = std::get_if<group_reply>(&next);
  if (s.full && (!reply || would_change(x.request, *reply))) {
    x.reply.deliver(group::refused(x.request, refusal_disk_full,
                                   "the data folder of the node that keeps it, "
                                       + s.context->self.name + ", is full: nothing was changed"));
    return;
  }
  if (reply) {
    x.decided = std::move(*reply);
    ask_to_read(self, x);
    return;
  }
  auto position = s.core()->propose(std::get<group_entry>(next).SerializeAsString());
  if (!position) {
    x.reply.deliver(group::refused(x.request, code_of(position.why()), position.why().detail));
    return;
  }
  s.committing_at = *position;
  s.committing = std::move(x);
}

void serve(group_pointer self, group_author& x) {
  if (x.request.has_leave())
    x.reply.deliver(on_leave_request(self, x.request));
  else if (is_read(x.request))
    ask_to_read(self, x);
  else
    change(self, x);
}

/// What the author of a committed request is answered.
void answer(group_pointer self, const group_entry& x) {
  auto& s = self->state;
  if (x.has_restored()) {
    group_reply reply;
    reply.set_request_id(s.committing->request.request_id());
    *reply.mutable_restored()->mutable_results() = x.results();
    for (auto& y : *reply.mutable_restored()->mutable_results())
      if (y.resource_version() == 0 && !y.has_refused())
        y.set_resource_version(x.index());
    spdlog::info("group restored group={} resources={}", value(s.group),
                 x.restored().resources_size());
    s.committing->reply.deliver(std::move(reply));
    return;
  }
  auto result = x.result();
  if (x.has_put())
    result.set_resource_version(x.index());
  spdlog::info("group {} group={} resource={}/{} version={}", result.action(), value(s.group),
               result.name().namespace_(), result.name().name(), result.resource_version());
  group_reply reply;
  reply.set_request_id(s.committing->request.request_id());
  *reply.mutable_done() = std::move(result);
  s.committing->reply.deliver(std::move(reply));
}

} // namespace

void serve_authors(group_pointer self) {
  auto& s = self->state;
  if (!s.core())
    return;
  while (s.keeps && s.zone_known && !s.committing && !s.authors.empty()) {
    auto x = std::move(s.authors.front());
    s.authors.pop_front();
    serve(self, x);
  }
}

author_reply on_request(group_pointer self, group_request& x) {
  auto& s = self->state;
  auto reply = self->make_response_promise<group_reply>();
  spdlog::debug("group request group={} what={}", value(s.group), static_cast<int>(x.what_case()));
  if (x.has_look()) {
    reply.deliver(look(self, x));
    return reply;
  }
  auto who = group_author{std::move(x), reply, now(self) + leader_patience, {}};
  if (who.request.has_raise()) {
    raise(self, std::move(who));
    return reply;
  }
  if (who.request.read_state().reading() != 0) {
    give_state(self, who);
    return reply;
  }
  if (s.seat->fenced()) { // of its members only this one has nothing to say
    auto refused = group::refused(who.request, refusal_elsewhere, s.seat->fenced()->detail);
    refused.mutable_refused()->set_absent(true);
    reply.deliver(std::move(refused));
    return reply;
  }
  if (s.authors.size() >= max_waiting_authors) {
    reply.deliver(group::refused(who.request, refusal_overloaded,
                                 std::to_string(max_waiting_authors)
                                     + " requests wait for this keeper group"));
    return reply;
  }
  auto in = s.core() && s.core()->members().votes(s.core()->self());
  if (s.core() && !leads(s) && (!in || !s.core()->leader().null())) {
    refuse_elsewhere(self, who);
    return reply;
  }
  // Reads do not wait behind changes.
  auto changes = !is_read(who.request) && !who.request.has_leave();
  if (s.keeps && s.zone_known && !changes)
    serve(self, who);
  else
    s.authors.push_back(std::move(who));
  serve_authors(self);
  s.seat->pump();
  return reply;
}

keeper_reply on_propose(group_pointer self, propose_entries& x) {
  auto& s = self->state;
  auto reply = self->make_response_promise<entries_proposed>();
  auto refuse = [&](fault why) {
    reply.deliver(make_error(why));
    return reply;
  };
  if (s.proposals.size() >= max_waiting_proposals)
    return refuse({errc::overloaded, "the group's log is behind"});
  if (s.full)
    return refuse({errc::disk_full, "the data folder is full"});
  result<consensus::core::position> last = fault{errc::invalid, "nothing is proposed"};
  for (auto& entry : x.entries) {
    last = s.core()->propose(entry.SerializeAsString());
    if (!last)
      break; // what went before may be committed: a keeper goes by what it sees committed
  }
  if (!last)
    return refuse(last.why());
  s.proposals[last->index] = {last->term, reply};
  s.seat->pump();
  return reply;
}

void on_committed(group_pointer self, consensus::log_index index, consensus::term_number term,
                  const group_entry* what) {
  auto& s = self->state;
  if (auto i = s.proposals.find(index); i != s.proposals.end()) {
    if (i->second.term == term)
      i->second.reply.deliver(entries_proposed{});
    else
      i->second.reply.deliver(make_error(fault{errc::refused, "another leader came between"}));
    s.proposals.erase(i);
  }
  if (!s.committing || s.committing_at.index != index)
    return;
  if (s.committing_at.term == term && what)
    answer(self, *what);
  else
    refuse_elsewhere(self, *s.committing); // tried again, it is applied once
  s.committing.reset();
  serve_authors(self);
}

void on_read_granted(group_pointer self, std::uint64_t number) {
  auto& s = self->state;
  if (on_quorum_answered(self, number, true))
    return;
  auto found = s.readers.extract(number);
  if (found.empty())
    return;
  auto& x = found.mapped();
  if (!s.keeps)
    refuse_elsewhere(self, x);
  else if (x.decided)
    x.reply.deliver(std::move(*x.decided));
  else if (x.request.has_read())
    read(self, x);
  else if (x.request.has_read_state())
    begin_state(self, x);
  else
    explain(self, x);
}

void dismiss_reader(group_pointer self, std::uint64_t number) {
  if (on_quorum_answered(self, number, false))
    return;
  auto found = self->state.readers.extract(number);
  if (!found.empty())
    refuse_elsewhere(self, found.mapped());
}

void dismiss_authors(group_pointer self) {
  auto& s = self->state;
  if (s.committing) {
    auto reply = elsewhere(s, s.committing->request);
    reply.mutable_refused()->set_in_doubt(true); // the next leader may have it, too
    s.committing->reply.deliver(std::move(reply));
    s.committing.reset();
  }
  for (auto& [index, x] : s.proposals)
    x.reply.deliver(make_error(fault{errc::refused, "this node leads the group no more"}));
  s.proposals.clear();
  for (auto& [number, x] : s.readers)
    refuse_elsewhere(self, x);
  s.readers.clear();
  if (s.core()->leader().null() && s.core()->members().votes(s.core()->self()))
    return; // the next leader may be this one
  for (auto& x : s.authors)
    refuse_elsewhere(self, x);
  s.authors.clear();
}

void dismiss_impatient(group_pointer self) {
  auto& s = self->state;
  if (s.keeps)
    return;
  for (auto& x : std::exchange(s.authors, {}))
    if (x.patience <= now(self))
      refuse_elsewhere(self, x);
    else
      s.authors.push_back(std::move(x));
}

} // namespace legion
