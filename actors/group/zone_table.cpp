#include "actors/group/zone_table.hpp"

#include <algorithm>
#include <utility>

#include "actors/group/whereabouts.hpp"

namespace legion::group {

namespace {

template <class Rows>
auto place_of(Rows& rows, const node_id& id) {
  return std::lower_bound(rows.begin(), rows.end(), id,
                          [](const zone_table::row& x, const node_id& y) { return x.seen.id < y; });
}

} // namespace

zone_table::news zone_table::put(group_id group, const shared_member& who, member_state state,
                                 time_point since) {
  auto id = node_id::from_bytes(who.id());
  if (id.null())
    return {};
  auto journal = consensus::journal_id::from_bytes(who.journal());
  auto claims = (who.keeps() >> (value(group) % groups_per_zone) & 1) != 0;
  auto i = place_of(rows_, id);
  if (i == rows_.end() || i->seen.id != id) {
    rows_.insert(i, {{id, journal, state, since, claims}, who});
    return {false, true, claims, true};
  }
  auto was = std::exchange(i->who, who);
  news result;
  result.known_before = true;
  result.other_start = was.start() != who.start();
  result.matters = result.other_start || was.name() != who.name() || i->seen.state != state;
  result.claims = std::exchange(i->seen.claims, claims) != claims;
  if (i->seen.state != state || i->seen.journal != journal)
    i->seen = {id, journal, state, since, claims};
  return result;
}

const zone_table::row* zone_table::find(const node_id& x) const {
  auto i = place_of(rows_, x);
  return i != rows_.end() && i->seen.id == x ? &*i : nullptr;
}

std::vector<resident> zone_table::residents(const charter::roster* roster) const {
  std::vector<resident> result;
  result.reserve(rows_.size());
  for (const auto& x : rows_) {
    result.push_back(x.seen);
    result.back().admitted = !roster || roster->find(x.seen.id);
  }
  return result;
}

keeper::member_table zone_table::for_keepers() const {
  keeper::member_table result;
  for (const auto& x : rows_)
    result.emplace_hint(result.end(), x.seen.id,
                        keeper::known_member{x.who.name(), x.who.start(), x.seen.state});
  return result;
}

} // namespace legion::group
