#include <algorithm>
#include <cstdio>

#include "tests/simulation/consensus/cluster.hpp"

namespace legion::proof {

using namespace consensus;

void cluster::chaos() {
  if (calm_)
    return;
  later(between(1'000, 2 * chaos_every_), {kind::chaos, 0, 0, 0, {}});
  auto i = random_() % nodes_.size();
  auto& n = nodes_[i];
  auto what = random_() % 11;
  if (wild_ && (what == 7 || what == 8) && chance(0.9))
    return; // disks are mostly left alone there: it is about elections
  switch (what) {
    case 0:
    case 1:
    case 2:
      return crash(i, true);
    case 3: // the leader
      for (std::size_t k = 0; k < nodes_.size(); ++k)
        if (nodes_[k].up && nodes_[k].rules->role() == role::leader)
          crash(k, true);
      return;
    case 4:
    case 5:
      return partition();
    case 6: // a clock that jumps, or a process that is stopped for a while
      if (chance(0.7))
        n.offset += between(0, 5'000'000);
      else
        stop(i);
      return;
    case 7:
      if (may_damage(i))
        wipe(i);
      return;
    case 8:
      if (!n.copy || chance(0.3))
        n.copy = n.disk.durable();
      else if (may_damage(i))
        restore(i);
      return;
    case 9:
      return send_snapshot_unasked();
    default:
      return hand_over(chance(0.5) ? leader_or(i) : i);
  }
}

std::size_t cluster::leader_or(std::size_t i) const {
  for (std::size_t k = 0; k < nodes_.size(); ++k)
    if (acts(nodes_[k]) && nodes_[k].rules->role() == role::leader)
      return k;
  return i;
}

/// Sometimes it is cut off before it hears that another leads.
void cluster::hand_over(std::size_t i) {
  auto& n = nodes_[i];
  if (!acts(n) || n.rules->role() != role::leader)
    return;
  const auto& voters = n.rules->members().voters;
  (void)n.rules->transfer(voters[random_() % voters.size()], clock(i));
  if (chance(0.2))
    n.rules->abstain(chance(0.5), clock(i));
  if (chance(0.3))
    later(between(100, 5'000), {kind::cut_off, i, 0, 0, {}});
  pump(i);
}

/// Its process does nothing for a while, and its clock goes on. If that was the leader,
/// nobody may tell it at once that it was replaced.
void cluster::stop(std::size_t i) {
  if (chance(0.5))
    i = leader_or(i);
  auto time = between(1'000, wild_ ? 300'000 : 5'000'000);
  nodes_[i].stopped_until = now_ + time;
  if (chance(0.5))
    cut_off(i, time);
}

/// Nobody but clients hears of it, nor it of anybody, for a little longer than this.
void cluster::cut_off(std::size_t i, std::int64_t time) {
  for (std::size_t k = 0; k < nodes_.size(); ++k)
    cut_[i][k] = cut_[k][i] = k != i;
  later(time + between(1'000, 300'000), {kind::heal, 0, 0, 0, {}});
}

/// Some nodes can't reach others, one way or both.
void cluster::partition() {
  ++counts_.partitions;
  auto sides = random_();
  bool one_way = chance(0.3);
  for (std::size_t a = 0; a < nodes_.size(); ++a)
    for (std::size_t b = 0; b < nodes_.size(); ++b) {
      bool left = (sides >> a) & 1;
      bool right = (sides >> b) & 1;
      cut_[a][b] = left != right && (!one_way || left);
    }
  later(between(100'000, 3'000'000), {kind::heal, 0, 0, 0, {}});
}

/// A leader may send its state at any time, also to those who have more than that in their logs.
void cluster::send_snapshot_unasked() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    auto& n = nodes_[i];
    if (!acts(n) || n.rules->role() != role::leader)
      continue;
    snapshot_chunk x;
    x.head = std::make_shared<const snapshot_head>(n.rules->head_at(n.applied));
    x.size = sizeof(machine);
    x.data.assign(reinterpret_cast<const char*>(&n.state), sizeof(machine));
    for (const auto& who : n.rules->members().all())
      if (auto to = index_of(who.node); to != i)
        transmit(i, to, {kind::message, to, 0, i, message{n.who, who, n.rules->term(), x}});
  }
}

bool cluster::damaged(const member_id& x) const {
  const auto& n = nodes_[index_of(x.node)];
  return n.who != x || n.fenced;
}

/// As much damage as a group must bear: one voter's disk, the others whole, no change under way.
bool cluster::may_damage(std::size_t i) const {
  if (nodes_[i].fenced)
    return false;
  const auto& members = check_.members();
  for (const auto& n : nodes_) {
    auto newest = n.disk.newest_members();
    if (newest.members_index > check_.members_index()
        || (n.up && n.rules->members() != members && n.rules->members().has(n.who)
            && n.rules->describe({}).members_index > check_.members_index()))
      return false;
  }
  if (members.joint() || (members.votes(nodes_[i].who) && members.voters.size() < 3))
    return false;
  return std::none_of(members.voters.begin(), members.voters.end(),
                      [&](const member_id& x) { return damaged(x); });
}

void cluster::drop_disk(std::size_t i) {
  if (auto& files = nodes_[i].disk.files())
    counts_.journals += files->counted();
}

/// Another disk: the node is another member now, unless it lies.
void cluster::wipe(std::size_t i) {
  ++counts_.wipes;
  auto& n = nodes_[i];
  crash(i, false);
  ++n.life;
  drop_disk(i);
  n.disk = new_disk();
  n.copy.reset();
  n.fenced = false;
  if (setting_.broken != seeded::wiped_member_votes) {
    ++n.journals;
    auto kept = n.who.journal.bytes();
    kept[0] = static_cast<char>(n.journals);
    n.who.journal = journal_id::from_bytes(kept);
  }
  later(between(1'000, 500'000), {kind::restart, i, n.life, 0, {}});
}

/// An old copy of its disk: it knows that, votes nowhere, and gets a new journal in time.
void cluster::restore(std::size_t i) {
  ++counts_.restores;
  auto& n = nodes_[i];
  crash(i, false);
  drop_disk(i);
  n.disk = n.copy->durable();
  n.fenced = true;
  later(between(1'000, 500'000), {kind::restart, i, n.life, 0, {}});
  later(between(600'000, 3'000'000),
        {kind::new_journal, i, static_cast<std::uint64_t>(n.journals), 0, {}});
}

/// Whoever looks after the group: damaged members are replaced through learners; else members come
/// and go at random.
void cluster::admin() {
  later(calm_ ? 200'000 : between(1'000, 2 * admin_every_), {kind::admin, 0, 0, 0, {}});
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    auto& n = nodes_[i];
    if (!acts(n) || n.rules->role() != role::leader)
      continue;
    auto target = wanted(n.rules->describe(clock(i)));
    if (!target || !n.rules->propose_change(*target, clock(i)))
      continue;
    ++counts_.changes;
    if (setting_.broken != seeded::no_noop) // or nothing would be destroyed before it is seen
      check_.begins_change(*n.rules);
    pump(i);
  }
}

std::optional<configuration> cluster::wanted(const core::status& s) {
  auto x = s.members;
  x.outgoing.clear();
  auto in = [](const std::vector<member_id>& all, const member_id& who) {
    return std::find(all.begin(), all.end(), who) != all.end();
  };
  auto ready = [&](const member_id& who) {
    return std::any_of(s.followers.begin(), s.followers.end(),
                       [&](const auto& f) { return f.who == who && f.caught_up && f.heard; });
  };
  for (const auto& was : s.members.all()) {
    if (!damaged(was))
      continue;
    const auto& n = nodes_[index_of(was.node)];
    if (n.fenced)
      return std::nullopt; // a new journal comes first
    if (in(x.learners, was)) {
      std::erase(x.learners, was);
    } else if (!in(x.learners, n.who)) {
      x.learners.push_back(n.who);
    } else if (ready(n.who)) {
      std::erase(x.learners, n.who);
      std::erase(x.voters, was);
      x.voters.push_back(n.who);
    } else {
      return std::nullopt;
    }
    return in_order(x);
  }
  if (calm_)
    return std::nullopt;
  auto who = nodes_[random_() % nodes_.size()].who;
  if (damaged(who))
    return std::nullopt;
  if (!x.has(who)) {
    x.learners.push_back(who);
  } else if (in(x.learners, who)) {
    std::erase(x.learners, who);
    if (ready(who) && chance(0.9)) {
      if (x.voters.size() > 1 && chance(0.5))
        x.voters.erase(x.voters.begin() + static_cast<std::ptrdiff_t>(random_() % x.voters.size()));
      x.voters.push_back(who);
    }
  } else if (x.voters.size() > 3 || (x.voters.size() > 1 && chance(0.2))) {
    std::erase(x.voters, who);
    if (chance(0.3))
      x.learners.push_back(who);
  }
  return in_order(x);
}

/// No more faults: within a minute all are mended, all is answered, all are of one mind.
std::string cluster::come_to_rest() {
  calm_ = true;
  for (auto& row : cut_)
    row.assign(row.size(), false);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (auto& files = nodes_[i].disk.files())
      files->go_on();
    if (!nodes_[i].up) {
      ++nodes_[i].life;
      boot(i);
    }
    nodes_[i].stopped_until = 0;
    nodes_[i].rules->abstain(false, clock(i));
    pump(i);
  }
  auto end = now_ + 60'000'000;
  auto answered = counts_.writes + counts_.reads;
  auto at_rest = [&] {
    if (counts_.writes + counts_.reads < answered + 50)
      return false;
    for (const auto& x : check_.members().all())
      if (damaged(x) || !nodes_[index_of(x.node)].up
          || nodes_[index_of(x.node)].applied + 200 < check_.last())
        return false;
    return true;
  };
  while (now_ < end && check_.broken.empty()) {
    for (int k = 0; k < 100; ++k)
      if (!step())
        return check_.broken.empty() ? "rest: nothing happens any more" : check_.broken;
    if (at_rest())
      return {};
  }
  if (!check_.broken.empty())
    return check_.broken;
  std::string who;
  for (const auto& n : nodes_)
    who += " " + std::string{1, static_cast<char>('A' + index_of(n.who.node))} + ":"
           + std::to_string(static_cast<int>(n.rules->role())) + "/" + std::to_string(n.applied)
           + (n.fenced ? "f" : "") + (check_.members().votes(n.who) ? "v" : "")
           + (check_.members().has(n.who) ? "m" : "") + (damaged(n.who) ? "d" : "")
           + (n.disk.removed_at ? "r" + std::to_string(n.disk.removed_at) : "");
  who += " last " + std::to_string(check_.last()) + " members at "
         + std::to_string(check_.members_index());
  return "rest: a minute after the last fault not all is mended:" + who;
}

} // namespace legion::proof
