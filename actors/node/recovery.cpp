#include "actors/node/recovery.hpp"

#include <algorithm>
#include <set>

#include "actors/group/group_keys.hpp"
#include "messages/charter.pb.h"
#include "messages/consensus.pb.h"

namespace legion::node {

namespace {

constexpr std::int64_t stray_grace_seconds = 10;
constexpr wall_ms longest_dead_ms = 30ll * 24 * 3600 * 1000;

} // namespace

bool was_cordoned(const std::vector<record>& journal, const node_id& self) {
  auto result = false;
  for (const auto& x : journal) {
    roster_state roster;
    if (x.key() == cordon_key)
      result = !x.value().empty();
    if (x.key() == "roster" && roster.ParseFromString(x.value())) // it comes after "cordoned"
      for (const auto& node : roster.nodes())
        if (node.id() == self.bytes())
          return node.cordoned();
  }
  return result;
}

std::optional<damage_record> damage_in(const std::vector<record>& journal) {
  damage_record result;
  for (const auto& x : journal)
    if (x.key() == damage_key && result.ParseFromString(x.value()))
      return result;
  return std::nullopt;
}

std::string outdated_in(const std::vector<record>& journal) {
  constexpr std::string_view ending = "/promised";
  for (const auto& x : journal) {
    consensus_promised promised;
    if (x.key().ends_with(ending) && promised.ParseFromString(x.value()) && promised.fenced())
      return x.key().substr(0, x.key().size() - ending.size());
  }
  return {};
}

bool has_charter(const std::vector<record>& journal) {
  return std::any_of(journal.begin(), journal.end(), [](const record& x) {
    return x.key().starts_with("charter/") && x.key() != charter_lost_key && !x.value().empty();
  });
}

bool founds_charter(bool founds, const std::vector<record>& journal) {
  if (has_charter(journal) || damage_in(journal))
    return false;
  start_record start;
  auto lost = false;
  for (const auto& x : journal) {
    if (x.key() == "start")
      start.ParseFromString(x.value());
    lost = lost || x.key() == charter_lost_key;
  }
  auto founded = !start.cluster().empty() && group::groups_in(journal) != 0;
  return founds || (!lost && founded);
}

std::vector<record> carried_over(std::vector<record> salvaged, damage_record what) {
  what.set_groups(what.groups() | group::groups_in(salvaged));
  if (auto earlier = damage_in(salvaged))
    what.set_groups(what.groups() | earlier->groups());
  start_record start;
  auto knew_charter = false;
  std::erase_if(salvaged, [&](record& x) {
    if (x.key() == "start")
      start.ParseFromString(x.value());
    knew_charter = knew_charter || x.key().starts_with("charter/");
    return x.key() == "start" || x.key() == damage_key || x.key().starts_with("group/")
           || x.key().starts_with("charter/");
  });
  for (auto& x : salvaged) {
    promise_record promise;
    if (!x.key().starts_with("promise/") || !promise.ParseFromString(x.value()))
      continue;
    promise.set_salvaged(true);
    x.set_value(promise.SerializeAsString());
  }
  start.set_start(std::max(start.start(), static_cast<std::uint64_t>(what.time_ms() / 1000)));
  auto add = [&](const char* key, std::string value) {
    auto& x = salvaged.emplace_back();
    x.set_key(key);
    x.set_value(std::move(value));
  };
  add("start", start.SerializeAsString());
  add(damage_key, what.SerializeAsString());
  if (knew_charter)
    add(charter_lost_key, "1");
  return salvaged;
}

std::vector<promise_record> promises_in(const std::vector<record>& journal) {
  std::vector<promise_record> result;
  for (const auto& x : journal) {
    promise_record y;
    if (x.key().starts_with("promise/") && !x.value().empty() && y.ParseFromString(x.value())
        && !y.slot().uid().empty())
      result.push_back(std::move(y));
  }
  return result;
}

std::optional<promise_record> copy_of_promise(const std::string& uid,
                                              const std::vector<process_status>& found) {
  promise_record result;
  for (const auto& x : found)
    if (!x.promise().empty() && result.ParseFromString(x.promise()) && result.slot().uid() == uid) {
      result.set_salvaged(true);
      return result;
    }
  return std::nullopt;
}

promise_record stray_record(const std::string& uid, const std::vector<process_status>& found) {
  promise_record result;
  result.mutable_slot()->set_uid(uid);
  result.set_ending(true);
  result.mutable_what()->set_kind("Pod");
  auto& spec = *result.mutable_what()->mutable_pod();
  spec.set_restart_policy("Never");
  spec.set_termination_grace_period_seconds(stray_grace_seconds);
  for (const auto& x : found) {
    result.mutable_slot()->set_pod(x.pod());
    auto known = std::any_of(spec.containers().begin(), spec.containers().end(),
                             [&](const container& y) { return y.name() == x.container(); });
    if (!known)
      spec.add_containers()->set_name(x.container());
  }
  return result;
}

std::vector<member> contacts_in(const std::vector<record>& journal, const node_id& self) {
  std::vector<member> result;
  auto add = [&](const auto& x) {
    auto same = [&](const member& y) { return y.id() == x.id(); };
    if (x.id() == self.bytes() || std::any_of(result.begin(), result.end(), same))
      return;
    auto& contact = result.emplace_back();
    contact.set_id(x.id());
    contact.set_endpoint(x.endpoint());
    contact.set_public_key(x.public_key());
  };
  known_members known;
  roster_state roster;
  for (const auto& x : journal)
    if (x.key() == "members")
      known.ParseFromString(x.value());
    else if (x.key() == "roster")
      roster.ParseFromString(x.value());
  for (const auto& bytes : known.members()) {
    member who;
    if (who.ParseFromString(bytes))
      add(who);
  }
  for (const auto& x : roster.nodes())
    add(x);
  std::set<std::string> mates;
  for (const auto& x : roster.hints())
    if (std::find(x.voters().begin(), x.voters().end(), self.bytes()) != x.voters().end())
      mates.insert(x.voters().begin(), x.voters().end());
  std::stable_partition(result.begin(), result.end(),
                        [&](const member& x) { return mates.contains(x.id()); });
  return result;
}

std::vector<remembered_member> remembered_in(const std::vector<record>& journal, time_point now,
                                             wall_ms wall_now) {
  std::vector<remembered_member> result;
  known_members known;
  for (const auto& x : journal)
    if (x.key() == "members")
      known.ParseFromString(x.value());
  for (const auto& x : known.seen()) {
    remembered_member y{
        node_id::from_bytes(x.id()), start_number{x.start()}, x.life(), {}, x.journal(), x.rows(),
        start_number{x.rows_start()}};
    if (y.id.null())
      continue;
    if (x.died_ms() > 0)
      y.died = now - milliseconds{std::clamp<wall_ms>(wall_now - x.died_ms(), 0, longest_dead_ms)};
    result.push_back(std::move(y));
  }
  return result;
}

known_members members_to_remember(const node_id& self, std::vector<shared_member> living) {
  auto mine = self.bytes();
  std::erase_if(living, [&](const shared_member& x) { return x.id() == mine; });
  auto most = std::min(most_remembered_members, living.size());
  auto last = living.begin() + static_cast<std::ptrdiff_t>(most);
  std::partial_sort(living.begin(), last, living.end(),
                    [&](const shared_member& a, const shared_member& b) {
                      auto a_before = a.id() < mine, b_before = b.id() < mine;
                      return a_before != b_before ? b_before : a.id() < b.id();
                    });
  living.erase(last, living.end());
  known_members result;
  for (const auto& x : living) {
    member contact; // what it takes to call there; the rest is heard anew
    contact.set_id(x.id());
    contact.set_endpoint(x.endpoint());
    contact.set_public_key(x.public_key());
    result.add_members(contact.SerializeAsString());
  }
  return result;
}

} // namespace legion::node
