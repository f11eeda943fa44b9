#include "actors/keeper/rollout.hpp"

#include <algorithm>

#include "actors/group/admission.hpp"
#include "actors/keeper/lease.hpp"
#include "actors/keeper/revision.hpp"
#include "messages/made_from.hpp"

namespace legion::keeper {

using group::slot_phase;

namespace {

/// A member that nobody has heard of since the keeper began is as good as dead after this.
constexpr auto unknown_grace = seconds{30};
constexpr int max_slots_per_release = 256;

bool is_unbound(const group::slot_state& slot, const watch& heard) {
  return slot.phase == slot_phase::accepted && !heard.bound && heard.regret.empty()
         && slot.finished.empty();
}

void earliest(std::optional<time_point>& result, time_point x) {
  if (!result || x < *result)
    result = x;
}

} // namespace

rollout::effects rollout::reconcile(moment t) {
  effects out;
  if (group::is_over(kept_))
    return out;
  if (propose_again_ && *propose_again_ <= t.now)
    propose_again_.reset();
  if (!proposing_ && !propose_again_ && members_) {
    std::vector<group_entry> entries;
    uid_set leaving;
    revisions lost;
    settle(entries, leaving, lost, t);
    follow_plan(entries, leaving, lost, t);
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
  ask_the_returned(t);
  send_errands(t, out);
  return out;
}

/// What was heard becomes entries: regretted and released slots are gone, those of dead nodes and
/// broken ones are ended. Those that are finished stay so, whatever is heard later. `lost`: the earlier
/// templates of which one has to come back, each time.
void rollout::settle(std::vector<group_entry>& into, uid_set& leaving, revisions& lost, moment t) {
  slots_gone gone;
  std::map<std::string, slots_ended> ended;       // by reason
  std::map<std::string, slots_finished> finished; // by phase
  for (const auto& [uid, slot] : kept_.slots) {
    const auto& heard = watches_[uid];
    auto waits = slot.what.lease_ms() > 0 && may_run(slot, heard, t.now);
    auto over = heard.released || !heard.regret.empty() || has_left(slot.node);
    if (slot.phase == slot_phase::ending && !waits && over) {
      *gone.add_slots() = slot.what;
      leaving.insert(uid);
    }
    if (slot.phase != slot_phase::accepted || !slot.finished.empty())
      continue;
    if (is_finished(kept_.what, heard)) {
      *finished[heard.seen->phase()].add_slots() = slot.what;
      continue;
    }
    auto withdrawn = heard.seen && heard.seen->withdrawn();
    if (!heard.regret.empty() && !(waits && withdrawn)) {
      if (!waits)
        *gone.add_slots() = slot.what; // counted until it is gone, then named anew
      if (!waits && can_recall(slot.what.revision())) {
        leaving.insert(uid);
        lost.push_back(slot.what.revision());
      }
      continue; // but who withdraws what is leased can say that it saw it end: it is asked to
    }
    auto why = broken_because(kept_.what, heard);
    if (why.empty() && is_dead(slot.node, t.now)
        && (has_left(slot.node) || !waits_for_its_node(kept_.what)))
      why = slot.node_name + " is dead";
    if (why.empty())
      continue;
    *ended[why].add_slots() = slot.what;
    leaving.insert(uid);
    if (can_recall(slot.what.revision()))
      lost.push_back(slot.what.revision());
  }
  if (gone.slots_size() > 0) {
    *gone.mutable_of() = group::name_of(kept_.what);
    into.push_back(entry(t));
    *into.back().mutable_gone() = std::move(gone);
  }
  for (auto& [phase, slots] : finished) {
    *slots.mutable_of() = group::name_of(kept_.what);
    slots.set_phase(phase);
    into.push_back(entry(t));
    *into.back().mutable_finished() = std::move(slots);
  }
  add_ended(into, std::move(ended), t);
}

void rollout::add_ended(std::vector<group_entry>& into,
                        std::map<std::string, slots_ended> by_reason, moment t) const {
  for (auto& [why, slots] : by_reason) {
    *slots.mutable_of() = group::name_of(kept_.what);
    slots.set_reason(why);
    into.push_back(entry(t));
    *into.back().mutable_ended() = std::move(slots);
  }
}

void rollout::follow_plan(std::vector<group_entry>& into, uid_set& leaving, const revisions& lost,
                          moment t) {
  if (kept_.deleting)
    return;
  std::vector<replica> replicas;
  auto one_at_a_time = kept_.what.has_pod() || is_exclusive(kept_.what);
  auto may_still_run = 0;
  for (const auto& [uid, slot] : kept_.slots) {
    if (slot.phase == slot_phase::ending || leaving.contains(uid)) {
      auto counts = one_at_a_time || slot.what.revision() != revision_;
      may_still_run += counts && may_run(slot, watches_[uid], t.now) ? 1 : 0;
      continue;
    }
    replicas.push_back(replica_of(kept_.what, revision_, slot, watches_[uid], t.now));
    if (can_recall(slot.what.revision())) {
      replicas.back().recalled = slot.what.recalled();
      replicas.back().earlier = slot.what.revision();
    }
  }
  std::map<std::string, slot> back;
  auto taken = taken_names();
  auto most = static_cast<std::size_t>(std::max(0, wanted_of(kept_.what)))
              + static_cast<std::size_t>(leeway_of(kept_.what.deployment()).surge);
  for (const auto& revision : lost) {
    if (replicas.size() >= most)
      break; // some stand in already: of a batch the first part may have been committed
    auto x = recalled(revision, taken, t);
    auto& counted = replicas.emplace_back();
    counted.uid = x.uid();
    counted.missing = counted.recalled = true;
    counted.earlier = revision;
    counted.created_ms = t.wall;
    back.emplace(x.uid(), std::move(x));
  }
  auto next = plan_of(kept_.what, replicas, may_still_run);
  std::erase_if(next.end, [&](const std::string& uid) { return back.erase(uid) > 0; });
  for (; !next.of.empty() && next.name > 0; --next.name) {
    auto x = recalled(next.of, taken, t);
    back.emplace(x.uid(), std::move(x));
  }
  if (!back.empty()) { // first: else their template would be forgotten with who is gone
    auto named = into.insert(into.begin(), entry(t));
    *named->mutable_named()->mutable_of() = group::name_of(kept_.what);
    for (auto& [uid, x] : back)
      *named->mutable_named()->add_slots() = std::move(x);
  }
  std::map<std::string, slots_ended> ended; // by reason
  for (const auto& uid : next.end) {
    const auto& what = kept_.slots.at(uid).what;
    auto replaced = what.revision() != revision_ && !kept_.what.deployment().paused();
    *ended[replaced ? "replaced by a newer template" : "scaled down"].add_slots() = what;
    leaving.insert(uid);
  }
  add_ended(into, std::move(ended), t);
  if (next.name > 0) {
    into.push_back(entry(t));
    *into.back().mutable_named() = name_slots(next.name, t);
  }
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
  std::set<std::string> pods;
  auto begin = into.size();
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
    for (auto n = pick.count; n > 0 && next < waiting.size(); --n) {
      pods.insert(waiting[next]->pod());
      *accepted.add_slots() = *waiting[next++];
    }
  }
  committing_outcome_ = into.size() > begin;
  if (!committing_outcome_)
    return drop_outcome(out);
  for (auto& x : history_.unsaved(pods)) // so that the next leader knows them, too
    *into[begin].mutable_accepted()->add_rounds() = std::move(x);
}

void rollout::call_for_missing(moment t, effects& out) {
  if (calling_ || kept_.deleting || t.now < may_call_from())
    return;
  called_pods_.clear();
  auto revision = next_to_call();
  if (revision.empty())
    return;
  std::map<node_id, std::uint32_t> replicas;
  for (const auto& [uid, slot] : kept_.slots) {
    if (slot.what.revision() != revision)
      continue; // those of before are about to go
    if (slot.phase == slot_phase::missing)
      called_pods_.push_back(slot.what.pod());
    else if (slot.phase == slot_phase::accepted)
      ++replicas[slot.node];
  }
  place effect;
  effect.what.set_id(random_());
  *effect.what.mutable_of() = group::name_of(kept_.what);
  *effect.what.mutable_template_() = template_of(made_from(kept_.what, earlier_of(revision)));
  effect.what.set_count(static_cast<std::uint32_t>(called_pods_.size()));
  effect.what.set_keeper(self_.bytes());
  for (const auto& [id, member] : *members_)
    if (!is_gone(member)) {
      auto i = replicas.find(id);
      effect.among.push_back(
          {id, member.name, member.state == member_suspect, i == replicas.end() ? 0 : i->second});
    }
  effect.seed = random_();
  called_revision_ = revision;
  called_at_ = t.now;
  calling_ = true;
  out.push_back(std::move(effect));
}

/// An accept is answered bound again, or regret.
void rollout::ask_the_returned(moment t) {
  for (auto i = returned_.begin(); i != returned_.end();) {
    auto dead = is_dead(i->first, t.now); // what it held is replaced anyway
    if (!dead && i->second > t.now) {
      ++i;
      continue;
    }
    for (const auto& [uid, slot] : kept_.slots)
      if (auto& heard = watches_.at(uid);
          !dead && slot.node == i->first && slot.phase == slot_phase::accepted && heard.bound) {
        heard.bound = false;
        accepts_.try_emplace({slot.node, slot.offer}, errand{t.now});
      }
    i = returned_.erase(i);
  }
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
  }
  if (result.slots_size() == 0)
    return result;
  const auto& revision = result.slots(0).revision(); // an offer is for one template
  // One that is not kept any more: no offer may start it from another; what is bound is bound.
  if (revision != revision_ && !earlier_of(revision))
    result.set_offer(0);
  *result.mutable_what() = made_from(kept_.what, earlier_of(revision));
  result.set_keeper(self_.bytes());
  result.set_group(value(group_));
  result.set_term(term_);
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
  result.set_term(term_);
  return result;
}

