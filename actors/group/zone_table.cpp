#include "actors/group/zone_table.hpp"

#include <algorithm>
#include <utility>

#include "actors/group/whereabouts.hpp"

namespace legion::group {

namespace {

template <class Rows>
auto place_of(Rows& rows, const std::string& id) {
  return std::lower_bound(
      rows.begin(), rows.end(), id,
      [](const zone_table::row& x, const std::string& y) { return x.who.id() < y; });
}

} // namespace

resident zone_table::row::seen() const {
  resident result{id(), consensus::journal_id::from_bytes(who.journal()), state, since, claims};
  result.draining = who.draining();
  return result;
}

void compare_with(std::vector<resident>& zone, const charter::roster& roster,
                  const unheard_since& since) {
  for (auto& x : zone)
    x.admitted = roster.find(x.id) != nullptr;
  std::vector<resident> unheard;
  for (const auto& x : roster.nodes()) {
    auto id = node_id::from_bytes(x->id());
    if (std::none_of(zone.begin(), zone.end(), [&](const resident& y) { return y.id == id; }))
      unheard.push_back({id, {}, member_dead, since(id), false, true});
  }
  zone.insert(zone.end(), unheard.begin(), unheard.end());
}

zone_table::news zone_table::put(group_id group, const shared_member& who, member_state state,
                                 time_point since) {
  if (node_id::from_bytes(who.id()).null())
    return {};
  auto claims = (who.keeps() >> (value(group) % groups_per_zone) & 1) != 0;
  auto i = place_of(rows_, who.id());
  if (i == rows_.end() || i->who.id() != who.id()) {
    rows_.insert(i, {who, since, state, claims});
    return {false, true, claims, true};
  }
  auto was = std::exchange(i->who, who);
  news result;
  result.known_before = true;
  result.other_start = was.start() != who.start();
  result.matters = result.other_start || was.name() != who.name()
                   || was.draining() != who.draining() || i->state != state;
  result.claims = std::exchange(i->claims, claims) != claims;
  if (i->state != state || was.journal() != who.journal())
    i->since = since;
  i->state = state;
  return result;
}

const zone_table::row* zone_table::find(const node_id& x) const {
  auto id = x.bytes();
  auto i = place_of(rows_, id);
  return i != rows_.end() && i->who.id() == id ? &*i : nullptr;
}

std::vector<resident> zone_table::residents(const charter::roster* roster,
                                            const unheard_since& since) const {
  std::vector<resident> result;
  result.reserve(rows_.size());
  for (const auto& x : rows_)
    result.push_back(x.seen());
  if (roster)
    compare_with(result, *roster, since);
  return result;
}

keeper::member_table zone_table::for_keepers() const {
  keeper::member_table result;
  for (const auto& x : rows_)
    result.emplace_hint(result.end(), x.id(),
                        keeper::known_member{x.who.name(), x.who.start(), x.state});
  return result;
}

} // namespace legion::group
