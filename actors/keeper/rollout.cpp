#include "actors/keeper/rollout.hpp"

#include <algorithm>

#include "actors/group/admission.hpp"
#include "actors/keeper/backoff.hpp"
#include "actors/keeper/revision.hpp"

namespace legion::keeper {

using group::slot_phase;

namespace {

/// A member that nobody has heard of since the keeper began is as good as dead after this.
constexpr auto unknown_grace = seconds{30};
constexpr auto least_call_gap = milliseconds{200};
constexpr auto propose_gap = seconds{1};
constexpr int max_slots_per_release = 256;
constexpr int max_single_events = 8;

bool is_unbound(const group::slot_state& slot, const watch& heard) {
  return slot.phase == slot_phase::accepted && !heard.bound && heard.regret.empty();
}

template <class T, class Time>
void earliest(std::optional<T>& result, Time x) {
  if (!result || x < *result)
    result = x;
}

} // namespace

rollout::rollout(group::resource_state kept, group_id group, node_id self, std::uint64_t seed,
                 moment t)
    : kept_(std::move(kept)), group_(group), self_(self), random_(seed), started_(t.now),
      revision_(revision_of(kept_.what)), call_due_(t.now), called_at_(t.now - seconds{1}) {
  list_errands(t);
}

void rollout::list_errands(moment t) {
  for (const auto& [uid, slot] : kept_.slots) {
    watches_.try_emplace(uid);
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
  call_due_ = std::min(call_due_, std::max(t.now, called_at_ + least_call_gap));
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
        names_.push_back(y.pod());
      history_.add_gone(view_of(kept_.what, i->second, heard, false, {}));
    }
  group::apply(kept_, x);
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
  effects out;
  if (committing_outcome_)
    drop_outcome(out);
  tell("Warning", "CommitRefused", kept_.what.metadata().name(),
       std::string{"the keeper's journal refused a commit: "} + to_string(why.code) + " "
           + why.detail,
       t);
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
    out.push_back(send_release{pick.node, std::move(what)});
  }
  outcome_.reset();
  committing_outcome_ = false;
}

rollout::effects rollout::on_placed(placement::outcome x, moment t) {
  calling_ = false;
  for (const auto& pod : called_pods_)
    x.record.add_pods(pod);
  history_.add(x.record);
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
  auto stale = called_revision_ != revision_;
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
    tell("Warning", "Regretted", i->second.what.pod(),
         i->second.node_name + " regrets its offer: " + heard.regret, t);
  }
  if (regrets)
    set_back(t);
  if (auto i = accepts_.find({from, offer}); i != accepts_.end())
    i->second = {t.now + resend_backoff.delay(i->second.attempt, random_), i->second.attempt + 1,
                 false};
  return reconcile(t);
}

/// Something that was placed came to nothing: the next call waits, longer each time.
void rollout::set_back(moment t) {
  call_due_ = t.now;
  if (setbacks_ > 0)
    call_due_ += call_backoff.delay(setbacks_ - 1, random_);
  ++setbacks_;
}

rollout::effects rollout::on_accept_failed(const node_id& from, std::uint64_t offer, moment t) {
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
  if (any) // room was freed
    call_due_ = std::min(call_due_, std::max(t.now, called_at_ + least_call_gap));
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
    hear(heard, y, t.now);
    if (y.ready())
      setbacks_ = 0;
    breaks |= !was_broken && !broken_because(kept_.what, heard).empty()
              && i->second.phase == slot_phase::accepted;
  }
  if (breaks)
    set_back(t);
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
    if (ours)
      history_.add(y);
  }
  return reconcile(t);
}

rollout::effects rollout::on_tick(moment t) {
  return reconcile(t);
}

rollout::effects rollout::reconcile(moment t) {
  effects out;
  if (group::is_over(kept_))
    return out;
  if (propose_again_ && *propose_again_ <= t.now)
    propose_again_.reset();
  if (!proposing_ && !propose_again_ && members_) {
    std::vector<group_entry> entries;
    uid_set leaving;
    settle(entries, leaving, t);
    follow_plan(entries, leaving, t);
    if (outcome_)
      assign(entries, leaving, t, out);
    if (!entries.empty()) {
      proposing_ = true;
      out.push_back(propose{std::move(entries)});
    } else {
      if (outcome_)
        drop_outcome(out);
      call_for_missing(t, out);
    }
  }
  send_errands(t, out);
  return out;
}

