#include "actors/membership/swim.hpp"

#include <algorithm>
#include <bit>

/// SWIM 3.1: a ping; if no ack comes in time, others are asked to ping; if nobody brings an ack by
/// the end, the target is suspected. Lifeguard IV-A adds the nack: a helper that hears nothing from
/// the target says so, and a helper that says nothing at all makes us doubt ourselves.

namespace legion::membership {

namespace {
constexpr std::size_t most_relays = 64;
constexpr std::size_t most_urgent = 256;
constexpr std::uint32_t last_sequence = 0x3fff; // two bytes on the wire
} // namespace

swim_packet swim::compose(const node_id& to) {
  swim_packet packet;
  // Buddy system (Lifeguard IV-C): who is doubted hears it first, and from everyone.
  if (auto* e = table_.find(to); e && e->state != member_alive)
    *packet.add_updates() = update_of(*e, false);
  if (news_.empty())
    return packet;
  auto sends = tuned_.sends_per_log2 * static_cast<std::size_t>(std::bit_width(table_.living()));
  const entry* sought = nullptr; // `say` comes right after `least`
  auto find = [&](const node_id& about) {
    if (!sought || sought->id() != about)
      sought = table_.find(about);
    return sought;
  };
  auto say = [&](const news::piece& x) {
    auto* e = find(x.about);
    if (!e)
      return member_update{};
    auto update = update_of(*e, x.with_record);
    if (!x.accuser.null()) {
      if (!e->doubt)
        return member_update{};
      update.set_suspected_by(x.accuser.bytes());
    }
    return update;
  };
  auto least = [&](const news::piece& x) {
    auto* e = x.with_record ? find(x.about) : nullptr;
    return e ? node_id::size + e->record->bytes.size() : 0;
  };
  news_.pack(packet, tuned_.update_bytes, sends, say, least);
  return packet;
}

void swim::send(const node_id& to, swim_packet packet) {
  out_.push_back(send_packet{to, std::move(packet)});
}

void swim::ping(const node_id& to, std::uint32_t sequence, std::uint32_t round) {
  auto packet = compose(to);
  packet.mutable_ping()->set_sequence(sequence);
  packet.mutable_ping()->set_round(round);
  send(to, std::move(packet));
}

std::uint32_t swim::next_sequence() {
  sequence_ = sequence_ == last_sequence ? 1 : sequence_ + 1;
  return sequence_;
}

void swim::on_heard(const node_id& from, time_point now) {
  auto known = std::find_if(heard_.begin(), heard_.end(), [&](auto& x) { return x.from == from; });
  if (known != heard_.end())
    known->when = now;
  else if (heard_.size() < tuned_.known_limit)
    heard_.push_back({from, now});
}

/// It was heard of a moment ago, and there is nothing that a ping would carry, or doubt.
bool swim::need_not_probe(const entry& e) const {
  return e.state == member_alive && news_.empty() && health_.score() == 0
         && std::any_of(heard_.begin(), heard_.end(), [&](auto& x) { return x.from == e.id(); });
}

/// Whose turn it is; if it need not be probed, the next along the ring that must be; perhaps none.
void swim::begin_routine(time_point now) {
  std::erase_if(heard_, [&](auto& x) { return now - x.when > tuned_.heard_counts_for; });
  auto round = rota_.advance();
  std::vector<const entry*> ring;
  std::size_t here = 0;
  auto* mine = &me();
  ring.reserve(table_.all().size());
  for (auto& e : table_.all()) {
    if (&e == mine)
      here = ring.size();
    if (e.living() || &e == mine)
      ring.push_back(&e);
  }
  if (ring.size() < 2)
    return;
  auto first = here + rota::distance(round, ring.size() - 1);
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const auto& e = *ring[(first + i) % ring.size()];
    if (&e != mine && !need_not_probe(e))
      return begin_probe(node_id{e.id()}, round, now);
  }
}

void swim::begin_probe(const node_id& target, std::uint32_t round, time_point now) {
  if (std::any_of(probes_.begin(), probes_.end(), [&](auto& p) { return p.target == target; }))
    return;
  probe x;
  x.target = target;
  x.sequence = next_sequence();
  x.indirect_at = now + health_.stretch(tuned_.direct_timeout);
  x.end = now + health_.stretch(tuned_.probe_timeout);
  probes_.push_back(x);
  if (auto* e = table_.find(target); e && e->doubt)
    e->doubt->probed_here = true;
  ping(target, x.sequence, round);
}

