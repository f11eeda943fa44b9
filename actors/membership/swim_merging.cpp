#include "actors/membership/swim.hpp"

#include <algorithm>
#include <limits>

/// What others say about members, merged with what is known here.
///
/// Naively, the last word would win, and two nodes that hear two words in
/// another order would differ for good. So words are compared by `standing`, a
/// total order, and the highest wins wherever and whenever it is heard. Only
/// the member itself may raise its incarnation, and that is how it contradicts
/// a suspicion or its own death.

namespace legion::membership {

namespace {
constexpr std::uint32_t longest_down_s = 30 * 24 * 3600;
constexpr auto last_incarnation = std::numeric_limits<std::uint32_t>::max();
} // namespace

/// Since when it is so. Who comes back hears of a death later than it was.
time_point swim::since(const member_update& x, time_point now) {
  auto dead = x.state() == member_dead;
  auto apart = seconds{std::min<std::uint32_t>(x.down_s(), longest_down_s)};
  return dead ? std::max(time_point{}, now - apart) : now;
}

void swim::tell(const entry& e) {
  out_.push_back(tell_change{record_of(e), e.state, e.changed});
}

void swim::apply(const member_update& x, const node_id& via, bool hearsay, time_point now) {
  auto id = node_id::from_bytes(x.id());
  if (id.null() || x.start() == 0 || x.incarnation() == last_incarnation
      || !member_state_IsValid(x.state()))
    return;
  if (id == self_)
    return apply_to_self(x, via, now);
  auto* e = table_.find(id);
  if (!e) {
    if (!admit(x, via, now))
      return;
    e = table_.find(id);
  }
  auto said = standing{start_number{x.start()}, x.incarnation(), x.state()};
  if (said.start < e->start || is_of_another_life(*e, said.start, x.life()))
    return;
  if (said.start > e->start)
    be_reborn(*e, x, via, now);
  take_record(*e, x);
  if (said.state == member_suspect) {
    if (said.incarnation < e->incarnation || (said.incarnation == e->incarnation && !e->living()))
      return;
    if (said.incarnation > e->incarnation)
      become(*e, member_alive, said.incarnation, now);
    auto accuser = node_id::from_bytes(x.suspected_by());
    return suspect(*e, accuser.null() ? via : accuser, via, now);
  }
  if (said <= standing_of(*e))
    return;
  if (said.state == member_dead && hearsay && e->living()) {
    // A list may be old: ask the member itself, telling it what is said (it
    // refutes, or dies).
    auto packet = compose(id);
    packet.mutable_ping()->set_sequence(0);
    *packet.add_updates() = x;
    packet.mutable_updates()->rbegin()->clear_record();
    send(id, std::move(packet));
    return urge(id);
  }
  become(*e, said.state, said.incarnation, since(x, now));
  news_.add(id, {}, false);
}

void swim::apply_to_self(const member_update& x, const node_id& via, time_point now) {
  auto& e = me();
  auto start = start_number{x.start()};
  if (start > e.start) {
    if (!superseded_)
      out_.push_back(note{true, "superseded",
                          "another life of this node has start number " + std::to_string(x.start())
                              + ", this one has " + std::to_string(value(e.start))});
    superseded_ = true;
    return;
  }
  if (is_of_another_life(e, start, x.life())) {
    if (x.state() == member_dead || x.state() == member_left)
      out_.push_back(tell_outdated{"node " + via.short_text() + " knows another life of start "
                                   + std::to_string(x.start()) + " of this node, which is over"});
    return;
  }
  auto older = start < e.start;
  if (!older && (e.state == member_left || joining_)) // as of `on_ping`
    return;
  if (!older && x.incarnation() < e.incarnation) {
    // Long refuted, but this one has not heard: it was cut off meanwhile, and
    // nobody else tells it.
    if (x.state() != member_alive)
      answer_with_self(via, false);
    return;
  }
  if (!older && x.state() == member_alive) {
    if (x.incarnation() > e.incarnation)
      e.incarnation = x.incarnation(); // said by an earlier hour of this very life
    return;
  }
  if (!older) {
    e.incarnation = x.incarnation() + 1; // SWIM 4.2: only the member itself may raise it
    if (x.state() == member_suspect)
      health_.worsen(); // Lifeguard IV-A
    out_.push_back(note{false, "refuted",
                        std::string{"was called "}
                            + (x.state() == member_suspect ? "suspect" : "dead") + " by "
                            + via.short_text()});
  }
  news_.add(self_, {}, older);
  next_gossip_ = std::min(next_gossip_, now);
  answer_with_self(via, older);
}

void swim::answer_with_self(const node_id& to, bool with_record) {
  if (to == self_ || to.null())
    return;
  swim_packet packet;
  *packet.add_updates() = update_of(me(), with_record);
  send(to, std::move(packet));
}

bool swim::admit(const member_update& x, const node_id& via, time_point now) {
  if (x.record().empty()) {
    if (x.state() == member_alive || x.state() == member_suspect)
      exchange_wanted(via, now);
    return false;
  }
  auto record = read_record(x);
  if (!record)
    return false;
  if (table_.all().size() >= tuned_.known_limit)
    make_room();
  if (table_.all().size() >= tuned_.known_limit)
    return false;
  entry e;
  e.start = start_number{x.start()};
  e.incarnation = x.incarnation();
  e.state = x.state() == member_suspect ? member_alive : x.state();
  e.record = std::move(record);
  e.changed = since(x, now);
  news_.add(e.id(), {}, true);
  next_gossip_ = std::max(next_gossip_, now + tuned_.gossip_interval / 3);
  tell(table_.add(std::move(e)));
  return true;
}

void swim::be_reborn(entry& e, const member_update& x, const node_id& via, time_point now) {
  if (e.doubt)
    --suspicions_;
  e.doubt.reset();
  news_.drop_accusations(e.id());
  e.start = start_number{x.start()};
  e.incarnation = 0;
  e.state = member_alive;
  e.changed = now;
  auto record = read_record(x);
  auto told = record && record->said.start() == x.start();
  if (told)
    e.record = std::move(record);
  else
    exchange_wanted(via, now);
  news_.add(e.id(), {}, told);
  tell(e);
  if (x.incarnation() > 0)
    e.incarnation = x.incarnation() - (x.state() == member_alive ? 0 : 1);
}

record_ptr swim::read_record(const member_update& x) const {
  if (x.record().empty() || x.record().size() > longest_record)
    return nullptr;
  auto record = records_->keep(x.record());
  if (!record || !acceptable(record->said) || record->said.id() != x.id()
      || record->said.zone() != table_.find(self_)->record->said.zone())
    return nullptr;
  return record;
}

void swim::take_record(entry& e, const member_update& x) {
  if (x.record() == e.record->bytes)
    return;
  auto record = read_record(x);
  if (!record || record->said.start() != x.start())
    return;
  auto newer = std::pair{record->said.start(), record->said.version()}
               > std::pair{e.record->said.start(), e.record->said.version()};
  if (!newer)
    return;
  e.record = std::move(record);
  news_.add(e.id(), {}, true);
  tell(e);
}

void swim::become(entry& e, member_state state, std::uint32_t incarnation, time_point now) {
  auto was = e.state;
  e.incarnation = incarnation;
  e.state = state;
  e.changed = now;
  if (e.doubt)
    --suspicions_;
  e.doubt.reset();
  news_.drop_accusations(e.id());
  next_gossip_ = std::min(next_gossip_, now + tuned_.gossip_interval / 3);
  if (state != was)
    tell(e);
}

void swim::suspect(entry& e, const node_id& accuser, const node_id& via, time_point now) {
  if (accuser == e.id())
    return;
  if (!e.doubt) {
    auto n = table_.living();
    auto wanted = std::min(tuned_.confirmations, n > 2 ? n - 2 : 0);
    e.doubt = std::make_unique<suspicion>(accuser, wanted, tuned_.suspicion_min,
                                          tuned_.suspicion_min * tuned_.suspicion_max_factor, now);
    ++suspicions_;
    e.state = member_suspect;
    e.changed = now;
    tell(e);
  } else if (!e.doubt->confirm(accuser)) {
    return;
  }
  news_.add(e.id(), accuser, false);
  if (accuser == self_)
    spread_accusation(e);
  else if (accuser == via && !e.doubt->confirmed() && !e.doubt->probed_here)
    urge(e.id()); // the accuser asks us to see for ourselves
}

void swim::spread_accusation(const entry& e) {
  auto accusation = update_of(e, false);
  accusation.set_suspected_by(self_.bytes());
  auto tell_one = [&](const node_id& to) {
    swim_packet packet;
    *packet.add_updates() = accusation;
    send(to, std::move(packet));
  };
  ping(e.id(), 0); // carries the accusation, and its ack may carry the refutation
  auto told = std::vector<node_id>{e.id()};
  for (auto& id : e.doubt->accusers())
    if (id != self_) {
      tell_one(id);
      told.push_back(id);
    }
  if (!e.doubt->confirmed())
    for (auto& id : some_living(tuned_.reprobers, told))
      tell_one(id);
}

void swim::run_suspicions(time_point now) {
  if (suspicions_ == 0)
    return;
  for (auto& e : table_.all()) {
    if (!e.doubt || now < e.doubt->deadline())
      continue;
    become(e, member_dead, e.incarnation, now);
    news_.add(e.id(), {}, false);
    next_gossip_ = now;
  }
}

void swim::make_room() {
  const entry* oldest = nullptr;
  for (auto& e : table_.all())
    if (!e.living() && !e.keeps() && e.id() != self_ && (!oldest || e.changed < oldest->changed))
      oldest = &e;
  if (oldest)
    table_.remove(node_id{oldest->id()});
}

} // namespace legion::membership