/// What was heard becomes entries: regretted and released slots are gone, those of dead nodes and
/// broken ones are ended.
void rollout::settle(std::vector<group_entry>& into, uid_set& leaving, moment t) {
  slots_gone gone;
  std::map<std::string, slots_ended> ended; // by reason
  for (const auto& [uid, slot] : kept_.slots) {
    const auto& heard = watches_[uid];
    if (slot.phase == slot_phase::ending && (heard.released || !heard.regret.empty())) {
      *gone.add_slots() = slot.what;
      leaving.insert(uid);
    }
    if (slot.phase != slot_phase::accepted)
      continue;
    if (!heard.regret.empty()) {
      *gone.add_slots() = slot.what; // counted until it is gone, then named anew
      continue;
    }
    auto why = broken_because(kept_.what, heard);
    if (why.empty() && is_dead(slot.node, t.now) && !is_finished(kept_.what, heard))
      why = slot.node_name + " is dead";
    if (why.empty())
      continue;
    *ended[why].add_slots() = slot.what;
    leaving.insert(uid);
  }
  if (gone.slots_size() > 0) {
    *gone.mutable_of() = group::name_of(kept_.what);
    into.push_back(entry(t));
    *into.back().mutable_gone() = std::move(gone);
  }
  for (auto& [why, slots] : ended) {
    *slots.mutable_of() = group::name_of(kept_.what);
    slots.set_reason(why);
    into.push_back(entry(t));
    *into.back().mutable_ended() = std::move(slots);
  }
}

void rollout::follow_plan(std::vector<group_entry>& into, uid_set& leaving, moment t) {
  if (kept_.deleting)
    return;
  std::vector<replica> replicas;
  auto old_are_leaving = false;
  for (const auto& [uid, slot] : kept_.slots) {
    if (slot.phase == slot_phase::ending || leaving.contains(uid)) {
      auto stopped = watches_[uid].released || is_dead(slot.node, t.now);
      if (!stopped && (kept_.what.has_pod() || slot.what.revision() != revision_))
        old_are_leaving = true;
      continue;
    }
    replicas.push_back(replica_of(kept_.what, revision_, slot, watches_[uid], t.now));
  }
  auto next = plan_of(kept_.what, replicas, old_are_leaving);
  if (!next.end.empty()) {
    into.push_back(entry(t));
    auto& ended = *into.back().mutable_ended();
    *ended.mutable_of() = group::name_of(kept_.what);
    auto replaced = kept_.slots.at(next.end.front()).what.revision() != revision_;
    ended.set_reason(replaced ? "replaced by a newer template" : "scaled down");
    for (const auto& uid : next.end) {
      *ended.add_slots() = kept_.slots.at(uid).what;
      leaving.insert(uid);
    }
  }
  if (next.name > 0) {
    into.push_back(entry(t));
    *into.back().mutable_named() = name_slots(next.name);
  }
}

slots_named rollout::name_slots(int count) {
  slots_named result;
  *result.mutable_of() = group::name_of(kept_.what);
  std::set<std::string> taken;
  for (const auto& [uid, slot] : kept_.slots)
    taken.insert(slot.what.pod());
  while (count-- > 0) {
    auto& added = *result.add_slots();
    added.set_uid(group::random_uid(random_));
    added.set_revision(revision_);
    if (kept_.what.has_pod()) {
      added.set_pod(kept_.what.metadata().name());
      continue;
    }
    auto name = std::string{};
    while (name.empty() && !names_.empty()) {
      if (!taken.contains(names_.front()))
        name = names_.front();
      names_.pop_front();
    }
    while (name.empty() || taken.contains(name))
      name = kept_.what.metadata().name() + "-" + revision_ + "-" + random_suffix(random_);
    taken.insert(name);
    added.set_pod(std::move(name));
  }
  return result;
}

/// Missing slots go to the offers that were picked, one entry for each node.
void rollout::assign(std::vector<group_entry>& into, const uid_set& leaving, moment t,
                     effects& out) {
  std::vector<const slot*> waiting;
  for (const auto& [uid, slot] : kept_.slots)
    if (slot.phase == slot_phase::missing && slot.what.revision() == called_revision_
        && !leaving.contains(uid))
      waiting.push_back(&slot.what);
  std::size_t next = 0;
  auto any = false;
  for (const auto& pick : outcome_->picks) {
    if (next == waiting.size() || is_dead(pick.node, t.now))
      continue;
    into.push_back(entry(t));
    auto& accepted = *into.back().mutable_accepted();
    *accepted.mutable_of() = group::name_of(kept_.what);
    accepted.set_node(pick.node.bytes());
    accepted.set_node_name(pick.node_name);
    accepted.set_offer(pick.offer);
    accepted.set_start(pick.start);
    for (auto n = pick.count; n > 0 && next < waiting.size(); --n)
      *accepted.add_slots() = *waiting[next++];
    any = true;
  }
  committing_outcome_ = any;
  if (!any)
    drop_outcome(out);
}

