#include "runtime/transport/simulated/network.hpp"

#include <algorithm>
#include <utility>

namespace legion::transport::simulated {

/// One node's end of the network.
class network::port : public transport {
public:
  port(network& owner, number who, std::uint32_t life) : owner_(owner), who_(who), life_(life) {}
  ~port() override {
    if (auto alive = alive_.lock())
      owner_.detach(who_, life_);
  }

  void introduce(const peer& who) override {
    if (!current())
      return;
    owner_.link_of(who_, owner_.number_of(who.id)).known = true;
  }

  void forget(const node_id& who) override {
    if (!current())
      return;
    auto peer = owner_.number_of(who);
    if (auto* x = owner_.find_link(who_, peer))
      x->known = false;
    owner_.close(who_, peer, "closed by the other side");
  }

  sent send(const node_id& to, std::string frame) override {
    if (!current())
      return sent::unreachable;
    return owner_.send(who_, to, std::move(frame));
  }

private:
  bool current() const { return owner_.stations_[who_].life == life_; }

  network& owner_;
  number who_;
  std::uint32_t life_;
  std::weak_ptr<bool> alive_ = owner_.alive_;
};

network::network(std::uint64_t seed, run_later later) : random_(seed), later_(std::move(later)) {}

network::~network() = default;

factory network::attach(const node_id& who) {
  auto n = number_of(who);
  return [this, n](sink& listener) -> result<std::unique_ptr<transport>> {
    auto& x = stations_[n];
    ++x.life;
    x.listener = &listener;
    x.paused = false;
    x.waiting.clear();
    for (auto& y : x.links)
      y.known = false;
    return std::unique_ptr<transport>(std::make_unique<port>(*this, n, x.life));
  };
}

network::number network::number_of(const node_id& who) {
  auto [i, fresh] = numbers_.try_emplace(who, static_cast<number>(stations_.size()));
  if (fresh) {
    stations_.emplace_back();
    stations_.back().id = who;
  }
  return i->second;
}

network::link* network::find_link(number from, number to) {
  auto& links = stations_[from].links;
  auto i = std::lower_bound(links.begin(), links.end(), to,
                            [](const link& x, number peer) { return x.peer < peer; });
  return i != links.end() && i->peer == to ? &*i : nullptr;
}

network::link& network::link_of(number from, number to) {
  auto& links = stations_[from].links;
  auto i = std::lower_bound(links.begin(), links.end(), to,
                            [](const link& x, number peer) { return x.peer < peer; });
  if (i == links.end() || i->peer != to) {
    i = links.emplace(i);
    i->peer = to;
  }
  return *i;
}

network::under_way* network::find_sent(number from, number to) {
  auto& sent = stations_[from].sent;
  auto i = std::find_if(sent.begin(), sent.end(), [&](const auto& x) { return x.peer == to; });
  return i == sent.end() ? nullptr : &*i;
}

void network::drop_sent(number from, number to) {
  auto& sent = stations_[from].sent;
  if (auto* x = find_sent(from, to)) {
    std::swap(*x, sent.back());
    sent.pop_back();
  }
}

bool network::passes(number from, number to) const {
  auto& a = stations_[from];
  return a.side == stations_[to].side
         && !std::binary_search(a.cut_towards.begin(), a.cut_towards.end(), to);
}

std::chrono::microseconds network::draw_delay() {
  auto range = static_cast<std::uint64_t>(
      std::max<std::int64_t>(1, (conditions_.most_delay - conditions_.least_delay).count()));
  return conditions_.least_delay + std::chrono::microseconds{random_() % range};
}

bool network::draw(double fraction) {
  return fraction > 0 && static_cast<double>(random_() >> 11) * 0x1.0p-53 < fraction;
}

void network::later(std::chrono::microseconds delay, std::function<void()> what) {
  later_(delay, [what = std::move(what), alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired())
      what();
  });
}

sent network::send(number from, const node_id& to, std::string frame) {
  if (frame.size() > max_frame_bytes)
    return sent::too_large;
  auto peer = number_of(to);
  auto* x = find_link(from, peer);
  if (!x || !(x->known || x->connected))
    return sent::unreachable;
  if (auto* waiting = find_sent(from, peer);
      waiting && waiting->bytes + frame.size() > max_queued_bytes)
    return sent::overloaded;
  ++counts_.frames;
  counts_.bytes += frame.size();
  if (tamper_ && !tamper_(stations_[from].id, to, frame)) {
    ++counts_.lost;
    return sent::queued;
  }
  carry(from, peer, std::move(frame));
  return sent::queued;
}

void network::forge(const node_id& from, const node_id& to, std::string frame) {
  auto a = number_of(from);
  auto b = number_of(to);
  carry(a, b, std::move(frame));
}

void network::carry(number from, number to, std::string frame) {
  if (!passes(from, to) || !passes(to, from)) {
    ++counts_.lost;
    return;
  }
  if (!stations_[to].listener) {
    ++counts_.lost;
    if (auto* sender = stations_[from].listener)
      sender->frame_lost(stations_[to].id, std::move(frame));
    refuse(from, to);
    return;
  }
  connect(from, to);
  if (draw(conditions_.loss)) {
    ++counts_.lost;
    return;
  }
  auto* x = find_sent(from, to);
  if (!x) {
    x = &stations_[from].sent.emplace_back();
    x->peer = to;
  }
  x->bytes += frame.size();
  x->frames.push_back(std::move(frame));
  later(draw_delay(), [this, from, to] { arrive(from, to); });
}

