// What the router does with what arrives: frames, and the news of its connections.
#include <cstring>

#include "runtime/transport/zeromq/identify.hpp"
#include "runtime/transport/zeromq/router.hpp"

namespace legion::transport::zeromq {
namespace {

constexpr std::size_t most_strangers = 4096;
constexpr int messages_at_once = 512;

} // namespace

bool router::receive_some() {
  for (int i = 0; i < messages_at_once; ++i) {
    part from;
    if (!from.receive(router_))
      return i != 0;
    std::string routing_id{from.text()};
    bool more = from.more();
    for (bool first = true; more; first = false) {
      part payload;
      if (!payload.receive(router_))
        return true;
      more = payload.more();
      if (first && !more)
        on_message(routing_id, payload);
    }
  }
  return true;
}

router::connection* router::admit(const std::string& routing_id, part& payload) {
  if (auto i = connections_.find(routing_id); i != connections_.end())
    return &i->second;
  if (connections_.size() >= most_strangers)
    return nullptr;
  // A closed connection's event comes before the next use of its descriptor: read it first.
  on_events();
  auto* user = zmq_msg_gets(payload.get(), "User-Id");
  char key[32];
  if (user == nullptr || std::strlen(user) != 40
      || zmq_z85_decode(reinterpret_cast<std::uint8_t*>(key), user) == nullptr)
    return nullptr;
  connection x;
  x.to = identify({key, sizeof(key)});
  if (x.to == self_)
    return nullptr;
  x.established = true;
  x.fd = zmq_msg_get(payload.get(), ZMQ_SRCFD);
  auto& l = links_[x.to];
  if (!l.box) {
    std::lock_guard guard{mutex_};
    l.box = box_of(x.to);
  }
  bool up = !alive(l);
  l.theirs.push_back(routing_id);
  l.wanted = true;
  l.failures = 0;
  l.box->connected = true;
  l.box->resting = false;
  auto who = x.to;
  auto* result = &connections_.emplace(routing_id, std::move(x)).first->second;
  if (up)
    sink_.peer_up(who);
  return result;
}

void router::on_message(const std::string& routing_id, part& payload) {
  auto* from = admit(routing_id, payload);
  if (from == nullptr || from->retired)
    return;
  auto l = links_.find(from->to);
  if (l == links_.end())
    return;
  auto& x = l->second;
  if (x.receiving != routing_id) {
    if (auto old = connections_.find(x.receiving); old != connections_.end())
      old->second.retired = true;
    x.receiving = routing_id;
  }
  sink_.frame_arrived(from->to, std::string{payload.text()});
}

void router::on_events() {
  for (;;) {
    part what;
    if (!what.receive(events_))
      return;
    part where;
    if (!what.more() || !where.receive(events_) || what.text().size() < 6)
      return;
    std::uint16_t event = 0;
    std::uint32_t value = 0;
    std::memcpy(&event, what.text().data(), 2);
    std::memcpy(&value, what.text().data() + 2, 4);
    on_event(event, value, where.text());
  }
}

router::connection* router::ours_at(std::string_view endpoint, std::string& routing_id) {
  auto e = endpoints_.find(std::string{endpoint});
  if (e == endpoints_.end())
    return nullptr;
  auto l = links_.find(e->second);
  if (l == links_.end())
    return nullptr;
  auto i = connections_.find(l->second.ours);
  if (i == connections_.end())
    return nullptr;
  routing_id = i->first;
  return &i->second;
}

void router::on_event(std::uint16_t event, std::uint32_t value, std::string_view endpoint) {
  std::string routing_id;
  auto* ours = ours_at(endpoint, routing_id);
  auto fd = static_cast<int>(value);
  switch (event) {
    case ZMQ_EVENT_CONNECTED:
      if (ours != nullptr)
        ours->fd = fd;
      return;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: {
      if (ours == nullptr || ours->established)
        return;
      auto& x = links_[ours->to];
      bool up = !alive(x);
      ours->established = true;
      x.failures = 0;
      x.box->connected = true;
      if (up)
        sink_.peer_up(ours->to);
      return;
    }
    case ZMQ_EVENT_CLOSED:
      if (ours != nullptr && !ours->established && ours->fd < 0)
        close(routing_id, "refused by " + ours->endpoint, down::refused);
      return;
    case ZMQ_EVENT_DISCONNECTED:
      if (ours != nullptr) {
        if (ours->fd == fd)
          close(routing_id, ours->established ? "the connection to " + ours->endpoint + " closed"
                                              : ours->endpoint + " has another key");
        return;
      }
      for (auto& [id, x] : connections_)
        if (!x.ours && x.fd == fd) {
          auto gone = id;
          return close(gone, "its connection closed");
        }
      return;
    default:
      if (ours != nullptr)
        ours->trouble = "the handshake with " + ours->endpoint
                        + " failed: something else listens there, or it has another key";
  }
}

} // namespace legion::transport::zeromq
