#include "actors/keeper/rollout.hpp"

#include <algorithm>

#include "actors/keeper/backoff.hpp"
#include "actors/keeper/revision.hpp"

namespace legion::keeper {

using group::slot_phase;

namespace {

constexpr auto least_call_gap = milliseconds{200};
constexpr auto propose_gap = seconds{1};
/// A node that begins again says at once, and in full, what it holds of a keeper group; one that
/// holds nothing of it, because its journal is lost, says nothing.
constexpr auto return_patience = seconds{5};

} // namespace

rollout::rollout(group::resource_state kept, group_id group, node_id self, std::uint64_t term,
                 std::uint64_t seed, moment t, broken_rule broken, time_point exclusive_from)
    : kept_(std::move(kept)), group_(group), self_(self), term_(term), broken_(broken),
      random_(seed), started_(t.now), exclusive_from_(exclusive_from),
      revision_(revision_of(kept_.what)), call_due_(t.now), set_back_until_(t.now),
      called_at_(t.now - seconds{1}) {
  history_.restore(std::exchange(kept_.rounds, {})); // one memory of them is enough
  list_errands(t);
}

void rollout::list_errands(moment t) {
  for (const auto& [uid, slot] : kept_.slots) {
    auto& heard = watches_[uid];
    if (slot.phase != slot_phase::missing)
      heard.renewed = t.now; // as far as we know: by whoever kept it before us
    if (slot.phase == slot_phase::accepted)
      accepts_.try_emplace({slot.node, slot.offer}, errand{t.now});
    else if (slot.phase == slot_phase::ending)
      releases_.try_emplace(slot.node, errand{t.now});
  }
}

rollout::effects rollout::on_members(member_table_ptr x, moment t) {
  auto before = std::exchange(members_, std::move(x));
  auto changed = [&](const node_id& node) {
    auto now_it = members_->find(node);
    if (now_it == members_->end() || is_gone(now_it->second))
      return false;
    if (!before)
      return true;
    auto i = before->find(node);
    return i == before->end() || is_gone(i->second) || i->second.start != now_it->second.start;
  };
  for (auto& [key, errand] : accepts_)
    if (changed(key.first))
      errand = {t.now, 0, errand.under_way};
  for (auto& [node, errand] : releases_)
    if (changed(node))
      errand = {t.now, 0, errand.under_way};
  for (const auto& [uid, slot] : kept_.slots)
    if (before && slot.phase == slot_phase::accepted && changed(slot.node))
      returned_[slot.node] = t.now + return_patience;
  call_sooner(t);
  return reconcile(t);
}

rollout::effects rollout::on_committed(const std::vector<group_entry>& xs, moment t) {
  for (const auto& x : xs)
    fold(x, t);
  return reconcile(t);
}

void rollout::fold(const group_entry& x, moment t) {
  tell_of(x, t);
  if (x.what_case() == group_entry::kGone)
    for (const auto& y : x.gone().slots()) {
      auto i = kept_.slots.find(y.uid());
      if (i == kept_.slots.end())
        continue;
      const auto& heard = watches_[y.uid()];
      if (!heard.regret.empty() && i->second.phase == slot_phase::accepted
          && y.revision() == revision_)
        names_.push_back(i->second.what);
      history_.add_gone(view_of(kept_.what, i->second, heard, false, {}));
    }
  group::apply(kept_, x);
  kept_.rounds.clear();
  if (x.what_case() != group_entry::kAccepted) {
    std::erase_if(watches_, [&](const auto& y) { return !kept_.slots.contains(y.first); });
    for (const auto& [uid, slot] : kept_.slots)
      watches_.try_emplace(uid);
  }
  switch (x.what_case()) {
    case group_entry::kPut:
      revision_ = revision_of(kept_.what);
      names_.clear();
      call_due_ = t.now;
      vain_calls_ = setbacks_ = 0;
      note_.clear();
      break;
    case group_entry::kAccepted: {
      auto node = node_id::from_bytes(x.accepted().node());
      accepts_.try_emplace({node, x.accepted().offer()}, errand{t.now});
      break;
    }
    case group_entry::kAdopted: // what a node held before the group was raised anew
      for (const auto& y : x.adopted().held().slots()) {
        auto i = kept_.slots.find(y.slot().uid());
        if (i == kept_.slots.end())
          continue;
        watches_[i->first].bound = false; // asked again, under its new order
        watches_[i->first].renewed = t.now;
        if (i->second.phase == slot_phase::accepted)
          accepts_.try_emplace({i->second.node, i->second.offer}, errand{t.now});
        else
          releases_.try_emplace(i->second.node, errand{t.now});
      }
      break;
    case group_entry::kRemove:
    case group_entry::kEnded:
      for (const auto& [uid, slot] : kept_.slots)
        if (slot.phase == slot_phase::ending)
          releases_.try_emplace(slot.node, errand{t.now});
      break;
    default:
      break;
  }
}

rollout::effects rollout::on_proposed(moment t) {
  proposing_ = false;
  refused_.clear();
  history_.saved(true);
  effects out;
  if (committing_outcome_)
    drop_outcome(out);
  auto more = reconcile(t);
  std::move(more.begin(), more.end(), std::back_inserter(out));
  return out;
}

rollout::effects rollout::on_refused(const fault& why, moment t) {
  proposing_ = false;
  propose_again_ = t.now + propose_gap;
  history_.saved(false);
  effects out;
  if (committing_outcome_)
    drop_outcome(out);
  refused_ = std::string{"the keeper's journal refused a commit: "} + to_string(why.code) + " "
             + why.detail;
  tell("Warning", "CommitRefused", kept_.what.metadata().name(), refused_, t);
  return out;
}

/// Gives back the offers that no slot was accepted by.
void rollout::drop_outcome(effects& out) {
  for (const auto& pick : outcome_->picks) {
    auto used = std::any_of(kept_.slots.begin(), kept_.slots.end(), [&](const auto& x) {
      return x.second.phase == slot_phase::accepted && x.second.node == pick.node
             && x.second.offer == pick.offer;
    });
    if (used)
      continue;
    release what;
    what.set_offer(pick.offer);
    what.set_keeper(self_.bytes());
    what.set_group(value(group_));
    what.set_term(term_);
    out.push_back(send_release{pick.node, std::move(what)});
  }
  outcome_.reset();
  committing_outcome_ = false;
}

std::set<std::string> rollout::pods_that_live() const {
  std::set<std::string> result;
  for (const auto& [uid, slot] : kept_.slots)
    if (slot.phase != slot_phase::ending)
      result.insert(slot.what.pod());
  return result;
}

rollout::effects rollout::on_placed(placement::outcome x, moment t) {
  calling_ = false;
  for (const auto& pod : called_pods_)
    x.record.add_pods(pod);
  history_.add(x.record, pods_that_live());
  note_ = x.note;
  if (x.missing > 0) {
    call_due_ = t.now + call_backoff.delay(vain_calls_, random_);
    vain_calls_ = x.picks.empty() ? vain_calls_ + 1 : 0;
    tell("Warning", "FailedScheduling", kept_.what.metadata().name(),
         std::to_string(x.missing) + " of " + std::to_string(x.record.called_for())
             + " replicas found no node: " + x.note,
         t);
  } else {
    vain_calls_ = 0;
  }
  auto stale = called_revision_ != revision_ && !earlier_of(called_revision_);
  effects out;
  if (!x.picks.empty()) {
    outcome_ = std::move(x);
    if (stale)
      drop_outcome(out);
  }
  auto more = reconcile(t);
  std::move(more.begin(), more.end(), std::back_inserter(out));
  return out;
}

rollout::effects rollout::on_accept_reply(const node_id& from, std::uint64_t offer,
                                          const accept_reply& x, moment t) {
  auto regrets = false;
  for (const auto& answer : x.slots()) {
    auto i = kept_.slots.find(answer.uid());
    if (i == kept_.slots.end() || i->second.node != from
        || compare(i->second.what.order(), answer.order()) != 0)
      continue;
    auto& heard = watches_[answer.uid()];
    if (answer.bound()) {
      heard.bound = true;
      continue;
    }
    if (heard.bound && heard.seen)
      heard.seen->set_ready(false);
    heard.bound = false;
    heard.ready_since.reset();
    heard.regret = answer.detail().empty() ? "regret" : answer.detail();
    regrets = true;
    tell_regret(i->second, heard.regret, t);
  }
  if (regrets)
    set_back(t);
  if (auto i = accepts_.find({from, offer}); i != accepts_.end()) {
    auto all = accept_of(i->first).slots().empty();
    auto wait = all ? milliseconds{0} : resend_backoff.delay(i->second.attempt, random_);
    i->second = {t.now + wait, i->second.attempt + 1, false};
  }
  return reconcile(t);
}

/// Something that was placed came to nothing: the next call waits, longer each time.
void rollout::set_back(moment t) {
  set_back_until_ = t.now;
  if (setbacks_ > 0)
    set_back_until_ += call_backoff.delay(setbacks_ - 1, random_);
  ++setbacks_;
  call_due_ = set_back_until_;
}

/// There may be room now.
void rollout::call_sooner(moment t) {
  auto soon = std::max({t.now, called_at_ + least_call_gap, set_back_until_});
  call_due_ = std::min(call_due_, soon);
}

rollout::effects rollout::on_accept_failed(const node_id& from, std::uint64_t offer, moment t) {
  if (broken_ == broken_rule::silence_is_no_answer) {
    auto unanswered = accept_of({from, offer});
    for (const auto& x : unanswered.slots())
      watches_[x.uid()].regret = "silence";
  }
  if (auto i = accepts_.find({from, offer}); i != accepts_.end())
    i->second = {t.now + resend_backoff.delay(i->second.attempt, random_), i->second.attempt + 1,
                 false};
  return reconcile(t);
}

rollout::effects rollout::on_release_reply(const node_id& from, const release_reply& x, moment t) {
  auto any = false;
  for (const auto& y : x.released()) {
    auto i = kept_.slots.find(y.uid());
    if (i == kept_.slots.end() || i->second.node != from || i->second.phase != slot_phase::ending)
      continue;
    watches_[y.uid()].released = true;
    any = true;
  }
  for (const auto& uid : x.ended())
    if (auto i = kept_.slots.find(uid); i != kept_.slots.end() && i->second.node == from)
      watches_[uid].ended = watches_[uid].released;
  if (any) // room was freed
    call_sooner(t);
  if (auto i = releases_.find(from); i != releases_.end()) {
    auto attempt = any ? 0 : i->second.attempt;
    auto wait =
        any && x.stopping().empty() ? milliseconds{0} : stopping_backoff.delay(attempt, random_);
    i->second = {t.now + wait, attempt + 1, false};
  }
  return reconcile(t);
}

rollout::effects rollout::on_release_failed(const node_id& from, moment t) {
  if (auto i = releases_.find(from); i != releases_.end())
    i->second = {t.now + resend_backoff.delay(i->second.attempt, random_), i->second.attempt + 1,
                 false};
  return reconcile(t);
}

rollout::effects rollout::on_heard(const report& x, moment t) {
  auto from = node_id::from_bytes(x.node());
  std::set<std::string> told;
  auto breaks = false;
  for (const auto& y : x.assessments()) {
    auto i = kept_.slots.find(y.slot().uid());
    if (i == kept_.slots.end() || i->second.node != from || i->second.phase == slot_phase::missing)
      continue;
    told.insert(i->first);
    auto& heard = watches_[i->first];
    auto was_broken = !broken_because(kept_.what, heard).empty();
    auto was_bound = heard.bound;
    hear(heard, y, t.now);
    if (compare(y.slot().order(), i->second.what.order()) < 0)
      heard.bound = was_bound; // under an order from before the group was raised anew
    if (y.ready())
      setbacks_ = 0;
    breaks |= !was_broken && !broken_because(kept_.what, heard).empty()
              && i->second.phase == slot_phase::accepted;
  }
  if (breaks)
    set_back(t);
  auto known = members_ ? members_->find(from) : member_table::const_iterator{};
  if (x.full() && members_ && known != members_->end() && x.start() >= known->second.start)
    returned_.erase(from);
  if (x.full())
    for (const auto& [uid, slot] : kept_.slots) {
      auto& heard = watches_[uid];
      if (slot.node != from || slot.phase != slot_phase::accepted || !heard.bound
          || told.contains(uid))
        continue;
      // Not on the node's list: an accept is answered bound again, or regret. Absence alone proves
      // nothing: the report may be older than the promise.
      heard.bound = false;
      accepts_.try_emplace({slot.node, slot.offer}, errand{t.now});
    }
  for (const auto& y : x.events()) {
    auto ours = y.object() == kept_.what.metadata().name() || history_.was_here(y.object())
                || std::any_of(kept_.slots.begin(), kept_.slots.end(), [&](const auto& slot) {
                     return slot.second.what.pod() == y.object();
                   });
    if (ours && x.full())
      history_.recall(y);
    else if (ours)
      history_.add(y);
  }
  return reconcile(t);
}

rollout::effects rollout::on_tick(moment t) {
  return reconcile(t);
}

} // namespace legion::keeper