void network::connect(number from, number to) {
  auto& x = link_of(from, to);
  if (x.connected && x.told)
    return;
  link_of(to, from).connected = true;
  bool fresh = !x.connected;
  x.connected = true;
  if (fresh)
    later(draw_delay(), [this, from, to] {
      auto* x = find_link(from, to);
      auto* listener = stations_[from].listener;
      if (!x || !x->connected || x->told || !listener)
        return;
      x->told = true;
      listener->peer_up(stations_[to].id);
    });
}

void network::refuse(number from, number to) {
  auto& x = link_of(from, to);
  if (x.refusing)
    return;
  x.refusing = true;
  later(draw_delay(), [this, from, to] {
    link_of(from, to).refusing = false;
    if (!stations_[to].listener)
      tell_down(from, to, down::refused, "connection refused");
  });
}

// Each frame has one arrival under way, and an arrival takes the oldest frame: that keeps the order
// of a pair whatever the delays are.
void network::arrive(number from, number to) {
  auto* x = find_sent(from, to);
  if (!x)
    return;
  auto frame = std::move(x->frames.front());
  x->frames.pop_front();
  x->bytes -= frame.size();
  if (x->frames.empty())
    drop_sent(from, to);
  auto life = stations_[to].life;
  if (draw(conditions_.reordering)) {
    ++counts_.reordered;
    later(draw_delay() * 4,
          [=, this, frame = std::move(frame)] { deliver(from, to, life, frame); });
    return;
  }
  if (draw(conditions_.duplication)) {
    ++counts_.doubled;
    later(draw_delay() * 4, [=, this] { deliver(from, to, life, frame); });
  }
  deliver(from, to, life, std::move(frame));
}

void network::deliver(number from, number to, std::uint32_t life, std::string frame) {
  auto& x = stations_[to];
  if (!x.listener || x.life != life || !passes(from, to)) {
    ++counts_.lost;
    return;
  }
  if (x.paused) {
    x.waiting.push_back([=, this] { deliver(from, to, life, frame); });
    return;
  }
  if (tap_)
    tap_(stations_[from].id, x.id, frame);
  auto& back = link_of(to, from);
  if (!back.told) {
    back.told = true;
    x.listener->peer_up(stations_[from].id);
  }
  x.listener->frame_arrived(stations_[from].id, std::move(frame));
}

void network::tell_down(number who, number peer, down how, const std::string& why) {
  auto& x = stations_[who];
  if (!x.listener)
    return;
  if (x.paused) {
    x.waiting.push_back([=, this] { tell_down(who, peer, how, why); });
    return;
  }
  x.listener->peer_down(stations_[peer].id, how, why);
}

void network::close(number a, number b, const std::string& why) {
  for (auto [from, to] : {std::pair{a, b}, std::pair{b, a}}) {
    auto* x = find_link(from, to);
    if (!x)
      continue;
    bool was = x->connected;
    if (auto* sent = find_sent(from, to))
      counts_.lost += sent->frames.size();
    drop_sent(from, to);
    x->connected = false;
    x->told = false;
    auto& links = stations_[from].links;
    if (!x->refusing && !x->known)
      links.erase(links.begin() + (x - links.data()));
    if (was && stations_[from].listener)
      later(draw_delay(), [this, from, to, why, life = stations_[from].life] {
        if (stations_[from].life == life)
          tell_down(from, to, down::closed, why);
      });
  }
}

void network::detach(number who, std::uint32_t life) {
  if (stations_[who].life == life)
    crash(stations_[who].id);
}

void network::crash(const node_id& who) {
  auto n = number_of(who);
  auto& x = stations_[n];
  x.listener = nullptr;
  x.paused = false;
  x.waiting.clear();
  std::vector<number> reset, stuck;
  for (auto& y : x.links)
    if (y.connected || y.told)
      (passes(n, y.peer) && passes(y.peer, n) ? reset : stuck).push_back(y.peer);
  for (auto peer : reset)
    close(n, peer, "connection reset");
  // A reset that cannot get through: the other side finds out by silence.
  if (!stuck.empty())
    later(conditions_.silence, [this, n, stuck] {
      for (auto peer : stuck)
        if (!stations_[n].listener)
          close(n, peer, "no heartbeat");
    });
}

void network::pause(const node_id& who) {
  stations_[number_of(who)].paused = true;
  later(conditions_.silence, [this] { close_silent(); });
}

void network::resume(const node_id& who) {
  auto& x = stations_[number_of(who)];
  x.paused = false;
  auto waiting = std::exchange(x.waiting, {});
  for (auto& f : waiting)
    f();
}

void network::partition(const std::vector<std::vector<node_id>>& sides) {
  for (auto& x : stations_)
    x.side = 0;
  std::uint32_t side = 0;
  for (auto& nodes : sides) {
    ++side;
    for (auto& x : nodes)
      stations_[number_of(x)].side = side;
  }
  later(conditions_.silence, [this] { close_silent(); });
}

void network::cut(const node_id& from, const node_id& to) {
  auto b = number_of(to);
  auto& cuts = stations_[number_of(from)].cut_towards;
  auto i = std::lower_bound(cuts.begin(), cuts.end(), b);
  if (i == cuts.end() || *i != b)
    cuts.insert(i, b);
  later(conditions_.silence, [this] { close_silent(); });
}

void network::heal() {
  for (auto& x : stations_) {
    x.side = 0;
    x.cut_towards.clear();
  }
}

void network::close_silent() {
  std::vector<std::pair<number, number>> silent;
  for (number a = 0; a < stations_.size(); ++a)
    for (auto& x : stations_[a].links)
      if (x.connected
          && (stations_[a].paused || stations_[x.peer].paused || !passes(a, x.peer)
              || !passes(x.peer, a)))
        silent.emplace_back(a, number{x.peer});
  for (auto [a, b] : silent)
    close(a, b, "no heartbeat");
}

} // namespace legion::transport::simulated
