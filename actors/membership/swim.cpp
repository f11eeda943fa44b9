#include "actors/membership/swim.hpp"

#include <algorithm>

/// The outer shape of the rules: time comes in, what is due is done, and the next wake-up is known.
///
/// Each input first asks whether this process stood still (SIGSTOP, a paused machine, a starved
/// core). If it did, silence proves nothing about the others: probes under way are dropped,
/// suspicions wait that much longer, and the others are asked at once what they think of us.

namespace legion::membership {

swim::swim(setting x, time_point now)
    : tuned_(x.tuned), self_(node_id::from_bytes(x.self.id())), cluster_(std::move(x.cluster)),
      random_(x.seed), records_(std::move(x.records)), health_(x.tuned.worst_health),
      contacts_(std::move(x.contacts)), may_be_old_(x.may_be_old), rows_found_(x.rows_found),
      rows_heard_(std::move(x.rows_heard)), join_backoff_(x.tuned.join_backoff_first),
      seek_pause_(x.tuned.seek_first) {
  if (!records_)
    records_ = std::make_shared<record_pool>();
  if (x.self.version() == 0)
    x.self.set_version(1);
  entry e;
  e.start = start_number{x.self.start()};
  e.record = records_->keep(x.self);
  e.changed = now;
  table_.add(std::move(e));
}

effects swim::start(time_point now) {
  started_ = true;
  auto jitter = [&](milliseconds x) {
    return milliseconds{static_cast<milliseconds::rep>(
        random_() % static_cast<std::uint64_t>(std::max<milliseconds::rep>(1, x.count())))};
  };
  next_probe_ = now + jitter(tuned_.probe_interval);
  next_exchange_ = now + jitter(tuned_.exchange_interval);
  next_dead_probe_ = now + jitter(tuned_.dead_probe_interval);
  next_gossip_ = now;
  next_wanted_exchange_ = now;
  next_join_ = now;
  joining_ = !contacts_.empty();
  if (!cluster_.empty()) {
    out_.push_back(know_cluster{cluster_});
  } else if (!joining_) {
    for (auto i = 0; i < 2; ++i)
      for (auto word = random_(), k = std::uint64_t{0}; k < 8; ++k)
        cluster_ += static_cast<char>(word >> (8 * k));
    out_.push_back(know_cluster{cluster_});
  }
  tell(me());
  if (joining_ && may_be_old_) {
    ask_many(now);
    return done(now);
  }
  if (joining_)
    try_join(now);
  certain_from_ = joining_ ? now + journal_trial::certain_after : now;
  out_.push_back(trust_journal{});
  return done(now);
}

void swim::awake(time_point now) {
  auto due = wake_at();
  if (!started_ || now <= due + tuned_.pause)
    return;
  auto lag = now - due;
  probes_.clear();
  relays_.clear();
  for (auto& e : table_.all())
    if (e.doubt)
      e.doubt->postpone(lag);
  if (trial_)
    trial_->postpone(lag);
  certain_from_ = std::max(certain_from_, now + journal_trial::certain_after);
  health_.worsen(2);
  next_probe_ = now;
  next_gossip_ = now;
  for (auto& id : some_living(tuned_.fanout, {}))
    ping(id, 0);
  for (auto& id : some_living(1, {}))
    exchange(id);
}

effects swim::on_tick(time_point now) {
  awake(now);
  run_probes(now);
  run_suspicions(now);
  if (now >= next_probe_) {
    next_probe_ = now + health_.stretch(tuned_.probe_interval);
    begin_routine(now);
  }
  if (now >= next_exchange_) {
    next_exchange_ = now + tuned_.exchange_interval;
    for (auto& id : some_living(1, {}))
      exchange(id);
  }
  ping_dead(now);
  if (joining_ && !trial_ && !join_asked_ && now >= next_join_)
    try_join(now);
  if (!joining_ && !trial_ && !join_asked_ && now >= next_seek_)
    seek(now);
  return done(now);
}

effects swim::done(time_point now) {
  run_trial(now);
  begin_urgent(now);
  if (news_.pressing() && now >= next_gossip_)
    gossip(now);
  return std::exchange(out_, {});
}

effects swim::on_packet(const swim_packet& x, time_point now) {
  auto from = node_id::from_bytes(x.from());
  if (from.null() || from == self_ || cluster_.empty())
    return {};
  awake(now);
  for (auto& update : x.updates())
    apply(update, from, false, now);
  if (!table_.find(from))
    exchange_wanted(from, now);
  switch (x.what_case()) {
    case swim_packet::kPing:
      on_ping(from, x.ping());
      break;
    case swim_packet::kAck:
      on_ack(x.ack().sequence());
      break;
    case swim_packet::kNack:
      on_nack(x.nack().sequence());
      break;
    case swim_packet::kPingRequest:
      on_ping_request(from, x.ping_request(), now);
      break;
    case swim_packet::WHAT_NOT_SET:
      break;
  }
  return done(now);
}

void swim::on_outdated() {
  if (trial_)
    trial_->lost();
}

effects swim::on_connection(const node_id& peer, bool up, time_point now) {
  awake(now);
  auto* e = table_.find(peer);
  if (!e || peer == self_)
    return done(now);
  if (up && e->state == member_dead)
    ping(peer, 0); // it hears that it was called dead, and refutes
  if (!up && e->living() && !(e->doubt && e->doubt->accused_by(self_)))
    urge(peer);
  return done(now);
}

effects swim::describe(const member& record, time_point now) {
  awake(now);
  auto& e = me();
  auto mine = record;
  auto& before = e.record->said;
  mine.set_id(before.id());
  mine.set_start(before.start());
  mine.set_life(before.life());
  mine.set_endpoint(before.endpoint());
  mine.set_public_key(before.public_key());
  mine.set_zone(before.zone());
  mine.set_version(before.version());
  if (mine.SerializeAsString() == e.record->bytes)
    return done(now);
  mine.set_version(before.version() + 1);
  e.record = records_->keep(mine);
  news_.add(self_, {}, true);
  next_gossip_ = std::min(next_gossip_, now);
  tell(e);
  return done(now);
}

effects swim::leave(time_point now) {
  awake(now);
  auto& e = me();
  if (e.state != member_left) {
    e.state = member_left;
    news_.add(self_, {}, false);
    tell(e);
    next_gossip_ = now;
  }
  return done(now);
}

time_point swim::wake_at() const {
  if (!started_)
    return time_point::max();
  auto due = std::min({next_probe_, next_exchange_, next_dead_probe_});
  if (news_.pressing())
    due = std::min(due, next_gossip_);
  if (!join_asked_ && !trial_)
    due = std::min(due, joining_ ? next_join_ : next_seek_);
  if (trial_)
    due = std::min(due, trial_->wakes_at());
  for (auto& x : probes_)
    due = std::min(due, x.asked_others ? x.end : x.indirect_at);
  for (auto& x : relays_)
    due = std::min(due, x.nack_at);
  if (suspicions_ > 0)
    for (auto& e : table_.all())
      if (e.doubt)
        due = std::min(due, e.doubt->deadline());
  return due;
}

std::vector<node_id> swim::some_living(std::size_t count, const std::vector<node_id>& but) {
  auto& members = table_.all();
  auto* mine = &me();
  std::vector<std::uint16_t> all; // the table has `known_limit` entries at most
  all.reserve(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    auto& e = members[i];
    if (e.living() && &e != mine && std::find(but.begin(), but.end(), e.id()) == but.end())
      all.push_back(static_cast<std::uint16_t>(i));
  }
  std::vector<node_id> result;
  for (std::size_t i = 0; i < count && i < all.size(); ++i) {
    std::swap(all[i], all[i + random_() % (all.size() - i)]);
    result.push_back(members[all[i]].id());
  }
  return result;
}

void swim::gossip(time_point now) {
  next_gossip_ = now + tuned_.gossip_interval;
  auto targets = some_living(tuned_.fanout, {});
  for (auto& id : targets) {
    auto packet = compose(id);
    if (packet.updates_size() > 0)
      send(id, std::move(packet));
  }
  if (targets.empty())
    news_ = {}; // nobody to tell; whoever comes gets the whole list
}

void swim::exchange(const node_id& with) {
  member_list mine;
  mine.set_cluster(cluster_);
  mine.set_digest(table_.digest());
  out_.push_back(ask_list{with, std::move(mine)});
}

void swim::exchange_wanted(const node_id& with, time_point now) {
  if (now < next_wanted_exchange_ || with.null() || with == self_)
    return;
  next_wanted_exchange_ = now + seconds{1};
  exchange(with);
}

milliseconds swim::dead_probe_pause() const {
  auto living = static_cast<milliseconds::rep>(table_.living());
  return std::max(tuned_.dead_probe_interval, tuned_.dead_probe_share * living);
}

void swim::ping_dead(time_point now) {
  if (now < next_dead_probe_)
    return;
  next_dead_probe_ = now + dead_probe_pause();
  std::vector<node_id> dead;
  for (auto& e : table_.all())
    if (e.state == member_dead)
      dead.push_back(e.id());
  if (!dead.empty())
    ping(dead[random_() % dead.size()], 0);
}

} // namespace legion::membership
