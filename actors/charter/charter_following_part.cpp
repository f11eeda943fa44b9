#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/charter/charter_state_part.hpp"
#include "messages/journal.pb.h"

namespace legion {

namespace {

constexpr auto write_pause = milliseconds{1000};
constexpr auto write_time = seconds{60};
constexpr auto tell_time = seconds{2};
constexpr auto pull_time = seconds{2};
constexpr int first_pull = 5; // seconds, from the start and while nothing is known
constexpr int next_pull = 60;
constexpr std::size_t most_pulled = 3; // nodes asked in a row

/// Of a roster actor on another node, what is used here.
using roster_exchange = caf::typed_actor<caf::replies_to<roster_ask>::with<roster_state>,
                                         caf::replies_to<roster_state>::with<roster_ask>>;

std::string standing_of(const charter_shell& s) {
  if (const auto* core = s.core()) {
    const auto& members = core->members();
    if (members.votes(core->self()))
      return core->role() == consensus::role::leader ? "leader" : "voter";
    if (members.has(core->self()))
      return "learner";
  }
  return s.known ? "follower" : "";
}

/// Not all followers at the same moment: they heard the news at one.
void write_soon(charter_pointer self) {
  auto pause = write_pause + milliseconds{static_cast<int>(self->state.random() % 1000)};
  self->delayed_send(self, pause, write_roster{});
}

void tell_subscribers(charter_pointer self) {
  auto& s = self->state;
  auto message = caf::make_message(roster_known{s.known, s.standing});
  for (const auto& x : s.subscribers)
    x->enqueue(self->ctrl(), caf::make_message_id(), message, self->context());
}

roster_ask what_is_known(const charter_shell& s) {
  roster_ask result;
  if (s.known) {
    result.set_incarnation(s.known->at().incarnation);
    result.set_index(s.known->at().index);
  }
  return result;
}

charter::roster known_or_none(const charter_shell& s) {
  return s.known ? *s.known : charter::roster{s.context->rows};
}

/// A member of an earlier incarnation of the charter stops when it hears of a later one.
void learnt(charter_pointer self, charter::roster made) {
  auto& s = self->state;
  s.known = charter::shared(std::move(made));
  publish(self);
  auto incarnation = s.known->at().incarnation;
  if (s.seat && s.seat->has_log() && s.seat->incarnation() < incarnation)
    s.seat->on_beat({}, {consensus::first_term(incarnation), consensus::standing::gone});
}

/// Who leads an earlier incarnation of the charter hears of the later one.
void contradict(charter_pointer self, const roster_state& x) {
  auto& s = self->state;
  if (!s.known || x.incarnation() >= s.known->at().incarnation)
    return;
  for (const auto& y : x.hints())
    if (y.group() == value(charter_group))
      for (const auto& id : y.voters())
        s.context->directory->tell(node_id::from_bytes(id), "charter", s.known->whole(),
                                   self->context());
}

void pull_next(charter_pointer self, std::vector<node_id> whom, std::size_t asked) {
  auto& s = self->state;
  std::erase(whom, s.context->self.id);
  if (whom.empty() || asked >= most_pulled) {
    s.pulling = false;
    return;
  }
  auto at = s.random() % whom.size();
  auto next = whom[at];
  whom.erase(whom.begin() + static_cast<std::ptrdiff_t>(at));
  auto to = s.context->directory->at<roster_exchange>(next, "charter");
  self->request(to, pull_time, what_is_known(s))
      .then(
          [self, whom, asked](const roster_state& x) {
            auto made = known_or_none(self->state);
            switch (made.learn(x)) {
              case charter::roster::learnt::all:
                learnt(self, std::move(made));
                break;
              case charter::roster::learnt::too_late:
                return pull_next(self, whom, asked + 1);
              case charter::roster::learnt::nothing:
                if (!self->state.known) // it knows as little
                  return pull_next(self, whom, asked + 1);
            }
            self->state.pulling = false;
          },
          [self, whom, asked](const caf::error&) { pull_next(self, whom, asked + 1); });
}

} // namespace

void publish(charter_pointer self) {
  auto& s = self->state;
  auto newer = s.seat && (!s.known || s.fold.at() > s.known->at()) && s.fold.at().index != 0;
  if (newer)
    s.known = charter::shared(s.fold);
  auto standing = standing_of(s);
  auto version = s.known ? s.known->at() : charter::version{};
  if (version == s.published && standing == s.standing)
    return;
  if (version != s.published && !std::exchange(s.writing, true))
    write_soon(self);
  s.published = version;
  s.standing = std::move(standing);
  spdlog::debug("charter roster incarnation={} index={} nodes={} standing={}", version.incarnation,
                version.index, s.known ? s.known->nodes().size() : 0, s.standing);
  std::erase_if(s.hints, [&](const auto& x) {
    const auto* told = s.known ? s.known->hint(group_id{x.first}) : nullptr;
    return told
           && std::pair{told->incarnation(), told->index()}
                  >= std::pair{x.second.incarnation(), x.second.index()};
  });
  tell_subscribers(self);
}

void on_subscribe(charter_pointer self, const subscribe_roster& x) {
  auto& s = self->state;
  if (!x.who)
    return;
  self->monitor(x.who);
  s.subscribers.push_back(x.who);
  if (s.known || !s.standing.empty())
    x.who->enqueue(self->ctrl(), caf::make_message_id(),
                   caf::make_message(roster_known{s.known, s.standing}), self->context());
}

void write_known(charter_pointer self) {
  auto& s = self->state;
  if (!s.known) {
    s.writing = false;
    return;
  }
  record_batch batch;
  auto& x = *batch.add_records();
  x.set_key("roster");
  x.set_value(s.known->whole_bytes());
  auto version = s.known->at();
  auto again = [self, version] {
    auto& s = self->state;
    s.writing = s.known && s.known->at() != version;
    if (s.writing)
      write_soon(self);
  };
  write(
      self, s.partners.store, write_time, std::move(batch), [again](written) { again(); },
      [again](const caf::error& why) {
        spdlog::warn("charter roster_not_written why=\"{}\"", fault_of(why).detail);
        again(); // the next change is written
      });
}

roster_ask on_news(charter_pointer self, const roster_state& x) {
  auto& s = self->state;
  auto made = known_or_none(s);
  switch (made.learn(x)) {
    case charter::roster::learnt::all:
      learnt(self, std::move(made));
      break;
    case charter::roster::learnt::too_late: {
      std::vector<node_id> voters;
      for (const auto& y : x.hints())
        if (y.group() == value(charter_group))
          for (const auto& id : y.voters())
            voters.push_back(node_id::from_bytes(id));
      pull(self, std::move(voters));
      break;
    }
    case charter::roster::learnt::nothing:
      contradict(self, x);
      break;
  }
  return what_is_known(s);
}

roster_state on_ask(charter_pointer self, const roster_ask& x) {
  const auto& known = self->state.known;
  return known ? known->since({x.incarnation(), x.index()}) : roster_state{};
}

void push_soon(charter_pointer self, time_point::duration after) {
  auto& s = self->state;
  if (after == time_point::duration::zero())
    return push(self);
  if (!std::exchange(s.pushing, true))
    self->delayed_send(self, after, push_roster{});
}

/// To all that follow, whatever they know: who has missed something asks for it.
void push(charter_pointer self) {
  auto& s = self->state;
  if (!s.leads)
    return;
  auto news = s.fold.since(s.pushed);
  s.pushed = s.fold.at();
  for (const auto& x : s.fold.nodes()) {
    auto id = node_id::from_bytes(x->id());
    auto i = s.zone.find(id);
    auto down =
        i == s.zone.end() || i->second.state == member_dead || i->second.state == member_left;
    auto votes = std::any_of(s.core()->members().voters.begin(), s.core()->members().voters.end(),
                             [&](const auto& y) { return y.node == id; });
    if (!down && !votes)
      s.context->directory->tell(id, "charter", news, self->context());
  }
}

void announce(charter_pointer self, const node_id& whom) {
  auto& s = self->state;
  if (whom != s.context->self.id && s.fold.at().index != 0)
    s.context->directory->tell(whom, "charter", s.fold.since(s.fold.at()), self->context());
}

void pull(charter_pointer self, std::vector<node_id> whom) {
  auto& s = self->state;
  if (std::exchange(s.pulling, true))
    return;
  if (!whom.empty())
    return pull_next(self, std::move(whom), 0);
  self->request(s.partners.membership, pull_time, list_members{})
      .then(
          [self](const members_known& x) {
            std::vector<node_id> living;
            for (const auto& y : x.members)
              if (y.state == member_alive)
                living.push_back(node_id::from_bytes(y.who.id()));
            pull_next(self, std::move(living), 0);
          },
          [self](const caf::error&) { self->state.pulling = false; });
}

void pull_now_and_then(charter_pointer self) {
  auto& s = self->state;
  if (s.pulls != 0)
    pull(self, {});
  auto base = s.pulls++ != 0 && s.known ? next_pull : first_pull;
  self->delayed_send(self, milliseconds{base * 500 + static_cast<int>(s.random() % (base * 1000))},
                     pull_roster{});
}

void tell_node(charter_pointer self, const node_id& whom, std::function<void(bool heard)> done) {
  auto& s = self->state;
  auto to = s.context->directory->at<roster_exchange>(whom, "charter");
  auto wanted = s.fold.at();
  auto failed = [done](const caf::error&) { done(false); };
  self->request(to, tell_time, s.fold.since({wanted.incarnation, wanted.index - 1}))
      .then(
          [self, to, wanted, done, failed](const roster_ask& x) {
            auto has = charter::version{x.incarnation(), x.index()};
            if (has >= wanted)
              return done(true);
            self->request(to, tell_time, self->state.fold.since(has))
                .then(
                    [wanted, done](const roster_ask& y) {
                      done(charter::version{y.incarnation(), y.index()} >= wanted);
                    },
                    failed);
          },
          failed);
}

} // namespace legion
