#include <algorithm>

#include "actors/group/state.hpp"

// A group's state that begins anew from what is left of it: docs/decisions/0010.

namespace legion::group {

namespace {

constexpr std::size_t most_deleted_names = 4096;

/// Of two versions of one resource before the group was raised, the later.
bool is_newer(const resource& a, const resource& b) {
  return a.metadata().resource_version() > b.metadata().resource_version();
}

/// Nothing that is leased runs any more when a group has gathered, nobody having renewed it. Of
/// more than are wanted the newest stay: others may have been ended in what is lost.
void end_surplus(resource_state& of) {
  std::vector<slot_state*> leased;
  for (auto& [uid, x] : of.slots)
    if (x.phase == slot_phase::accepted && x.what.lease_ms() > 0 && x.finished.empty())
      leased.push_back(&x);
  std::stable_sort(leased.begin(), leased.end(),
                   [](auto* a, auto* b) { return a->created_ms > b->created_ms; });
  auto wanted = of.what.has_pod() ? 1 : std::max(0, of.what.deployment().replicas());
  for (auto i = static_cast<std::size_t>(wanted); i < leased.size(); ++i)
    leased[i]->phase = slot_phase::ending;
}

} // namespace

void state::raise(std::uint64_t incarnation, std::uint64_t index) {
  incarnation_ = incarnation;
  index_ = index;
  raised_ = gathering_ = old_leases_ = true;
  gathered_.clear();
  for (auto& [key, x] : resources_) {
    x.promised_only = false;
    // Whether they were accepted since, nobody here knows: the same may not be called twice.
    std::erase_if(x.slots, [](const auto& y) { return y.second.phase == slot_phase::missing; });
    for (auto& [uid, slot] : x.slots) {
      slot.what.mutable_order()->set_incarnation(incarnation);
      slot.what.mutable_order()->set_index(index);
    }
  }
}

/// Of one resource. While nothing is kept yet its specification may be a newer one than the log's;
/// later the log's is what its author wants.
void state::adopt(const group_entry& x) {
  const auto& what = x.adopted().held().resources(0);
  const auto& slots = x.adopted().held().slots();
  auto key = key_of(what);
  auto [i, fresh] = resources_.try_emplace(key);
  auto& kept = i->second;
  if (fresh) {
    kept.what = what;
    kept.promised_only = gathering_;
    auto all_end = std::all_of(slots.begin(), slots.end(), [](auto& y) { return y.ending(); });
    auto was_deleted = std::find(deleted_.begin(), deleted_.end(), key) != deleted_.end();
    kept.deleting = was_deleted || (!gathering_ && all_end);
  } else if (gathering_ && !kept.deleting && is_newer(what, kept.what)) {
    kept.what = what;
  }
  group::apply(kept, x, gathering_);
  forget_if_over(i);
}

/// Of whom only promises are known that all end: its author deleted it, or wanted none. What was
/// ended stays so.
void state::end_gathering() {
  gathering_ = false;
  for (auto i = resources_.begin(); i != resources_.end();) {
    auto next = std::next(i);
    auto& x = i->second;
    auto ends = x.promised_only && std::all_of(x.slots.begin(), x.slots.end(), [](const auto& y) {
                  return y.second.phase == slot_phase::ending;
                });
    x.promised_only = false;
    end_surplus(x);
    x.deleting = x.deleting || ends;
    forget_if_over(i);
    i = next;
  }
}

void state::forget_if_over(std::map<resource_key, resource_state>::iterator i) {
  if (!is_over(i->second))
    return;
  if (raised_ && std::find(deleted_.begin(), deleted_.end(), i->first) == deleted_.end())
    deleted_.push_back(i->first);
  if (deleted_.size() > most_deleted_names)
    deleted_.erase(deleted_.begin());
  resources_.erase(i);
}

} // namespace legion::group
