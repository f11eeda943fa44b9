#include <spdlog/spdlog.h>

#include "actors/charter/charter_state_part.hpp"
#include "actors/group/leaving.hpp"
#include "actors/group/zone_table.hpp"

namespace legion {

namespace {

constexpr auto review_pause = milliseconds{200}; // while something is under way
constexpr auto zone_pause = milliseconds{1000};  // what changes together is looked at together
/// In a large zone, where much changes, news go out seldom and together.
constexpr auto push_pause = milliseconds{300};
constexpr auto push_pause_per_node = milliseconds{10};
/// A healthy charter looks once in so many seconds, at random, whether its voters should move.
constexpr int least_move_pause = 15;
constexpr int most_move_pause = 45;

/// The charter's own members are a hint as others are.
void hint_itself(charter_pointer self, const consensus::core::status& x) {
  if (!x.ready || !x.members_committed)
    return;
  group_hint what;
  what.set_group(value(charter_group));
  what.set_incarnation(consensus::incarnation_of(x.term));
  what.set_index(x.members_index);
  for (const auto& who : x.members.voters)
    what.add_voters(who.node.bytes());
  for (const auto& who : x.members.learners)
    what.add_learners(who.node.bytes());
  on_hint(self, {std::move(what)});
}

class charter_holder final : public consensus::acting_holder<charter_pointer> {
public:
  using acting_holder::acting_holder;

  void begins(std::uint32_t) override {}

  bool restore(const std::string& state) override {
    auto& s = self_->state;
    roster_state read;
    if (!read.ParseFromString(state))
      return false;
    auto made = state.empty() ? result<charter::roster>{charter::roster{s.context->rows}}
                              : charter::roster::from(read, s.context->rows);
    if (!made)
      return false;
    s.fold = std::move(*made);
    publish(self_);
    return true;
  }

  void apply(const consensus::entry_refs& entries) override {
    auto& s = self_->state;
    for (const auto& x : entries) {
      charter_entry entry;
      if (x->kind == consensus::entry_kind::data && entry.ParseFromString(x->data))
        s.fold.apply(entry, {consensus::incarnation_of(x->term), x->index});
      else if (x->kind == consensus::entry_kind::data)
        spdlog::error("charter senseless_entry index={}: it has no effect", x->index);
      if (s.leads)
        see_the_unseen(self_);
      if (!s.committing || s.committing->at.index != x->index)
        continue;
      auto done = std::move(*s.committing);
      s.committing.reset();
      publish(self_); // first: what is answered is known here
      for (auto& y : done.waiting) {
        if (done.at.term == x->term)
          answer_done(self_, y);
        else
          s.desk.push_back(std::move(y));
      }
    }
    publish(self_);
    if (s.leads)
      push_soon(self_, push_pause + push_pause_per_node * s.fold.nodes().size());
    serve_desk(self_);
  }

  std::string snapshot() const override { return self_->state.fold.whole().SerializeAsString(); }

  void seated() override {
    auto& s = self_->state;
    s.choice.emplace(charter_group, s.core()->self(), now(),
                     std::vector<group::group_size>{{3, 3}, {9, 5}});
  }

  void read_granted(std::uint64_t read) override { on_read_granted(self_, read); }
  void read_refused(std::uint64_t read) override { on_read_refused(self_, read); }

  void leads() override {
    auto& s = self_->state;
    s.leads = true;
    spdlog::info("charter leads zone={} term={} nodes={}", s.context->self.zone, s.core()->term(),
                 s.fold.nodes().size());
    s.pushed = s.fold.at();
    see_the_unseen(self_);
    push_soon(self_, push_pause);
    review_soon(self_, milliseconds{10});
    serve_desk(self_);
  }

  void leads_no_more(bool) override {
    auto& s = self_->state;
    s.leads = false;
    if (s.choice && !s.standing_back)
      s.choice->welcome_all_back(); // who still wants to leave asks again
    auto waiting = std::exchange(s.desk, {});
    for (auto& [read, x] : std::exchange(s.unsure, {}))
      waiting.push_back(std::move(x.to));
    if (auto open = std::exchange(s.committing, {}))
      for (auto& x : open->waiting) {
        x.in_doubt = true;
        waiting.push_back(std::move(x));
      }
    auto leader = s.core()->leader();
    for (auto& x : waiting) {
      auto soon = leader == s.core()->self() || (leader.null() && !x.what.direct());
      if (x.answer && soon && x.patience > now())
        s.desk.push_back(std::exchange(x, {}));
    }
    dismiss(self_, std::move(waiting));
  }

  void changed(const consensus::core::status& x) override {
    auto& s = self_->state;
    publish(self_);
    if (x.ready)
      review_soon(self_, milliseconds{10});
    else if (!x.leader.null() && x.leader != s.core()->self())
      dismiss(self_, std::exchange(s.desk, {}));
  }

  void readmits(const consensus::readmission& x) override {
    auto& s = self_->state;
    spdlog::warn("charter readmits node={}: {}", charter::name_of(s.fold, s.zone, x.was.node),
                 x.was == x.now ? "its log is shorter than it was" : "it has another journal");
    if (x.was == x.now)
      s.choice->distrust(x.was);
  }

  void members_due() override { review_soon(self_, milliseconds{0}); }
  void leaves() override {}

  /// What any living node knew, should that be newer than the log here, is where it goes on.
  void raise(consensus::incarnation_number x, consensus::log_index index) override {
    auto& s = self_->state;
    if (s.known && s.known->at() > s.fold.at())
      s.fold = *s.known;
    s.fold.raise({x, index});
    publish(self_);
  }