bool rollout::is_dead(const node_id& node, time_point now) const {
  if (!members_ || node == self_)
    return false;
  auto i = members_->find(node);
  return i == members_->end() ? now >= started_ + unknown_grace : is_gone(i->second);
}

/// It drained, and ended what it ran.
bool rollout::has_left(const node_id& node) const {
  if (!members_ || node == self_)
    return false;
  auto i = members_->find(node);
  return i != members_->end() && i->second.state == member_left;
}

time_point rollout::may_call_from() const {
  return is_exclusive(kept_.what) ? std::max(call_due_, exclusive_from_) : call_due_;
}

/// A leased one runs for as long as its last lease, and the kernel takes a moment to end it; but
/// for that, who is told to stop, or is dead, counts as stopped.
bool rollout::may_run(const group::slot_state& slot, const watch& heard, time_point now) const {
  if (slot.phase == slot_phase::missing)
    return false;
  if (slot.what.lease_ms() == 0)
    return !heard.released && !is_dead(slot.node, now);
  return !heard.ended && heard.renewed && now < lease_over(slot.what.lease_ms(), *heard.renewed);
}

std::vector<std::string> rollout::on_lease_ask(const node_id& from,
                                               const std::vector<std::string>& uids, moment t) {
  std::vector<std::string> result;
  if (is_dead(from, t.now)) // its slots are called anew once their leases are over
    return result;
  for (const auto& uid : uids) {
    auto i = kept_.slots.find(uid);
    if (i == kept_.slots.end() || i->second.node != from || i->second.what.lease_ms() == 0)
      continue;
    auto& heard = watches_[uid];
    // One that ends has its grace period; but what was taken for gone, maybe by a keeper before
    // this one, stays so.
    auto may = i->second.phase == slot_phase::accepted
                   ? heard.regret.empty()
                   : heard.granted && may_run(i->second, heard, t.now) && !heard.released;
    if (!may)
      continue;
    heard.renewed = t.now;
    heard.granted = true;
    result.push_back(uid);
  }
  return result;
}

std::optional<time_point> rollout::due(time_point now) const {
  std::optional<time_point> result;
  if (group::is_over(kept_))
    return result;
  if (propose_again_)
    earliest(result, *propose_again_);
  for (const auto& [key, errand] : accepts_)
    if (!errand.under_way)
      earliest(result, errand.due);
  for (const auto& [node, errand] : releases_)
    if (!errand.under_way && !is_dead(node, now))
      earliest(result, errand.due);
  for (const auto& [node, until] : returned_)
    earliest(result, until);
  if (!calling_ && !proposing_ && !propose_again_ && members_ && !kept_.deleting && missing() > 0)
    earliest(result, may_call_from());
  for (const auto& [uid, slot] : kept_.slots) {
    const auto& heard = watches_.at(uid);
    auto leaves = slot.phase == slot_phase::ending || !heard.regret.empty();
    if (leaves && slot.what.lease_ms() > 0 && may_run(slot, heard, now))
      earliest(result, lease_over(slot.what.lease_ms(), *heard.renewed));
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

} // namespace legion::keeper
