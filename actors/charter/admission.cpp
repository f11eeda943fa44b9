#include "actors/charter/admission.hpp"

#include <algorithm>

#include "messages/listed.hpp"

namespace legion::charter {

namespace {

constexpr auto dead_counts_for = std::chrono::minutes{10};

const seen* find(const zone_view& zone, const std::string& id) {
  auto i = zone.find(node_id::from_bytes(id));
  return i == zone.end() ? nullptr : &i->second;
}

bool down(const seen* x) {
  return !x || x->state == member_dead || x->state == member_left;
}

bool makes_room(const seen* x, time_point now) {
  if (!x || x->state == member_left)
    return true;
  return x->state == member_dead && !x->keeps && now - x->since >= dead_counts_for;
}

} // namespace

judgement judge(const roster& now_is, const roster_node& who, const zone_view& zone,
                const std::string& zone_name, time_point now) {
  if (!acceptable(who))
    return not_admitted{"the record makes no sense: an id of 16 bytes, a key of 32, a name, and at "
                        "most "
                        + std::to_string(roster::most_node_bytes) + " bytes are needed"};
  auto id = node_id::from_bytes(who.id());
  const auto* known = now_is.find(id);
  if (known && known->public_key() != who.public_key())
    return not_admitted{"node " + id.short_text() + " is on the roster with another key"};
  if (known && says_the_same(*known, who))
    return on_it{};
  charter_entry entry;
  const roster_node* dispensable = nullptr;
  time_point since = time_point::max();
  for (const auto& x : now_is.nodes()) {
    if (x->id() == who.id())
      continue;
    const auto* at = find(zone, x->id());
    if (x->name() == who.name()) {
      if (!down(at))
        return not_admitted{"another member is named '" + who.name() + "', node "
                            + node_id::from_bytes(x->id()).short_text() + " at " + x->endpoint()
                            + ": give this one another --name"};
      entry.add_removed(x->id());
    } else if (makes_room(at, now) && (at ? at->since : time_point::min()) < since) {
      dispensable = x.get();
      since = at ? at->since : time_point::min();
    }
  }
  auto count = now_is.nodes().size() - static_cast<std::size_t>(entry.removed_size());
  if (!known && count >= roster::most_nodes) {
    if (!dispensable)
      return not_admitted{"zone '" + zone_name + "' is full: its roster has "
                          + std::to_string(count) + " nodes, the limit is "
                          + std::to_string(roster::most_nodes)};
    entry.add_removed(dispensable->id());
  }
  *entry.add_admitted() = who;
  return entry;
}

std::string name_of(const roster& now_is, const zone_view& zone, const node_id& who) {
  if (const auto* x = now_is.find(who))
    return x->name();
  auto i = zone.find(who);
  return i == zone.end() || i->second.name.empty() ? who.short_text() : i->second.name;
}

bool may_elect(const std::vector<node_id>& voters, const std::set<node_id>& lost,
               const zone_view& zone) {
  auto able = std::count_if(voters.begin(), voters.end(), [&](const node_id& x) {
    const auto* known = find(zone, x.bytes());
    return !down(known) && !lost.contains(x) && !known->full;
  });
  return 2 * static_cast<std::size_t>(able) > voters.size();
}

std::string no_quorum(const roster* now_is, const std::vector<node_id>& voters,
                      const std::set<node_id>& lost, const zone_view& zone,
                      const std::string& zone_name) {
  auto of = "the charter of zone '" + zone_name + "'";
  if (voters.empty())
    return of + " is not known to this node yet: new members wait";
  std::vector<std::string> names, gone, full, without;
  for (const auto& x : voters) {
    names.push_back(name_of(now_is ? *now_is : roster{}, zone, x));
    const auto* known = find(zone, x.bytes());
    if (down(known))
      gone.push_back(names.back());
    else if (lost.contains(x))
      without.push_back(names.back());
    else if (known->full)
      full.push_back(names.back());
  }
  auto most = !may_elect(voters, lost, zone);
  auto result = of + (most ? " has no quorum: " : " has no leader just now: ")
                + (voters.size() == 1 ? "its voter is " : "its voters are ") + listed(names);
  if (!gone.empty())
    result += ", of which " + listed(gone) + (gone.size() == 1 ? " is down" : " are down");
  if (!full.empty())
    result += (full.size() == 1 ? "; the disk of " : "; the disks of ") + listed(full)
              + (full.size() == 1 ? " is full" : " are full");
  if (!without.empty())
    result += (gone.empty() ? ", of which " : ", and ") + listed(without)
              + (without.size() == 1 ? " has lost the journal with which it voted"
                                     : " have lost the journals with which they voted");
  if (!without.empty() && most)
    result += gone.empty()
                  ? " (the cure is `legionctl charter rebuild`)"
                  : " (should they not come back, the cure is `legionctl charter rebuild`)";
  return result + "; new members and cordons wait, and what has a quorum of its own goes on";
}

} // namespace legion::charter