  time_point wants_tick() const override {
    auto due = time_point::max();
    if (!self_->state.leads)
      for (const auto& x : self_->state.desk)
        due = std::min(due, x.patience);
    return due;
  }
};

void learn_zone(charter_pointer self) {
  auto& s = self->state;
  self->request(s.partners.membership, list_time,
                follow_members{caf::actor_cast<caf::strong_actor_ptr>(self)})
      .then(
          [self](const members_known& x) {
            auto& s = self->state;
            for (const auto& y : x.members)
              on_member(self, y);
            s.zone_known = true;
            if (s.leads)
              review_soon(self, review_pause);
          },
          [self](caf::error& why) {
            spdlog::warn("charter zone_unknown why={}", fault_of(why).detail);
            learn_zone(self);
          });
}

void propose(charter_pointer self, const consensus::configuration& wanted) {
  auto& s = self->state;
  auto done = s.core()->propose_change(wanted, now(self));
  std::string voters;
  for (const auto& x : wanted.voters)
    voters += (voters.empty() ? "" : ",") + charter::name_of(s.fold, s.zone, x.node);
  if (done)
    spdlog::info("charter members voters={} learners={}", voters, wanted.learners.size());
  else
    spdlog::debug("charter members_refused why=\"{}\"", done.why().detail);
}

} // namespace

void take_seat(charter_pointer self) {
  auto& s = self->state;
  if (s.seat)
    return;
  s.holder = std::make_unique<charter_holder>(self, s.partners.store);
  s.seat = std::make_unique<consensus::seat>(consensus::seat::setting{"the charter", charter_group,
                                                                      "charter/", s.context,
                                                                      s.journal, s.partners.beats},
                                             *s.holder);
  if (s.trusts_journal)
    s.seat->trust_journal();
  s.seat->begin();
  learn_zone(self);
}

void stand_aside(charter_pointer self) {
  auto& s = self->state;
  if (!s.core())
    return;
  auto alone = s.core()->members().voters.size() < 2;
  auto goes =
      s.standing_back && (!s.zone_known || group::another_stays(*s.core(), residents_of(s)));
  s.core()->abstain((s.full || goes) && !alone, now(self));
  if (s.standing_back) { // who leads alone hands over before it goes
    s.choice->let_go(s.core()->self());
    review_soon(self, milliseconds{0});
  }
  s.seat->pump();
}

void on_member(charter_pointer self, const member_change& x) {
  auto& s = self->state;
  auto id = node_id::from_bytes(x.who.id());
  if (id.null())
    return;
  auto journal = consensus::journal_id::from_bytes(x.who.journal());
  auto [i, fresh] =
      s.residents.try_emplace(id, group::resident{id, journal, x.state, x.since, false});
  if (!fresh && (i->second.state != x.state || i->second.journal != journal))
    i->second = {id, journal, x.state, x.since, false};
  i->second.draining = x.who.draining();
  auto& seen = s.zone[id];
  auto down = [](member_state y) { return y == member_dead || y == member_left; };
  auto back = down(seen.state) && !down(x.state);
  if (fresh || seen.state != x.state)
    seen.since = x.since;
  seen.state = x.state;
  seen.name = x.who.name();
  seen.keeps = x.who.keeps() != 0;
  seen.full = x.who.disk_full();
  auto& record = s.records[id];
  auto other_start = !fresh && record.start() != x.who.start();
  back = back || fresh || other_start;
  record = x.who;
  if (s.choice && other_start) // it drained, and is here again
    s.choice->welcome_back(id);
  if (!s.leads)
    return;
  if (back)
    announce(self, id);
  review_soon(self, zone_pause);
}

void review_soon(charter_pointer self, time_point::duration after) {
  auto& s = self->state;
  auto at = now(self) + after;
  if (s.review_at && *s.review_at <= at)
    return;
  s.review_at = at;
  self->delayed_send(self, after, review_charter{++s.review_generation});
}

std::vector<group::resident> residents_of(const charter_shell& state) {
  std::vector<group::resident> result;
  for (const auto& [id, resident] : state.residents)
    result.push_back(resident);
  group::compare_with(result, state.fold,
                      died_by(state.context->remembered, state.choice->began()));
  return result;
}

void review(charter_pointer self, const review_charter& x) {
  auto& s = self->state;
  if (x.generation != s.review_generation)
    return;
  s.review_at.reset();
  if (!s.leads || !s.zone_known || s.full)
    return;
  auto may_move = now(self) >= s.next_move && !s.committing;
  if (may_move) {
    auto pause =
        least_move_pause + static_cast<int>(s.random() % (most_move_pause - least_move_pause));
    s.next_move = now(self) + seconds{pause};
  }
  auto status = s.core()->describe(now(self));
  hint_itself(self, status);
  auto plan = s.choice->plan(status, residents_of(s), may_move, now(self));
  if (plan.change) {
    propose(self, *plan.change);
  } else if (plan.lead) {
    spdlog::info("charter hands_over to={}", charter::name_of(s.fold, s.zone, plan.lead->node));
    (void)s.core()->transfer(*plan.lead, now(self));
  } else {
    bring_up_to_date(self);
  }
  s.seat->pump();
  auto soon = plan.change || plan.waits;
  auto seldom = std::max(s.next_move - now(self), time_point::duration{review_pause});
  review_soon(self, soon ? time_point::duration{review_pause} : seldom);
}

} // namespace legion
