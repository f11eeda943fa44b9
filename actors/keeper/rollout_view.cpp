#include "actors/keeper/rollout.hpp"

#include <algorithm>
#include <tuple>

#include "actors/keeper/lease.hpp"
#include "actors/keeper/plan.hpp"
#include "actors/keeper/revision.hpp"

namespace legion::keeper {

using group::slot_phase;

namespace {

constexpr int max_single_events = 8;

std::string seconds_until(time_point x, time_point now) {
  auto left = std::chrono::ceil<seconds>(x - now).count();
  return std::to_string(left) + " s";
}

} // namespace

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
  else if (x.has_finished())
    each(x.finished().slots(), "Finished", "it is over for good: " + x.finished().phase());
  else if (x.has_named())
    each(x.named().slots(), "Named", "calling for volunteers");
  else if (x.has_remove())
    tell("Normal", "Deleting", kept_.what.metadata().name(), "its author deleted it", t);
}

void rollout::tell_regret(const group::slot_state& of, const std::string& why, moment t) {
  note_ = of.node_name + " regretted its offer: " + why;
  tell("Warning", "Regretted", of.what.pod(), of.node_name + " regrets its offer: " + why, t);
  regretted_slot x;
  x.set_pod(of.what.pod());
  x.set_node(of.node.bytes());
  x.set_detail(why);
  x.set_time_ms(t.wall);
  history_.regret(std::move(x));
}

/// A Pod whose replica is not committed yet, for its keeper's disk is full: it is there all the same.
std::optional<pod_view> rollout::unnamed_pod() const {
  if (kept_.what.has_deployment() || kept_.deleting || !kept_.slots.empty())
    return std::nullopt;
  pod_view result;
  result.mutable_slot()->set_pod(kept_.what.metadata().name());
  *result.mutable_of() = group::name_of(kept_.what);
  result.set_state("missing");
  result.set_created_ms(kept_.what.metadata().created_ms());
  result.set_note(refused_);
  return result;
}

resource_view rollout::view(moment t, bool with_events) const {
  resource_view result;
  *result.mutable_what() = kept_.what;
  result.set_keeper(self_.bytes());
  result.set_group(value(group_));
  result.set_revision(revision_);
  result.set_deleting(kept_.deleting);
  result.set_wanted(kept_.deleting ? 0 : wanted_of(kept_.what));
  if (kept_.what.has_deployment())
    result.set_enough(
        std::max(0, result.wanted() - leeway_of(kept_.what.deployment()).unavailable));
  for (const auto& x : kept_.earlier)
    *result.add_earlier() = x;
  const auto& awaited = kept_.what.deployment().awaited();
  const auto& newest = awaited.empty() ? revision_ : awaited; // as its author sees it
  int ready = 0, updated = 0, available = 0;
  for (const auto& [uid, slot] : kept_.slots) {
    const auto& heard = watches_.at(uid);
    auto dead = slot.phase != slot_phase::missing && is_dead(slot.node, t.now);
    auto& shown = *result.add_pods();
    shown = view_of(kept_.what, slot, heard, dead, note_);
    if (slot.phase == slot_phase::ending && slot.what.lease_ms() > 0 && may_run(slot, heard, t.now))
      shown.set_note("may run until its last lease is over, in "
                     + seconds_until(lease_over(slot.what.lease_ms(), *heard.renewed), t.now)
                     + "; no other one starts before");
    if (slot.phase != slot_phase::accepted)
      continue;
    auto x = replica_of(kept_.what, revision_, slot, heard, t.now);
    ready += x.ready ? 1 : 0;
    updated += slot.what.revision() == newest ? 1 : 0;
    available += x.available ? 1 : 0;
  }
  if (auto unnamed = unnamed_pod())
    *result.add_pods() = std::move(*unnamed);
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
  if (auto unnamed = unnamed_pod(); unnamed && unnamed->slot().pod() == pod)
    *result.mutable_view() = std::move(*unnamed);
  if (!result.has_view() && result.rounds().empty())
    return std::nullopt;
  return result;
}

} // namespace legion::keeper
