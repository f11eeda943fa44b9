#include "actors/group/leaving.hpp"

#include <algorithm>

namespace legion::group {

namespace {

constexpr auto leader_patience = seconds{4};

} // namespace

leaving::step leaving::next(const look& x, time_point now) {
  if (x.core == nullptr || x.fenced || x.core->outside())
    return step::go;
  if (!x.zone_known)
    return step::again;
  if (x.alone)
    return x.awaited ? step::stuck : step::go;
  auto leader = x.core->leader().node;
  if (x.leads || (!leader.null() && leader != x.core->self().node)) {
    leaderless_since_.reset();
    return x.leads ? step::judge : step::ask;
  }
  if (!leaderless_since_)
    leaderless_since_ = now;
  if (now - *leaderless_since_ <= leader_patience)
    return step::again;
  return x.core->members().has(x.core->self()) ? step::stuck : step::go;
}

leaving::step leaving::on(departure x) {
  leaderless_since_.reset();
  return x == departure_free ? step::go : x == departure_stuck ? step::stuck : step::again;
}

leaving::step leaving::on(const group_reply& x) {
  return on(x.what_case() == group_reply::kLeaving ? x.leaving() : departure_under_way);
}

/// Alone, what is kept here stays here, as it does when the node stops.
void leaving::look::see(const std::vector<resident>& zone, const node_id& self) {
  alone = true;
  for (const auto& x : zone) {
    auto up = x.state == member_alive || x.state == member_suspect;
    alone = alone && (x.id == self || !up);
    awaited = awaited || (x.id != self && x.admitted);
  }
}

bool another_stays(const consensus::core& core, const std::vector<resident>& zone) {
  const auto& voters = core.members().voters;
  return std::any_of(voters.begin(), voters.end(), [&](const consensus::member_id& who) {
    return who != core.self() && std::any_of(zone.begin(), zone.end(), [&](const resident& x) {
             auto up = x.state == member_alive || x.state == member_suspect;
             return x.id == who.node && up && !x.draining && !x.lost_journal_of(who);
           });
  });
}

group_request leave_request(group_id group, const consensus::member_id& who) {
  group_request result;
  result.set_group(value(group));
  result.mutable_leave()->set_node(who.node.bytes());
  result.mutable_leave()->set_journal(who.journal.bytes());
  return result;
}

consensus::member_id who_leaves(const group_request& x) {
  return {node_id::from_bytes(x.leave().node()),
          consensus::journal_id::from_bytes(x.leave().journal())};
}

} // namespace legion::group