void rollout::call_for_missing(moment t, effects& out) {
  if (calling_ || kept_.deleting || t.now < call_due_)
    return;
  called_pods_.clear();
  std::map<node_id, std::uint32_t> replicas;
  for (const auto& [uid, slot] : kept_.slots) {
    if (slot.phase == slot_phase::missing)
      called_pods_.push_back(slot.what.pod());
    else if (slot.phase == slot_phase::accepted)
      ++replicas[slot.node];
  }
  if (called_pods_.empty())
    return;
  place effect;
  effect.what.set_id(random_());
  *effect.what.mutable_of() = group::name_of(kept_.what);
  *effect.what.mutable_template_() = template_of(kept_.what);
  effect.what.set_count(static_cast<std::uint32_t>(called_pods_.size()));
  effect.what.set_keeper(self_.bytes());
  for (const auto& [id, member] : *members_)
    if (!is_gone(member)) {
      auto i = replicas.find(id);
      effect.among.push_back(
          {id, member.name, member.state == member_suspect, i == replicas.end() ? 0 : i->second});
    }
  effect.seed = random_();
  called_revision_ = revision_;
  called_at_ = t.now;
  calling_ = true;
  out.push_back(std::move(effect));
}

void rollout::send_errands(moment t, effects& out) {
  for (auto i = accepts_.begin(); i != accepts_.end();) {
    auto& [key, errand] = *i;
    if (errand.under_way || errand.due > t.now) {
      ++i;
      continue;
    }
    auto what = accept_of(key);
    if (what.slots_size() == 0 || is_dead(key.first, t.now)) {
      i = accepts_.erase(i);
      continue;
    }
    errand.under_way = true;
    out.push_back(send_accept{key.first, key.second, std::move(what)});
    ++i;
  }
  for (auto i = releases_.begin(); i != releases_.end();) {
    auto& [node, errand] = *i;
    if (errand.under_way || errand.due > t.now || is_dead(node, t.now)) {
      ++i;
      continue;
    }
    auto what = release_of(node);
    if (what.slots_size() == 0) {
      i = releases_.erase(i);
      continue;
    }
    errand.under_way = true;
    out.push_back(send_release{node, std::move(what)});
    ++i;
  }
}

accept rollout::accept_of(const offer_key& key) const {
  accept result;
  result.set_offer(key.second);
  for (const auto& [uid, slot] : kept_.slots) {
    if (slot.node != key.first || slot.offer != key.second || !is_unbound(slot, watches_.at(uid)))
      continue;
    *result.add_slots() = slot.what;
    result.set_start(slot.start);
    // Its template is no longer kept: no offer may start it from another; what is bound is bound.
    if (slot.what.revision() != revision_)
      result.set_offer(0);
  }
  if (result.slots_size() == 0)
    return result;
  *result.mutable_what() = kept_.what;
  result.set_keeper(self_.bytes());
  result.set_group(value(group_));
  return result;
}

release rollout::release_of(const node_id& node) const {
  release result;
  for (const auto& [uid, slot] : kept_.slots)
    if (slot.phase == slot_phase::ending && slot.node == node && !watches_.at(uid).released
        && result.slots_size() < max_slots_per_release)
      *result.add_slots() = slot.what;
  result.set_keeper(self_.bytes());
  result.set_group(value(group_));
  return result;
}

bool rollout::is_dead(const node_id& node, time_point now) const {
  if (!members_ || node == self_)
    return false;
  auto i = members_->find(node);
  return i == members_->end() ? now >= started_ + unknown_grace : is_gone(i->second);
}

