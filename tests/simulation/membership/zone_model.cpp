#include "tests/simulation/membership/zone_model.hpp"

#include "messages/vocabulary.hpp"

namespace legion::simulation {

namespace {

constexpr std::size_t per_frame = 28; // an IP and a UDP header, as memberlist's figure has them

} // namespace

zone_model::zone_model(setting x)
    : setting_(x), random_(x.seed), records_(std::make_shared<membership::record_pool>()),
      nodes_(x.nodes), now_(time_point{} + std::chrono::hours{1}) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    std::string bytes(16, '\0');
    for (auto& c : bytes)
      c = static_cast<char>(random_());
    bytes[0] = static_cast<char>(i); // so that ids lead back to indices
    bytes[1] = static_cast<char>(i >> 8);
    nodes_[i].id = node_id::from_bytes(bytes);
    nodes_[i].up = true;
    after(setting_.joins_every * i, i, [this, i] { boot(i, 0); });
  }
}

void zone_model::boot(std::size_t i, std::size_t contact) {
  auto& n = nodes_[i];
  membership::swim::setting x;
  x.tuned = setting_.tuned;
  x.self.set_id(n.id.bytes());
  x.self.set_start(n.start);
  x.self.set_name("node-" + std::to_string(i));
  x.self.set_endpoint("10.0.0." + std::to_string(i) + ":7710");
  x.self.set_public_key(std::string(32, 'k'));
  x.self.set_zone("local");
  if (contact != i)
    x.contacts = {nodes_[contact].id};
  x.seed = random_();
  x.records = records_;
  n.contact = contact;
  n.rules = std::make_unique<membership::swim>(std::move(x), now_);
  n.armed.reset();
  perform_all(i, n.rules->start(now_));
}

void zone_model::after(time_point::duration x, std::size_t node, std::function<void()> what) {
  events_.push({now_ + x, ++numbers_, node, nodes_[node].life, std::move(what)});
}

void zone_model::step() {
  auto x = std::move(const_cast<event&>(events_.top()));
  events_.pop();
  now_ = x.at;
  auto& n = nodes_[x.node];
  if (!n.up || x.life != n.life)
    return;
  if (n.paused)
    n.waiting.push_back(std::move(x.what));
  else
    x.what();
}

void zone_model::run_for(time_point::duration x) {
  auto end = now_ + x;
  while (!events_.empty() && events_.top().at <= end)
    step();
  now_ = end;
}

bool zone_model::run_until(const std::function<bool()>& holds, time_point::duration within) {
  auto end = now_ + within;
  while (!holds()) {
    if (events_.empty() || events_.top().at > end)
      return false;
    step();
  }
  return true;
}

void zone_model::silence(std::size_t node) {
  nodes_[node].up = false;
  ++nodes_[node].life;
}

void zone_model::restart(std::size_t node, std::size_t contact) {
  auto& n = nodes_[node];
  ++n.life;
  ++n.start;
  n.up = true;
  n.paused = false;
  n.waiting.clear();
  boot(node, contact);
}

void zone_model::pause(std::size_t node) {
  nodes_[node].paused = true;
}

void zone_model::resume(std::size_t node) {
  auto& n = nodes_[node];
  n.paused = false;
  for (auto& what : std::exchange(n.waiting, {}))
    what();
}

void zone_model::hint(std::size_t at, std::size_t peer) {
  perform_all(at, nodes_[at].rules->on_connection(nodes_[peer].id, false, now_));
}

bool zone_model::knows(std::size_t observer, std::size_t subject) const {
  return nodes_[observer].rules && nodes_[observer].rules->members().find(nodes_[subject].id);
}

member_state zone_model::seen(std::size_t observer, std::size_t subject) const {
  return nodes_[observer].rules->members().find(nodes_[subject].id)->state;
}

bool zone_model::all_see_all_alive() const {
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    for (std::size_t k = 0; k < nodes_.size(); ++k)
      if (nodes_[i].up && (!knows(i, k) || seen(i, k) != member_alive))
        return false;
  return true;
}

void zone_model::arm(std::size_t i) {
  auto& n = nodes_[i];
  auto due = n.rules->wake_at();
  if (n.armed && *n.armed <= due)
    return;
  n.armed = due;
  auto generation = ++n.generation;
  after(due - now_, i, [this, i, generation] {
    auto& me = nodes_[i];
    if (generation != me.generation)
      return;
    me.armed.reset();
    perform_all(i, me.rules->on_tick(now_));
  });
}

