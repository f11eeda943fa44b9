#include "tests/simulation/consensus/cluster.hpp"

#include <algorithm>
#include <cstdio>

namespace legion::proof {

using namespace consensus;

const char* to_string(seeded x) {
  constexpr const char* names[] = {"nothing",
                                   "vote not persisted",
                                   "term not persisted",
                                   "old-term commit by counting",
                                   "no no-op",
                                   "no log check on vote",
                                   "append answered before it is synced",
                                   "commit index moved back",
                                   "snapshot installed over a longer log",
                                   "membership change before the no-op",
                                   "read served by a deposed leader",
                                   "quorum counted with a removed member",
                                   "a wiped member voting",
                                   "a duplicate proposal applied twice",
                                   "the journal answers before it is synced"};
  static_assert(std::size(names) == seeded_kinds);
  return names[static_cast<std::size_t>(x)];
}

namespace {

rule broken_in_core(seeded x) {
  switch (x) {
    case seeded::old_term_counted:
      return rule::own_term_only;
    case seeded::no_noop:
      return rule::noop_first;
    case seeded::commit_moved_back:
      return rule::commit_forward;
    case seeded::snapshot_over_longer_log:
      return rule::longer_log_stays;
    case seeded::change_before_noop:
      return rule::change_after_noop;
    case seeded::unconfirmed_read:
      return rule::read_after_round;
    case seeded::removed_member_counted:
      return rule::only_members_count;
    default:
      return rule::none;
  }
}

member_id member_of(std::size_t node, int journal) {
  std::string id(16, '\0');
  id[0] = static_cast<char>(node);
  id[15] = 1; // not the null id
  std::string kept(16, '\0');
  kept[0] = static_cast<char>(journal);
  return {node_id::from_bytes(id), journal_id::from_bytes(kept)};
}

} // namespace

cluster::cluster(setting x) : setting_(x), random_(x.seed * 0x9e3779b97f4a7c15 + 1) {
  auto count = static_cast<std::size_t>(between(3, 7));
  // Each seed has a temper of its own, from calm to wild.
  loss_ = chance(0.3) ? 0 : 0.2 * static_cast<double>(random_() % 100) / 100;
  twice_ = chance(0.5) ? 0 : 0.1;
  late_ = chance(0.5) ? 0 : 0.05;
  crash_at_write_ = chance(0.5) ? 0 : 0.005;
  chaos_every_ = between(100'000, 2'000'000);
  admin_every_ = between(200'000, 3'000'000);
  think_ = between(1'000, 50'000);
  slow_sync_ = between(500, 20'000);
  snapshot_every_ = static_cast<std::uint64_t>(between(10, 100));
  tuned_.election_timeout = milliseconds{between(200, 600)};
  tuned_.chunk_bytes = static_cast<std::size_t>(between(8, 32));
  tuned_.append_entries = static_cast<std::size_t>(between(1, 20));
  tuned_.window_messages = static_cast<std::size_t>(between(1, 8));
  wild_ = chance(0.3) || x.wild;
  if (wild_) {
    chaos_every_ = between(10'000, 100'000);
    late_ = twice_ = 0.3;
    crash_at_write_ = crash_at_send_ = 0.02 * static_cast<double>(random_() % 100) / 100;
    strikes_ = 0.05 + 0.5 * static_cast<double>(random_() % 100) / 100;
    tuned_.prompt_pause = milliseconds{between(1, 10)};
    tuned_.election_timeout = milliseconds{between(50, 200)};
    think_ = between(5'000, 200'000);
    if (chance(0.7))
      tuned_.append_entries = tuned_.window_messages = 1;
  }
  tuned_.broken = broken_in_core(x.broken);
  if (x.broken == seeded::journal_not_synced)
    setting_.sqlite = true;
  if (setting_.sqlite)
    seed_sqlite(x.seed);
  cut_.assign(count, std::vector<bool>(count, false));
  nodes_.resize(count);
  std::vector<member_id> founders;
  auto voters = std::min<std::size_t>(count, 1 + 2 * (random_() % 3));
  for (std::size_t i = 0; i < count; ++i) {
    auto& n = nodes_[i];
    n.who = member_of(i, n.journals = 1);
    n.disk = new_disk();
    n.rate = chance(0.5) ? 1 : 0.7 + 0.6 * static_cast<double>(random_() % 100) / 100;
    n.offset = between(0, 1'000'000'000);
    if (i < voters)
      founders.push_back(n.who);
  }
  auto head = founded_by(founders);
  check_.found(head);
  for (std::size_t i = 0; i < count; ++i) {
    if (i < voters)
      nodes_[i].disk.found(founders);
    boot(i);
  }
  clients_.resize(machine::clients);
  for (std::uint32_t c = 0; c < machine::clients; ++c)
    later(between(0, think_), {kind::client_begin, 0, 0, c, {}});
  later(chaos_every_, {kind::chaos, 0, 0, 0, {}});
  later(admin_every_, {kind::admin, 0, 0, 0, {}});
}

void cluster::later(std::int64_t after, event x) {
  std::uint32_t slot;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.push_back(std::move(x));
  } else {
    slot = free_.back();
    free_.pop_back();
    slots_[slot] = std::move(x);
  }
  queue_.push({now_ + after, ++numbers_, slot});
}

bool cluster::step() {
  if (queue_.empty())
    return false;
  auto next = queue_.top();
  queue_.pop();
  now_ = next.at;
  ++step_;
  event x = std::move(slots_[next.slot]);
  free_.push_back(next.slot);
  handle(x);
  if (step_ % 32 == 0) {
    auto pair = step_ / 32 % (nodes_.size() * nodes_.size());
    check_.logs_match(nodes_[pair / nodes_.size()].disk, nodes_[pair % nodes_.size()].disk);
  }
  return check_.broken.empty();
}

std::string cluster::run() {
  while (step_ < setting_.steps)
    if (!step())
      break;
  troubled_ = step_;
  if (check_.broken.empty())
    check_.linearizes(history_);
  if (check_.broken.empty() && setting_.broken == seeded::nothing) {
    check_.fail(come_to_rest()); // a fault is to be seen by what it destroys
    check_.linearizes(history_);
  }
  return check_.broken;
}

cluster::counts cluster::counted() const {
  auto all = counts_;
  for (const auto& n : nodes_)
    if (n.disk.files())
      all.journals += n.disk.files()->counted();
  return all;
}

time_point cluster::clock(std::size_t i) const {
  const auto& n = nodes_[i];
  auto local = n.offset + static_cast<std::int64_t>(static_cast<double>(now_) * n.rate);
  return time_point{} + std::chrono::microseconds{local};
}

/// One event for the earlier of what the core and the beats want.
void cluster::arm(std::size_t i) {
  auto& n = nodes_[i];
  auto wake = std::min(n.rules->wake_at(), n.heart->wake_at());
  if (wake == time_point::max())
    return;
  auto local = std::chrono::duration_cast<std::chrono::microseconds>(wake - clock(i)).count() + 1;
  auto after =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(local) / n.rate) + 1);
  if (n.armed >= now_ && n.armed <= now_ + after)
    return;
  n.armed = now_ + after;
  later(after, {kind::wake, i, ++n.arming, 0, {}});
}

model_disk cluster::new_disk() {
  return setting_.sqlite ? model_disk{std::make_shared<real_journal>(random_())} : model_disk{};
}

void cluster::boot(std::size_t i) {
  auto& n = nodes_[i];
  ++n.start;
  n.up = true;
  n.stopped_until = 0;
  core::setting s;
  s.self = n.who;
  s.start = n.start;
  s.seed = random_();
  s.may_vote = !n.fenced;
  consensus::log_records::kept kept;
  if (auto read = n.disk.open())
    kept = std::move(*read);
  else
    check_.fail("journal: that of " + std::string{1, static_cast<char>('A' + i)} + ": "
                + read.why().detail);
  if (kept.fenced && !n.fenced)
    check_.fail("fence: one was lifted");
  if (setting_.broken == seeded::journal_not_synced)
    n.disk.files()->lie();
  if (setting_.sqlite && !calm_)
    n.disk.files()->stop_some_time();
  s.removed_at = kept.removed_at;
  s.tuned = tuned_;
  s.ballot = kept.ballot;
  if (setting_.broken == seeded::vote_forgotten)
    s.ballot.vote = {};
  if (setting_.broken == seeded::term_forgotten)
    s.ballot = {n.disk.entries.empty() ? n.disk.kept.head.term : n.disk.entries.back()->term, {}};
  n.state = {};
  if (kept.state.size() == sizeof(machine))
    std::memcpy(&n.state, kept.state.data(), sizeof(machine));
  n.applied = n.snapshot_at = n.commit = kept.head.index;
  s.head = std::move(kept.head);
  s.entries = std::move(kept.entries);
  n.led = false;
  n.proposals.clear();
  n.reads.clear();
  n.armed = -1;
  n.pumping = false;
  n.rules = std::make_unique<core>(std::move(s), clock(i));
  n.heart = std::make_unique<beats>(
      beats::setting{n.who, n.start, milliseconds{100}, tuned_.election_timeout});
  pump(i);
}

/// At any instant: of what was not synced yet, any number of the first writes may be there.
void cluster::crash(std::size_t i, bool restarts, bool soon) {
  auto& n = nodes_[i];
  if (!n.up)
    return;
  ++counts_.crashes;
  n.up = false;
  ++n.life;
  n.disk.crash(random_);
  for (std::size_t k = 0; k < nodes_.size(); ++k)
    if (k != i && chance(0.5) && !cut_[k][i])
      later(between(100, 5'000), {kind::refused, k, nodes_[k].life, i, {}});
  if (restarts)
    later(soon                   ? between(100, 3'000)
          : wild_ || chance(0.5) ? between(1'000, wild_ ? 30'000 : 100'000)
                                 : between(100'000, 5'000'000),
          {kind::restart, i, n.life, 0, {}});
}

/// What a node's process does, and does later if that is stopped.
bool cluster::takes_process(kind x) {
  switch (x) {
    case kind::message:
    case kind::beat:
    case kind::refused:
    case kind::wake:
    case kind::pump:
    case kind::synced:
    case kind::ask:
      return true;
    default:
      return false;
  }
}

void cluster::handle(event& x) {
  auto& n = nodes_[x.node];
  if (n.up && !acts(n) && takes_process(x.what))
    return later(n.stopped_until - now_ + between(0, 1'000), std::move(x)); // in any order
  switch (x.what) {
    case kind::message:
      if (!n.up)
        return;
      if (auto* m = std::get_if<message>(&x.body)) {
        if (auto* vote = std::get_if<vote_request>(&m->body);
            vote && setting_.broken == seeded::no_log_check)
          vote->last_term = vote->last_index = ~std::uint64_t{0};
        n.rules->on_message(std::move(*m), clock(x.node));
      }
      break;
    case kind::beat:
      if (!n.up)
        return;
      perform(x.node, n.heart->on_beat(nodes_[x.from].who.node, std::get<consensus_beat>(x.body),
                                       clock(x.node)));
      break;
    case kind::refused:
      if (!n.up || x.life != n.life || nodes_[x.from].up)
        return;
      perform(x.node, n.heart->on_refused(nodes_[x.from].who.node, clock(x.node)));
      break;
    case kind::wake:
      if (!n.up || x.life != n.arming)
        return;
      n.armed = -1;
      perform(x.node, n.heart->on_tick(clock(x.node)));
      n.rules->on_tick(clock(x.node));
      break;
    case kind::pump:
      if (!n.up || x.life != n.life)
        return;
      n.pumping = false;
      return pump(x.node);
    case kind::synced:
      if (!n.up || x.life != n.life)
        return;
      end_sync(x.node);
      break;
    case kind::strike:
      if (!calm_ && x.life == n.life)
        crash(x.node, true, chance(0.5));
      return;
    case kind::restart:
      if (n.up || x.life != n.life)
        return;
      return boot(x.node);
    case kind::ask:
      if (!n.up)
        return;
      on_asked(x.node, std::get<asked>(x.body));
      break;
    case kind::answer:
      return on_answered(std::get<answered>(x.body));
    case kind::client_timeout:
      if (auto& c = clients_[x.from]; c.busy && c.attempt == x.life) {
        c.ask = random_() % nodes_.size();
        client_asks(static_cast<std::uint32_t>(x.from));
      }
      return;
    case kind::client_begin:
      return client_begins(static_cast<std::uint32_t>(x.from));
    case kind::chaos:
      return chaos();
    case kind::admin:
      return admin();
    case kind::heal:
      for (auto& row : cut_)
        row.assign(row.size(), false);
      return;
    case kind::cut_off:
      if (!calm_)
        cut_off(x.node, 0);
      return;
    case kind::new_journal:
      if (n.fenced && x.life == static_cast<std::uint64_t>(n.journals))
        wipe(x.node);
      return;
  }
  if (!n.up) // it crashed meanwhile
    return;
  if (chance(0.3)) { // more inputs before its work is taken
    if (!std::exchange(n.pumping, true))
      later(between(1, 1'000), {kind::pump, x.node, n.life, 0, {}});
  } else {
    pump(x.node);
  }
}

} // namespace legion::proof
