#include <algorithm>

#include "actors/group/admission.hpp"
#include "actors/keeper/lease.hpp"
#include "actors/keeper/revision.hpp"
#include "actors/keeper/rollout.hpp"
#include "messages/made_from.hpp"

// How replicas are named; and which come back: while a newer template takes the place of an earlier one,
// what is lost of the earlier one does, as it was, for a rollout that is stuck has nothing better. Paused,
// what the plan says is made from the earlier one, too.

namespace legion::keeper {

using group::slot_phase;

const earlier_template* rollout::earlier_of(const std::string& revision) const {
  return revision == revision_ ? nullptr : earlier_in(kept_.earlier, revision);
}

/// What an earlier template has to keep up while the newest one takes its place, it keeps up. What
/// ends all that is old at once (Recreate, exclusive ones) has nothing to keep up by then.
bool rollout::can_recall(const std::string& revision) const {
  return !kept_.deleting && earlier_of(revision) && !is_exclusive(kept_.what);
}

slot rollout::recalled(const std::string& revision, std::set<std::string>& taken, moment t) {
  slot result;
  result.set_uid(group::random_uid(random_));
  result.set_pod(fresh_name(revision, taken));
  result.set_revision(revision);
  result.set_named_ms(t.wall);
  result.set_recalled(true);
  return result;
}

slots_named rollout::name_slots(int count, moment t) {
  slots_named result;
  *result.mutable_of() = group::name_of(kept_.what);
  auto taken = taken_names();
  std::erase_if(names_, [&](const slot& x) { return taken.contains(x.pod()); });
  const auto& name = kept_.what.metadata().name();
  auto lease =
      is_exclusive(kept_.what) ? static_cast<std::uint32_t>(lease_times{}.lease.count()) : 0;
  while (count-- > 0) {
    auto& added = *result.add_slots();
    auto uid = group::random_uid(random_);
    if (!names_.empty()) { // what was regretted: the same pod, another try
      added = std::move(names_.front());
      added.clear_order();
      added.clear_recalled();
      names_.pop_front();
      taken.insert(added.pod());
    } else {
      added.set_named_ms(t.wall);
      added.set_revision(revision_);
      added.set_pod(kept_.what.has_pod() ? name : fresh_name(revision_, taken));
    }
    added.set_uid(std::move(uid));
    added.set_lease_ms(lease);
  }
  return result;
}

std::set<std::string> rollout::taken_names() const {
  std::set<std::string> result;
  for (const auto& [uid, slot] : kept_.slots)
    result.insert(slot.what.pod());
  return result;
}

std::string rollout::fresh_name(const std::string& revision, std::set<std::string>& taken) {
  std::string result;
  do
    result = pod_stem(kept_.what.metadata().name()) + revision + "-" + random_suffix(random_);
  while (!taken.insert(result).second);
  return result;
}

/// The newest first, then the others in turn; empty: nothing is missing.
std::string rollout::next_to_call() const {
  std::set<std::string> all;
  for (const auto& [uid, slot] : kept_.slots)
    if (slot.phase == slot_phase::missing)
      all.insert(slot.what.revision());
  if (all.empty())
    return {};
  if (all.contains(revision_) && (called_revision_ != revision_ || all.size() == 1))
    return revision_;
  all.erase(revision_);
  auto i = all.upper_bound(called_revision_);
  return i == all.end() ? *all.begin() : *i;
}

} // namespace legion::keeper
