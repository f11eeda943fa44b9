#include "actors/keeper/assessment.hpp"

#include <algorithm>

namespace legion::keeper {

void hear(watch& x, const assessment& y, time_point now) {
  auto was_ready = x.seen && x.seen->ready();
  x.bound = true;
  x.seen = y;
  if (!y.ready()) {
    x.ready_since.reset();
  } else if (!was_ready || !x.ready_since) {
    // Both times are the observer's, so their difference is true whatever its clock says.
    auto age = y.ready_since_ms() > 0 ? y.observed_ms() - y.ready_since_ms() : 0;
    x.ready_since = now - milliseconds{std::clamp<wall_ms>(age, 0, 86'400'000)};
  }
}

bool is_finished(const resource& what, const watch& x) {
  return what.has_pod() && what.pod().restart_policy() != "Always" && x.seen
         && (x.seen->phase() == "Succeeded"
             || (x.seen->phase() == "Failed" && !x.seen->withdrawn()));
}

bool waits_for_its_node(const resource& what) {
  return what.has_pod() && what.pod().restart_policy() != "Always" && !is_exclusive(what);
}

std::string broken_because(const resource& what, const watch& x) {
  if (!x.seen || is_finished(what, x))
    return {};
  if (x.seen->withdrawn()) // how its processes ended then says nothing
    return "withdrawn by its node";
  auto reason = x.seen->reason().empty() ? std::string{} : ": " + x.seen->reason();
  if (what.has_deployment() && x.seen->phase() == "Failed")
    return "failed" + reason;
  return {};
}

std::optional<time_point> available_from(const resource& what, const watch& x) {
  if (!x.ready_since)
    return std::nullopt;
  auto wait = what.has_deployment() ? what.deployment().min_ready_seconds() : 0;
  return *x.ready_since + seconds{std::max(0, wait)};
}

replica replica_of(const resource& what, const std::string& revision, const group::slot_state& slot,
                   const watch& heard, time_point now) {
  replica result;
  result.uid = slot.what.uid();
  result.current = slot.what.revision() == revision;
  result.missing = slot.phase == group::slot_phase::missing;
  result.assessed = heard.seen.has_value();
  result.ready = heard.ready_since.has_value();
  auto from = available_from(what, heard);
  result.available = from && *from <= now;
  result.created_ms = slot.created_ms;
  result.node = slot.node;
  return result;
}

pod_view view_of(const resource& what, const group::slot_state& slot, const watch& heard,
                 bool node_dead, const std::string& note) {
  pod_view result;
  *result.mutable_slot() = slot.what;
  *result.mutable_of() = group::name_of(what);
  switch (slot.phase) {
    case group::slot_phase::missing:
      result.set_state("missing");
      break;
    case group::slot_phase::accepted:
      result.set_state(heard.bound || !slot.finished.empty() ? "bound" : "accepted");
      break;
    case group::slot_phase::ending:
      result.set_state(node_dead ? "replaced" : "ending");
      break;
  }
  if (!slot.node.null())
    result.set_node(slot.node.bytes());
  result.set_node_name(slot.node_name);
  if (heard.seen)
    *result.mutable_assessment() = *heard.seen;
  else if (!slot.finished.empty())
    result.mutable_assessment()->set_phase(slot.finished);
  result.set_node_dead(node_dead);
  if (slot.phase == group::slot_phase::missing)
    result.set_note(note.empty() ? "calling for volunteers" : note);
  else if (slot.phase == group::slot_phase::accepted && node_dead && waits_for_its_node(what)
           && slot.finished.empty())
    result.set_note(
        slot.node_name + " is down: with restartPolicy " + what.pod().restart_policy()
        + " it is not begun elsewhere, for it may still run there; delete it to give it up");
  else if (slot.phase == group::slot_phase::accepted && !heard.bound && slot.finished.empty())
    result.set_note("waiting for " + slot.node_name + " to bind it");
  else if (slot.phase == group::slot_phase::ending && node_dead)
    result.set_note("ends when " + slot.node_name + " returns");
  result.set_created_ms(slot.what.named_ms() > 0 ? slot.what.named_ms() : slot.created_ms);
  return result;
}

} // namespace legion::keeper
