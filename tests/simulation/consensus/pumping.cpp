#include <algorithm>
#include <cstdio>
#include <cstring>

#include "actors/consensus/wire.hpp"
#include "tests/simulation/consensus/cluster.hpp"

namespace legion::proof {

using namespace consensus;

void cluster::pump(std::size_t i) {
  auto& n = nodes_[i];
  do {
    auto w = n.rules->take_work(clock(i));
    do_work(i, w);
  } while (n.up && n.rules->has_work());
  if (!n.up)
    return;
  watch(i);
  begin_sync(i);
  if (n.applied - n.snapshot_at >= snapshot_every_)
    take_snapshot(i);
  arm(i);
}

/// What the checkers want to see after each of a node's steps.
void cluster::watch(std::size_t i) {
  auto& n = nodes_[i];
  auto commit = n.rules->commit();
  check_.commits(n.who, n.commit, commit);
  n.commit = commit;
  bool leads = n.rules->role() == role::leader;
  if (leads && (!n.led || n.led_term != n.rules->term())) {
    check_.leads(n.who, n.rules->term(), n.disk);
    ++counts_.elections;
    note(n.rules->term() * 1000 + i);
    n.led_term = n.rules->term();
    if (!calm_ && chance(strikes_)) // a young leader
      later(between(1, chance(0.5) ? 3'000 : 20'000), {kind::strike, i, n.life, 0, {}});
    if (setting_.trace)
      std::fprintf(stderr, "%10ld step %lu: %c leads in term %lu\n", now_, step_,
                   static_cast<char>('A' + i), n.led_term);
  }
  n.led = leads;
}

void cluster::do_work(std::size_t i, work& w) {
  auto& n = nodes_[i];
  for (const auto& what : w.alarms)
    if (!n.fenced && !w.fenced)
      check_.fail("alarm: " + std::string{1, static_cast<char>('A' + i)} + " says: " + what);
  if (w.fenced)
    n.disk.append_fence();
  if (w.write) {
    auto sequence = w.write->sequence;
    // Entries only: a vote that is not synced is a fault of its own.
    bool answered = setting_.broken == seeded::answered_before_sync && !w.write->entries.empty()
                    && !w.write->installed && w.write->ballot == n.disk.ballot;
    n.disk.append(std::move(*w.write));
    if (answered)
      n.rules->on_written(sequence, clock(i));
    bool young = n.rules->role() == role::leader && !n.led; // its first entry: on its disk only
    if (!calm_ && chance(young ? strikes_ / 2 : crash_at_write_))
      return crash(i, true, young && chance(0.5));
  }
  for (auto& m : w.messages) {
    auto* vote = std::get_if<vote_reply>(&m.body);
    if (vote && vote->granted && !vote->trial && !calm_ && chance(strikes_)) // who has just voted
      later(between(1, 2'000), {kind::strike, i, n.life, 0, {}});
    if (numbers_ % 8 == 0) // some as they really travel
      m = from_wire(to_wire(m), m.from, m.to).value();
    auto to = index_of(m.to.node);
    transmit(i, to, {kind::message, to, 0, i, std::move(m)});
  }
  if (!calm_ && !w.messages.empty()
      && chance(crash_at_send_)) // said, and forgotten as far as may be
    return crash(i, true);
  if (w.restore) {
    check_.restores(n.who, w.restore->head);
    std::memcpy(&n.state, w.restore->state->data(), sizeof(machine));
    n.applied = n.snapshot_at = w.restore->head.index;
    n.rules->on_applied(n.applied);
    n.proposals.clear();
    ++counts_.snapshots;
  }
  for (const auto& x : w.committed)
    apply(i, x);
  if (!w.committed.empty())
    n.rules->on_applied(n.applied);
  for (const auto& grant : w.reads)
    for (auto& r : n.reads)
      if (r.number == grant.read) {
        r.granted = true;
        r.index = grant.index;
      }
  answer_reads(i);
  for (auto refused : w.refused_reads)
    std::erase_if(n.reads, [&](const pending_read& r) { return r.number == refused; });
  if (w.wants_snapshot)
    n.rules->offer_snapshot({n.rules->head_at(n.applied),
                             std::make_shared<const std::string>(
                                 reinterpret_cast<const char*>(&n.state), sizeof(machine))});
  counts_.readmissions += w.readmissions.size();
  if (w.fenced && !std::exchange(n.fenced, true)) {
    if (setting_.broken == seeded::nothing) // only a disk that a node lies about loses anything
      check_.fail(std::string{"honesty: a member that forgot nothing is taken for one that did: "}
                  + static_cast<char>('A' + i));
    ++counts_.fences;
    later(between(100'000, 1'000'000),
          {kind::new_journal, i, static_cast<std::uint64_t>(n.journals), 0, {}});
  }
  if (w.removed != 0)
    return bury(i, w.removed);
  if (w.changed) {
    std::vector<node_id> members;
    for (const auto& who : n.rules->members().all())
      members.push_back(who.node);
    perform(i, n.heart->describe(group_id{0}, n.rules->beat(), members, clock(i)));
  }
}

/// Out of the group: a tombstone takes the log's place; the ballot stays.
void cluster::bury(std::size_t i, log_index at) {
  auto& n = nodes_[i];
  n.disk.bury(at);
  ++n.life;
  boot(i);
}

void cluster::apply(std::size_t i, const entry_ref& x) {
  auto& n = nodes_[i];
  check_.hands_out(n.who, x);
  n.applied = x->index;
  if (x->index == check_.last()) {
    ++counts_.commits;
    note(x->index ^ (x->term << 32));
  }
  command c;
  bool is_command = x->kind == entry_kind::data && x->data.size() == sizeof(command);
  if (is_command) {
    std::memcpy(&c, x->data.data(), sizeof(command));
    if (n.state.done[c.client] < c.number || setting_.broken == seeded::applied_twice) {
      n.state.done[c.client] = c.number;
      n.state.values[c.key] = c.value;
      check_.takes_effect((std::uint64_t{c.client} << 32) | c.number, x->index);
    }
  }
  // At its place stands what was proposed here, or something else: then nobody can say.
  std::erase_if(n.proposals, [&](const pending& p) {
    if (p.index != x->index)
      return p.index < x->index;
    if (p.term == x->term)
      reply({p.what.client, p.attempt, true, p.what}, true, 0, i);
    return true;
  });
}

void cluster::answer_reads(std::size_t i) {
  auto& n = nodes_[i];
  std::erase_if(n.reads, [&](const pending_read& r) {
    if (!r.granted || r.index > n.applied)
      return false;
    reply({r.client, r.attempt, false, {}}, true, n.state.values[r.key], i);
    return true;
  });
}

void cluster::begin_sync(std::size_t i) {
  auto& d = nodes_[i].disk;
  if (d.syncing != 0 || d.unsynced.empty())
    return;
  d.syncing = d.unsynced.size();
  later(chance(0.05) ? between(100, 10 * slow_sync_) : between(50, slow_sync_),
        {kind::synced, i, nodes_[i].life, 0, {}});
}

void cluster::end_sync(std::size_t i) {
  auto& n = nodes_[i];
  if (!n.disk.write_files())
    return crash(i, true);
  std::uint64_t sequence = 0;
  log_index compact_to = 0;
  for (; n.disk.syncing > 0; --n.disk.syncing) {
    auto& next = n.disk.unsynced.front().what;
    if (auto* x = std::get_if<consensus::write>(&next))
      sequence = x->sequence;
    else if (auto* own = std::get_if<keep_snapshot>(&next))
      compact_to = own->compact_to;
    n.disk.sync_one();
  }
  if (!calm_ && chance(crash_at_write_)) // durable, and nobody was told
    return crash(i, true);
  if (sequence != 0)
    n.rules->on_written(sequence, clock(i));
  if (compact_to != 0)
    n.rules->compact(compact_to);
}

void cluster::take_snapshot(std::size_t i) {
  auto& n = nodes_[i];
  keep_snapshot x;
  x.what = {n.rules->head_at(n.applied),
            std::make_shared<const std::string>(reinterpret_cast<const char*>(&n.state),
                                                sizeof(machine))};
  auto kept = std::min<log_index>(n.applied, random_() % 20);
  x.compact_to = n.applied - kept;
  n.snapshot_at = n.applied;
  n.disk.append(std::move(x));
  begin_sync(i);
}

void cluster::perform(std::size_t i, beats::effects all) {
  auto& n = nodes_[i];
  auto now = clock(i);
  for (auto& x : all) {
    if (auto* beat = std::get_if<beats::send_beat>(&x)) {
      auto to = index_of(beat->to);
      transmit(i, to, {kind::beat, to, 0, i, std::move(beat->what)});
    } else if (auto* told = std::get_if<beats::tell_beat>(&x)) {
      n.rules->on_beat(told->from, told->what, now);
    } else if (auto* silent = std::get_if<beats::tell_silence>(&x)) {
      n.rules->on_silence(silent->node, silent->since, now);
    } else if (auto* refused = std::get_if<beats::tell_refused>(&x)) {
      n.rules->on_refused(refused->node, now);
    }
  }
}

void cluster::transmit(std::size_t from, std::size_t to, event x) {
  if (cut_[from][to] || (!calm_ && chance(loss_)))
    return;
  auto delay = [&] {
    return !calm_ && chance(late_) ? between(1'000, wild_ ? 30'000 : 1'000'000)
                                   : between(100, 5'000);
  };
  if (!calm_ && chance(twice_))
    later(delay(), x);
  later(delay(), std::move(x));
}

} // namespace legion::proof
