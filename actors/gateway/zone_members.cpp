#include "actors/gateway/zone_members.hpp"

#include <algorithm>

#include "actors/group/whereabouts.hpp"

namespace legion::gateway {

namespace {

template <class Rows>
auto place_of(Rows& rows, const node_id& id) {
  return std::lower_bound(rows.begin(), rows.end(), id,
                          [](const zone_members::row& x, const node_id& y) { return x.id() < y; });
}

std::uint64_t bit(group_id group) {
  return std::uint64_t{1} << (value(group) % groups_per_zone);
}

} // namespace

std::string ago(std::chrono::milliseconds x) {
  using namespace std::chrono;
  auto s = duration_cast<seconds>(x).count();
  if (s < 120)
    return std::to_string(s) + " s";
  if (s < 2 * 3600)
    return std::to_string(s / 60) + " min";
  if (s < 48 * 3600)
    return std::to_string(s / 3600) + " h";
  return std::to_string(s / 86400) + " d";
}

void zone_members::on(const shared_member& who, member_state state, time_point now) {
  auto id = node_id::from_bytes(who.id());
  auto i = place_of(rows_, id);
  auto fresh = i == rows_.end() || i->id() != id;
  if (fresh)
    i = rows_.insert(i, row{who, state, now});
  else if (i->state != state || i->who.start() != who.start())
    i->since = now;
  i->who = who;
  i->state = state;
}

void zone_members::learn_leader(const node_id& node, group_id group) {
  leaders_[group] = node;
}

const zone_members::row* zone_members::find(const node_id& who) const {
  auto i = place_of(rows_, who);
  return i != rows_.end() && i->id() == who ? &*i : nullptr;
}

const zone_members::row* zone_members::named(std::string_view text) const {
  constexpr std::size_t fewest_digits = 8;
  const row* found = nullptr;
  for (const auto& x : rows_) {
    auto matches =
        x.who.name() == text || (text.size() >= fewest_digits && x.id().text().starts_with(text));
    if (!matches)
      continue;
    // A node that was wiped and named again leaves its dead record behind.
    if (found && found->down() == x.down())
      return nullptr;
    if (!found || found->down())
      found = &x;
  }
  return found;
}

std::vector<node_id> zone_members::living() const {
  std::vector<node_id> result;
  for (const auto& x : rows_)
    if (!x.down())
      result.push_back(x.id());
  return result;
}

std::vector<node_id> zone_members::keepers_of(group_id group) const {
  std::vector<group::candidate_keeper> candidates;
  const auto* hint = roster_ ? roster_->hint(group) : nullptr;
  for (const auto& x : rows_) {
    auto hinted = hint
                  && std::find(hint->voters().begin(), hint->voters().end(), x.who.id())
                         != hint->voters().end();
    if (x.state != member_left)
      candidates.push_back({x.id(), !x.down(), x.who.keeps() | (hinted ? bit(group) : 0)});
  }
  auto result = group::keepers_of(group, candidates);
  auto leader = leaders_.find(group);
  const auto* at = leader == leaders_.end() ? nullptr : find(leader->second);
  if (at && !at->down()) {
    std::erase(result, leader->second);
    result.insert(result.begin(), leader->second);
  }
  return result;
}

std::vector<node_id> zone_members::members_of(group_id group) const {
  std::vector<node_id> result;
  if (const auto* hint = roster_ ? roster_->hint(group) : nullptr)
    for (const auto& x : hint->voters())
      result.push_back(node_id::from_bytes(x));
  if (result.empty())
    for (const auto& x : rows_)
      if (x.state != member_left && (x.who.keeps() & bit(group)) != 0)
        result.push_back(x.id());
  return result;
}

std::vector<group_id> zone_members::kept_groups() const {
  std::uint64_t all = 0;
  for (const auto& x : rows_)
    if (x.state != member_left)
      all |= x.who.keeps();
  std::vector<group_id> result;
  for (std::uint32_t g = 0; g < groups_per_zone; ++g) {
    const auto* hint = roster_ ? roster_->hint(group_id{g}) : nullptr;
    if ((all & bit(group_id{g})) != 0 || (hint && !hint->voters().empty()))
      result.push_back(group_id{g});
  }
  return result;
}

std::vector<member> zone_members::unheard() const {
  std::vector<member> result;
  if (!roster_)
    return result;
  for (const auto& x : roster_->nodes()) {
    if (find(node_id::from_bytes(x->id())))
      continue;
    auto& y = result.emplace_back();
    y.set_id(x->id());
    y.set_name(x->name());
    y.set_endpoint(x->endpoint());
    y.set_public_key(x->public_key());
    *y.mutable_labels() = x->labels();
    *y.mutable_taints() = x->taints();
    y.set_cordoned(x->cordoned());
  }
  return result;
}

std::string zone_members::name_of(const node_id& who) const {
  const auto* x = find(who);
  if (const auto* listed = !x && roster_ ? roster_->find(who) : nullptr)
    return listed->name();
  if (!x || x->who.name().empty())
    return who.short_text();
  auto renamed = x->down() && std::any_of(rows_.begin(), rows_.end(), [&](const row& y) {
                   return !y.down() && y.who.name() == x->who.name();
                 });
  return x->who.name() + (renamed ? " (of before, id " + who.short_text() + ")" : "");
}

std::string zone_members::with_states(const std::vector<node_id>& who, time_point now) const {
  std::string result;
  for (const auto& x : who)
    result += (result.empty() ? "" : ", and ") + with_state(x, now);
  return result;
}

std::string zone_members::with_state(const node_id& who, time_point now) const {
  const auto* x = find(who);
  if (!x && roster_ && roster_->find(who))
    return name_of(who) + ", which was not heard since this node began";
  if (!x)
    return who.short_text() + ", which is not a member";
  auto since = std::chrono::duration_cast<milliseconds>(now - x->since);
  switch (x->state) {
    case member_dead:
      return name_of(who) + ", down for " + ago(since);
    case member_left:
      return name_of(who) + ", which left " + ago(since) + " ago";
    case member_suspect:
      return name_of(who) + ", which is suspected to be down";
    default:
      return name_of(who) + (x->who.disk_full() ? ", whose disk is full" : "");
  }
}

} // namespace legion::gateway
