#include <memory>

#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/charter/charter_state_part.hpp"

namespace legion {

namespace {

constexpr auto ask_time = seconds{2};
constexpr auto raise_pause = milliseconds{100};
constexpr int most_tries = 50; // while a write is under way

using roster_source = caf::typed_actor<caf::replies_to<roster_ask>::with<roster_state>>;

/// What the living know of the roster, gathered before the charter is raised from the newest.
struct gathering {
  std::size_t waiting = 0;
  std::vector<std::string> silent;
  charter_answer answer;
};

std::string note_of(const charter_shell& s, charter::version from, const gathering& all) {
  auto result = "raised again by " + s.context->self.name + " from the roster as of entry "
                + std::to_string(from.index)
                + "; what was decided after that may be missing: nodes admitted, cordons. "
                  "Living nodes that are not listed are admitted by themselves; voters of before "
                  "stop and are admitted again";
  if (!all.silent.empty()) {
    result += ". Did not answer, and may know more:";
    for (const auto& x : all.silent)
      result += " " + x;
  }
  return result;
}

void raise_here(charter_pointer self, const std::shared_ptr<gathering>& all, int tries) {
  auto& s = self->state;
  take_seat(self);
  auto from = std::max(s.fold.at(), s.known ? s.known->at() : charter::version{});
  auto next =
      consensus::incarnation_after(std::max(from.incarnation, s.seat->incarnation()), s.random());
  if (!next)
    return all->answer(refused(refusal_invalid, "the charter was raised too often"));
  auto raised = s.seat->raise(*next, from.index);
  if (!raised && raised.why().code == errc::overloaded && tries < most_tries) {
    self->delayed_send(self, raise_pause,
                       try_again{[self, all, tries] { raise_here(self, all, tries + 1); }});
    return;
  }
  if (!raised)
    return all->answer(refused(refusal_conflict, raised.why().detail));
  spdlog::warn("charter raised incarnation={} index={} from={}", *next, *raised, from.index);
  charter_reply reply;
  reply.mutable_done()->set_incarnation(*next);
  reply.mutable_done()->set_index(*raised);
  reply.mutable_done()->set_note(note_of(s, from, *all));
  all->answer(std::move(reply));
}

/// The newest roster that any living node holds is the one to begin with.
void gather(charter_pointer self, charter_answer answer) {
  auto& s = self->state;
  auto all = std::make_shared<gathering>();
  all->answer = with_zone(self, std::move(answer));
  auto heard = [self, all] {
    if (--all->waiting == 0)
      raise_here(self, all, 0);
  };
  roster_ask question;
  if (s.known) {
    question.set_incarnation(s.known->at().incarnation);
    question.set_index(s.known->at().index);
  }
  all->waiting = 1;
  for (const auto& [id, seen] : s.zone) {
    if (id == s.context->self.id || seen.state == member_left)
      continue;
    if (seen.state == member_dead) {
      all->silent.push_back(seen.name);
      continue;
    }
    ++all->waiting;
    auto to = s.context->directory->at<roster_source>(id, "charter");
    self->request(to, ask_time, question)
        .then(
            [self, heard](const roster_state& x) {
              on_news(self, x);
              heard();
            },
            [all, heard, name = seen.name](const caf::error&) {
              all->silent.push_back(name);
              heard();
            });
  }
  if (s.known)
    for (const auto& x : s.known->nodes())
      if (auto id = node_id::from_bytes(x->id()); id != s.context->self.id && !s.zone.contains(id))
        all->silent.push_back(x->name()); // not heard of since this node began
  heard();
}

/// Most of these voters are up, or may come back: their names; else nothing.
std::string who_may_decide(const charter_shell& s, const std::vector<consensus::member_id>& voters,
                           time_point now) {
  std::string names;
  std::size_t count = 0;
  for (const auto& x : voters) {
    auto i = s.zone.find(x.node);
    auto here = x.node == s.context->self.id;
    if (lost_its_vote(s, x) || (!here && i == s.zone.end()))
      continue; // or the zone has forgotten it
    auto down = !here && (i->second.state == member_dead || i->second.state == member_left);
    if (down && now - i->second.since >= group::member_rules::patience)
      continue;
    ++count;
    names += (names.empty() ? "" : ", ")
             + charter::name_of(s.known ? *s.known : charter::roster{}, s.zone, x.node)
             + (down ? " (down for less than 5 minutes, as far as this node has seen)" : " (up)");
  }
  return count * 2 > voters.size() ? names : std::string{};
}

/// Who would have a leader by themselves. While voters change, both sets must agree.
std::string who_may_decide(const charter_shell& s, time_point now) {
  std::vector<consensus::member_id> voters;
  const auto* core = s.core();
  if (core && core->members().has(core->self())) {
    const auto& members = core->members();
    if (members.joint() && who_may_decide(s, members.outgoing, now).empty())
      return {};
    voters = members.voters;
  } else {
    for (const auto& x : voters_known(s))
      voters.push_back({x, {}}); // a hint does not say their journals
  }
  return who_may_decide(s, voters, now);
}

} // namespace

bool lost_its_vote(const charter_shell& s, const consensus::member_id& who) {
  if (who.node == s.context->self.id)
    return !s.core() || s.seat->fenced() || who != s.core()->self();
  auto i = s.residents.find(who.node);
  return i != s.residents.end() && i->second.lost_journal_of(who);
}

void rebuild(charter_pointer self, const rebuild_charter& x, charter_answer answer) {
  auto& s = self->state;
  auto alive = [](const std::string& who) {
    return refused(refusal_conflict,
                   "the charter has a quorum, led by " + who + ": there is nothing to rebuild");
  };
  if (s.leads)
    return answer(alive(s.context->self.name));
  charter_request question;
  question.mutable_show();
  run_errand(self, std::move(question),
             [self, force = x.force(), answer, alive](const charter_reply& reply) {
               auto& s = self->state;
               if (reply.view().quorum() || s.leads) {
                 std::string leader;
                 for (const auto& y : reply.view().members())
                   if (y.leads())
                     leader = y.name();
                 return answer(alive(leader));
               }
               auto who = who_may_decide(s, now(self));
               if (!who.empty() && !force) {
                 auto blind = !s.core() || !s.core()->members().has(s.core()->self());
                 return answer(refused(
                     refusal_conflict,
                     "most of the charter's voters may decide again: " + who
                         + ". Wait for them; if they are lost for good: --force"
                         + (blind ? "; or ask one of them with --target: " + s.context->self.name
                                        + " is no voter, and cannot tell whose journals are lost"
                                  : "")));
               }
               gather(self, answer);
             });
}

} // namespace legion