void zone_model::perform_all(std::size_t i, membership::effects all) {
  for (auto& x : all)
    std::visit([&](auto& y) { perform(i, y); }, x);
  arm(i);
}

bool zone_model::arrives(std::size_t from, std::size_t to, time_point::duration& delay) {
  auto span = (setting_.most_delay - setting_.least_delay).count() + 1;
  auto extra = static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(span));
  delay = setting_.least_delay + std::chrono::microseconds{extra};
  if (setting_.loss > 0 && static_cast<double>(random_() >> 11) * 0x1p-53 < setting_.loss)
    return false;
  return !(apart_ && apart_(from, to));
}

std::optional<std::size_t> zone_model::index_of(const node_id& id) const {
  auto i = id.raw()[0] + 256u * id.raw()[1];
  if (i < nodes_.size() && nodes_[i].id == id)
    return i;
  return std::nullopt;
}

void zone_model::count(const google::protobuf::Message& x, std::uint32_t kind, bool request,
                       bool reply) {
  if (!setting_.count_bytes)
    return;
  frame f; // as the bridge encodes it
  f.set_version(1);
  f.set_cluster(std::string(16, 'c'));
  f.set_start(1);
  auto& e = *f.add_messages();
  e.set_sequence(10'000);
  if (!reply)
    e.set_to("membership");
  e.set_kind(kind);
  e.set_body(x.SerializeAsString());
  e.set_to_start(1);
  if (request) {
    e.set_request(1'000);
    e.set_deadline_ms(3'000);
  }
  if (reply)
    e.set_reply_to(1'000);
  auto size = f.ByteSizeLong() + per_frame;
  bytes_ += size;
  largest_ = std::max(largest_, size);
  ++frames_;
}

void zone_model::perform(std::size_t i, membership::send_packet& x) {
  count(x.what, message_kind<swim_packet>, false, false);
  auto to = index_of(x.to);
  time_point::duration delay{};
  if (!to || !arrives(i, *to, delay))
    return;
  x.what.set_from(nodes_[i].id.bytes());
  after(delay, *to, [this, k = *to, what = std::move(x.what)] {
    if (nodes_[k].rules)
      perform_all(k, nodes_[k].rules->on_packet(what, now_));
  });
}

void zone_model::perform(std::size_t i, membership::ask_list& x) {
  count(x.what, message_kind<member_list>, true, false);
  auto to = index_of(x.to);
  time_point::duration delay{};
  if (!to || !arrives(i, *to, delay))
    return;
  after(delay, *to, [this, i, k = *to, life = nodes_[i].life, what = std::move(x.what)] {
    membership::effects more;
    auto reply = nodes_[k].rules->answer_list(what, now_, more);
    perform_all(k, std::move(more));
    count(reply, message_kind<member_list>, false, true);
    time_point::duration back{};
    if (arrives(k, i, back) && life == nodes_[i].life)
      after(back, i, [this, i, k, reply = std::move(reply)] {
        perform_all(i, nodes_[i].rules->on_list(nodes_[k].id, reply, now_));
      });
  });
}

void zone_model::perform(std::size_t i, membership::ask_join& x) {
  auto to = nodes_[i].contact;
  time_point::duration delay{};
  auto answered = std::make_shared<bool>(false);
  after(setting_.tuned.join_timeout, i, [this, i, answered] {
    if (!*answered)
      perform_all(i, nodes_[i].rules->on_join_failed(0, now_));
  });
  if (!arrives(i, to, delay))
    return;
  after(delay, to, [this, i, to, answered, life = nodes_[i].life, what = std::move(x.what)] {
    if (!nodes_[to].rules)
      return;
    membership::effects more;
    auto reply = nodes_[to].rules->answer_join(what, now_, more);
    perform_all(to, std::move(more));
    time_point::duration back{};
    if (arrives(to, i, back) && life == nodes_[i].life)
      after(back, i, [this, i, answered, reply = std::move(reply)] {
        if (!std::exchange(*answered, true))
          perform_all(i, nodes_[i].rules->on_join_reply(0, reply, now_));
      });
  });
}

void zone_model::perform(std::size_t i, membership::tell_change& x) {
  if (!listener)
    return;
  if (auto subject = index_of(node_id::from_bytes(x.who.id())))
    listener({now_, i, *subject, x.who.start(), x.state});
}

void zone_model::perform(std::size_t i, membership::note& x) {
  if (on_note)
    on_note(i, x);
}

} // namespace legion::simulation
