#include <spdlog/spdlog.h>

#include "actors/charter/charter_state_part.hpp"

namespace legion {

namespace {

constexpr std::size_t most_in_entry = 64;
constexpr std::size_t most_waiting = 1024;
constexpr auto handover_patience = seconds{2};

roster_node node_of(const member& x) {
  roster_node result;
  result.set_id(x.id());
  result.set_public_key(x.public_key());
  result.set_name(x.name());
  result.set_endpoint(x.endpoint());
  *result.mutable_labels() = x.labels();
  *result.mutable_taints() = x.taints();
  result.set_cordoned(x.cordoned());
  return result;
}

/// What the desk decides about one request: answered at once, or a part of the next entry.
struct decision {
  std::optional<charter_reply> answer;
  charter_entry part;
};

decision decide(const charter_shell& s, const charter_request& x, const charter::roster& after,
                time_point now) {
  decision result;
  if (x.has_admit()) {
    auto verdict = charter::judge(after, x.admit().who(), s.zone, s.context->self.zone, now);
    if (auto* why = std::get_if<charter::not_admitted>(&verdict))
      result.answer = refused(refusal_conflict, why->why);
    else if (auto* part = std::get_if<charter_entry>(&verdict))
      result.part = std::move(*part);
  } else if (x.has_cordon()) {
    const auto* node = after.named(x.cordon().node());
    if (!node) {
      result.answer =
          refused(refusal_not_found, "no node " + x.cordon().node()
                                         + " is on the roster, or several whose ids begin so: "
                                           "`legionctl get nodes`");
    } else if (node->cordoned() != x.cordon().cordoned()) {
      auto& change = *result.part.add_cordoned();
      change.set_id(node->id());
      change.set_cordoned(x.cordon().cordoned());
    }
  } else if (x.has_hints()) {
    for (const auto& y : x.hints().hints())
      *result.part.add_hints() = y;
  }
  return result;
}

/// The user's node obeys before the user is answered, if it can be asked.
void answer_cordon(charter_pointer self, const charter_errand& x) {
  auto& s = self->state;
  const auto* node = s.fold.named(x.what.cordon().node());
  charter_reply reply;
  auto& done = *reply.mutable_done();
  done.set_incarnation(s.fold.at().incarnation);
  done.set_index(s.fold.at().index);
  if (!node) // removed since
    return x.answer(std::move(reply));
  *done.mutable_node() = *node;
  auto id = node_id::from_bytes(node->id());
  push_soon(self, milliseconds{0});
  auto at = s.zone.find(id);
  auto down =
      at == s.zone.end() || at->second.state == member_dead || at->second.state == member_left;
  if (id == s.context->self.id)
    return x.answer(std::move(reply));
  if (down) {
    done.set_note("node " + node->name() + " is down: it obeys once it is back");
    return x.answer(std::move(reply));
  }
  tell_node(self, id, [reply, answer = x.answer, name = node->name()](bool heard) mutable {
    if (!heard)
      reply.mutable_done()->set_note("node " + name
                                     + " does not answer: it obeys once it hears of it");
    answer(std::move(reply));
  });
}

/// What is in a log already may be done all the same.
void refuse(const charter_errand& x, charter_reply why) {
  why.mutable_refused()->set_in_doubt(x.in_doubt);
  x.answer(std::move(why));
}

/// Answered once a quorum has said that this member leads still: who was stopped for a while knows
/// only what was.
void answer_once_sure(charter_pointer self, unsure_answer x) {
  auto& s = self->state;
  if (!x.to.answer)
    return;
  auto read = s.core()->read();
  if (read)
    s.unsure.emplace(*read, std::move(x));
  else
    refuse(x.to, read.why().code == errc::overloaded
                     ? refused(refusal_overloaded, read.why().detail)
                     : elsewhere(s));
}

bool empty(const charter_entry& x) {
  return x.admitted().empty() && x.cordoned().empty() && x.removed().empty() && x.hints().empty();
}

} // namespace

void answer_done(charter_pointer self, const charter_errand& x) {
  if (!x.answer)
    return;
  if (x.what.has_cordon())
    return answer_cordon(self, x);
  charter_reply reply;
  reply.mutable_done()->set_incarnation(self->state.fold.at().incarnation);
  reply.mutable_done()->set_index(self->state.fold.at().index);
  x.answer(std::move(reply));
}

void see_the_unseen(charter_pointer self) {
  auto& s = self->state;
  for (const auto& x : s.fold.nodes())
    s.zone.try_emplace(node_id::from_bytes(x->id()),
                       charter::seen{x->name(), member_dead, now(self), false});
}

void dismiss(charter_pointer self, consensus::lean_queue<charter_errand> all) {
  for (auto& x : all) {
    if (!x.answer)
      continue;
    if (!x.what.direct()) {
      run_errand(self, std::move(x.what), std::move(x.answer), x.in_doubt);
      continue;
    }
    refuse(x, elsewhere(self->state));
  }
}

void take_in(charter_pointer self, charter_errand x) {
  auto& s = self->state;
  if (s.desk.size() >= most_waiting) {
    if (x.answer)
      refuse(x, refused(refusal_overloaded,
                        std::to_string(most_waiting) + " requests wait for the charter"));
    return;
  }
  s.desk.push_back(std::move(x));
  serve_desk(self);
  s.seat->pump();
}

void bring_up_to_date(charter_pointer self) {
  auto& s = self->state;
  if (!s.desk.empty() || s.committing)
    return;
  for (const auto& [id, record] : s.records) {
    auto i = s.zone.find(id);
    auto lives =
        i != s.zone.end() && (i->second.state == member_alive || i->second.state == member_suspect);
    if (!lives)
      continue;
    charter_errand x;
    *x.what.mutable_admit()->mutable_who() = node_of(record);
    const auto* listed = s.fold.find(id);
    if (!listed || !charter::says_the_same(*listed, x.what.admit().who()))
      s.desk.push_back(std::move(x));
  }
  serve_desk(self);
}

void serve_desk(charter_pointer self) {
  auto& s = self->state;
  if (!s.decides() || s.committing || s.desk.empty())
    return;
  auto after = s.fold;
  auto at = charter::version{after.at().incarnation, after.at().index + 1};
  charter_entry entry;
  open_entry open;
  while (!s.desk.empty() && open.waiting.size() < most_in_entry) {
    auto& x = s.desk.front();
    auto next = decide(s, x.what, after, now(self));
    if (!next.part.removed().empty() && !empty(entry))
      break; // what is removed is so before all else of an entry
    after.apply(next.part, at);
    entry.MergeFrom(next.part);
    if (next.answer) {
      spdlog::debug("charter refuses why=\"{}\"", next.answer->refused().detail());
      answer_once_sure(self, {std::move(x), std::move(next.answer)});
    } else {
      open.waiting.push_back(std::move(x));
    }
    s.desk.pop_front();
  }
  if (empty(entry)) {
    for (auto& x : open.waiting) // nothing is to be changed
      answer_once_sure(self, {std::move(x), {}});
    return serve_desk(self); // what was too much for one entry
  }
  auto position = s.core()->propose(entry.SerializeAsString());
  if (!position && position.why().code != errc::refused) {
    for (auto& x : open.waiting)
      if (x.answer)
        refuse(x, refused(refusal_overloaded, position.why().detail));
    return;
  }
  if (!position) { // another is about to lead: until then, or until that came to nothing
    for (auto& x : std::exchange(s.desk, {}))
      open.waiting.push_back(std::move(x));
    for (auto& x : open.waiting) {
      x.patience = std::max(x.patience, now(self) + handover_patience);
      s.desk.push_back(std::move(x));
    }
    return;
  }
  for (const auto& x : entry.admitted())
    spdlog::info("charter admits name={} id={}", x.name(),
                 node_id::from_bytes(x.id()).short_text());
  open.at = *position;
  s.committing = std::move(open);
}

void on_read_granted(charter_pointer self, std::uint64_t read) {
  auto found = self->state.unsure.extract(read);
  if (found.empty())
    return;
  auto& x = found.mapped();
  if (x.refused)
    x.to.answer(std::move(*x.refused));
  else
    answer_done(self, x.to);
}

void on_read_refused(charter_pointer self, std::uint64_t read) {
  auto found = self->state.unsure.extract(read);
  if (found.empty())
    return;
  consensus::lean_queue<charter_errand> again;
  again.push_back(std::move(found.mapped().to));
  dismiss(self, std::move(again));
}

void dismiss_impatient(charter_pointer self) {
  auto& s = self->state;
  if (s.leads)
    return;
  consensus::lean_queue<charter_errand> late;
  for (auto& x : std::exchange(s.desk, {}))
    (x.patience <= now(self) ? late : s.desk).push_back(std::move(x));
  dismiss(self, std::move(late));
}

} // namespace legion