void swim::urge(const node_id& target) {
  if (urgent_.size() < most_urgent
      && std::find(urgent_.begin(), urgent_.end(), target) == urgent_.end())
    urgent_.push_back(target);
}

void swim::begin_urgent(time_point now) {
  while (!urgent_.empty() && probes_.size() <= tuned_.urgent_at_once) {
    auto target = urgent_.front();
    urgent_.erase(urgent_.begin());
    if (auto* e = table_.find(target); e && e->living() && target != self_)
      begin_probe(target, 0, now);
  }
}

void swim::run_probes(time_point now) {
  std::vector<probe> failed;
  for (auto& x : probes_) {
    if (!x.asked_others && now >= x.indirect_at)
      ask_others(x);
    if (now >= x.end)
      failed.push_back(x);
  }
  std::erase_if(probes_, [&](auto& x) { return now >= x.end; });
  for (auto& x : failed)
    probe_failed(x, now);
  std::erase_if(relays_, [&](auto& x) {
    if (now < x.nack_at)
      return false;
    auto packet = compose(x.requester);
    packet.mutable_nack()->set_sequence(x.their_sequence);
    send(x.requester, std::move(packet));
    return true;
  });
}

void swim::ask_others(probe& x) {
  x.asked_others = true;
  for (auto& id : some_living(tuned_.indirect_probes, {x.target})) {
    auto packet = compose(id);
    packet.mutable_ping_request()->set_sequence(x.sequence);
    packet.mutable_ping_request()->set_target(x.target.bytes());
    if (auto* e = table_.find(x.target))
      packet.mutable_ping_request()->set_life(life_of(*e));
    send(id, std::move(packet));
    ++x.asked;
  }
}

void swim::probe_failed(const probe& x, time_point now) {
  // Lifeguard IV-A. As in memberlist, helpers that all said nack clear us: the target is to blame.
  if (x.asked == 0)
    health_.worsen();
  else if (x.nacks < x.asked)
    health_.worsen(static_cast<int>(x.asked - x.nacks));
  if (auto* e = table_.find(x.target); e && e->living())
    suspect(*e, self_, self_, now);
}

/// Not before this start is let in: it may be another life that is meant, of which this is a copy.
void swim::on_ping(const node_id& from, const swim_ping& x) {
  if (joining_)
    return;
  if (x.round() != 0)
    rota_.heard(x.round());
  auto packet = compose(from);
  packet.mutable_ack()->set_sequence(x.sequence());
  send(from, std::move(packet));
}

void swim::on_ack(std::uint32_t sequence) {
  if (sequence == 0)
    return;
  auto mine =
      std::find_if(probes_.begin(), probes_.end(), [&](auto& x) { return x.sequence == sequence; });
  if (mine != probes_.end()) {
    probes_.erase(mine);
    health_.improve();
    return;
  }
  auto other =
      std::find_if(relays_.begin(), relays_.end(), [&](auto& x) { return x.sequence == sequence; });
  if (other == relays_.end())
    return;
  auto packet = compose(other->requester);
  packet.mutable_ack()->set_sequence(other->their_sequence);
  send(other->requester, std::move(packet));
  relays_.erase(other);
}

void swim::on_nack(std::uint32_t sequence) {
  for (auto& x : probes_)
    if (x.sequence == sequence && x.nacks < x.asked)
      ++x.nacks;
}

void swim::on_ping_request(const node_id& from, const swim_ping_request& x, time_point now) {
  auto target = node_id::from_bytes(x.target());
  auto* e = table_.find(target);
  if (target.null() || target == self_ || !e || relays_.size() >= most_relays)
    return;
  // The nack must be back before the requester gives up.
  auto wait = (tuned_.probe_timeout - tuned_.direct_timeout) * 7 / 10;
  relays_.push_back({from, x.sequence(), next_sequence(), now + wait});
  if (!is_of_another_life(*e, e->start, x.life()))
    ping(target, relays_.back().sequence);
}

} // namespace legion::membership
