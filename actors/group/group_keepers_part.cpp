#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/group/group_state_part.hpp"

namespace legion {

namespace {

constexpr auto restart_pause = seconds{10};
constexpr std::uint32_t restarts_at_once = 5; // then one each `restart_pause`

void end_keeper(group_pointer self, const resource_keeper& x) {
  if (!x.keeper)
    return;
  self->demonitor(x.who);
  self->send_exit(x.keeper, caf::exit_reason::user_shutdown);
}

} // namespace

void start_keeper(group_pointer self, const group::resource_key& key) {
  auto& s = self->state;
  auto* resource = s.rules->find(key);
  if (!resource || !s.keeps)
    return;
  if (!s.spread && s.zone_known)
    s.spread = std::make_shared<const keeper::member_table>(s.zone.for_keepers());
  auto& kept = s.keepers[key];
  auto as_of = s.core()->term() << 32 | (s.rules->index() + kept.restarts);
  kept.keeper = spawn_keeper(self->system(), s.context, s.group, *resource, s.core()->term(), as_of,
                             s.spread, caf::actor_cast<commit_handle>(self), s.gather.hold_until);
  kept.who = caf::actor_cast<caf::actor_addr>(kept.keeper);
  self->monitor(kept.keeper);
}

/// Only now, with its own first entry applied, does a leader know all that was accepted before.
void start_keeping(group_pointer self) {
  auto& s = self->state;
  s.keeps = true;
  draw_next_move(self);
  if (!s.rules->resources().empty())
    spdlog::info("group leads group={} term={} resources={}", value(s.group), s.core()->term(),
                 s.rules->resources().size());
  for (const auto& [key, resource] : s.rules->resources())
    start_keeper(self, key);
}

void stop_keeping(group_pointer self) {
  auto& s = self->state;
  if (!std::exchange(s.keeps, false))
    return;
  if (!s.keepers.empty())
    spdlog::info("group leads_no_more group={} resources={}", value(s.group), s.keepers.size());
  for (auto& [key, kept] : s.keepers)
    end_keeper(self, kept);
  s.keepers.clear();
  s.reports.clear();
  dismiss_lease_asks(self);
}

void on_keeper_down(group_pointer self, const caf::down_msg& x) {
  auto& s = self->state;
  for (auto& [key, kept] : s.keepers) {
    if (kept.who != x.source)
      continue;
    spdlog::error("group keeper_failed group={} resource={}/{} restarts={}", value(s.group),
                  key.space, key.name, kept.restarts);
    kept.keeper = keeper_handle{};
    if (kept.restarts++ < restarts_at_once)
      start_keeper(self, key);
    else
      self->delayed_send(self, restart_pause, respawn_keeper{key});
    return;
  }
}

void apply(group_pointer self, const std::vector<group_entry>& entries) {
  auto& s = self->state;
  auto gathering = s.rules->gathering();
  for (const auto& x : entries) {
    s.rules->apply(x);
    if (x.has_restored())
      hold_exclusive(self);
  }
  if (gathering && !s.rules->gathering())
    return on_gathered(self);
  if (!s.keeps)
    return;
  std::map<group::resource_key, std::vector<group_entry>> by_resource;
  for (const auto& x : entries)
    group::for_each_part(
        x, [&](const group_entry& part) { by_resource[group::subject_of(part)].push_back(part); });
  for (auto& [key, xs] : by_resource) {
    auto i = s.keepers.find(key);
    if (!s.rules->find(key)) {
      if (i == s.keepers.end())
        continue;
      spdlog::info("group resource_gone group={} resource={}/{}", value(s.group), key.space,
                   key.name);
      end_keeper(self, i->second);
      s.keepers.erase(i);
    } else if (i == s.keepers.end()) {
      start_keeper(self, key);
    } else if (i->second.keeper) {
      self->send(i->second.keeper, entries_committed{std::move(xs)});
    }
  }
}

} // namespace legion