std::optional<time_point> rollout::due(time_point now) const {
  std::optional<time_point> result;
  if (propose_again_)
    earliest(result, *propose_again_);
  for (const auto& [key, errand] : accepts_)
    if (!errand.under_way)
      earliest(result, errand.due);
  for (const auto& [node, errand] : releases_)
    if (!errand.under_way && !is_dead(node, now))
      earliest(result, errand.due);
  if (!calling_ && !proposing_ && !propose_again_ && members_ && !kept_.deleting && missing() > 0)
    earliest(result, call_due_);
  for (const auto& [uid, slot] : kept_.slots) {
    if (slot.phase != slot_phase::accepted)
      continue;
    if (members_ && slot.node != self_ && now < started_ + unknown_grace
        && !members_->contains(slot.node))
      earliest(result, started_ + unknown_grace);
    auto from = available_from(kept_.what, watches_.at(uid));
    if (from && *from > now)
      earliest(result, *from);
  }
  return result;
}

std::size_t rollout::missing() const {
  return static_cast<std::size_t>(
      std::count_if(kept_.slots.begin(), kept_.slots.end(),
                    [](const auto& x) { return x.second.phase == slot_phase::missing; }));
}

group_entry rollout::entry(moment t) const {
  group_entry result;
  result.set_time_ms(t.wall);
  return result;
}

void rollout::tell(const char* type, const char* reason, std::string object, std::string message,
                   moment t) {
  event x;
  x.set_time_ms(t.wall);
  x.set_type(type);
  x.set_reason(reason);
  x.set_object(std::move(object));
  x.set_message(std::move(message));
  x.set_source("keeper");
  history_.add(std::move(x));
}

/// Events for what is committed; many slots at once make one event of their resource.
void rollout::tell_of(const group_entry& x, moment t) {
  auto each = [&](const auto& slots, const char* reason, const std::string& message) {
    if (slots.size() > max_single_events)
      return tell("Normal", reason, kept_.what.metadata().name(),
                  std::to_string(slots.size()) + " replicas: " + message, t);
    for (const auto& y : slots)
      tell("Normal", reason, y.pod(), message, t);
  };
  if (x.has_accepted())
    each(x.accepted().slots(), "Scheduled", "accepted the offer of " + x.accepted().node_name());
  else if (x.has_ended())
    each(x.ended().slots(), "Ended", x.ended().reason());
  else if (x.has_named())
    each(x.named().slots(), "Named", "calling for volunteers");
  else if (x.has_remove())
    tell("Normal", "Deleting", kept_.what.metadata().name(), "its author deleted it", t);
}

resource_view rollout::view(moment t, bool with_events) const {
  resource_view result;
  *result.mutable_what() = kept_.what;
  result.set_keeper(self_.bytes());
  result.set_group(value(group_));
  result.set_revision(revision_);
  result.set_deleting(kept_.deleting);
  result.set_wanted(kept_.deleting ? 0 : wanted_of(kept_.what));
  int ready = 0, updated = 0, available = 0;
  for (const auto& [uid, slot] : kept_.slots) {
    const auto& heard = watches_.at(uid);
    auto dead = slot.phase != slot_phase::missing && is_dead(slot.node, t.now);
    *result.add_pods() = view_of(kept_.what, slot, heard, dead, note_);
    if (slot.phase != slot_phase::accepted)
      continue;
    auto x = replica_of(kept_.what, revision_, slot, heard, t.now);
    ready += x.ready ? 1 : 0;
    updated += x.current ? 1 : 0;
    available += x.available ? 1 : 0;
  }
  std::sort(result.mutable_pods()->begin(), result.mutable_pods()->end(),
            [](const pod_view& a, const pod_view& b) {
              return std::tie(a.slot().pod(), a.slot().uid())
                     < std::tie(b.slot().pod(), b.slot().uid());
            });
  result.set_ready(ready);
  result.set_updated(updated);
  result.set_available(available);
  if (with_events)
    for (const auto& x : history_.events())
      *result.add_events() = x;
  return result;
}

std::optional<explanation> rollout::explain(const std::string& pod, moment t) const {
  auto result = history_.explain(pod);
  for (const auto& [uid, slot] : kept_.slots) {
    if (slot.what.pod() != pod)
      continue;
    auto dead = slot.phase != slot_phase::missing && is_dead(slot.node, t.now);
    // Of several of one name, the one that lives.
    auto lives = result.view().state() == "bound" || result.view().state() == "accepted"
                 || result.view().state() == "missing";
    if (!lives)
      *result.mutable_view() = view_of(kept_.what, slot, watches_.at(uid), dead, note_);
  }
  if (!result.has_view() && result.rounds().empty())
    return std::nullopt;
  return result;
}

} // namespace legion::keeper
