#include "runtime/transport/zeromq/router.hpp"

#include <algorithm>
#include <cerrno>

#include <sodium/randombytes.h>

// Connections: who is reached by which, when one is tried anew, and what waits for one.

namespace legion::transport::zeromq {
namespace {

using clock = std::chrono::steady_clock;

constexpr milliseconds first_pause{200};
constexpr milliseconds longest_pause{5000};

/// A routing id that no peer can guess: one that is in use already would abort the process.
std::string fresh_alias() {
  std::string result(17, 'L'); // not 0 first: those are ZeroMQ's own
  randombytes_buf(result.data() + 1, result.size() - 1);
  return result;
}

/// `failures` in a row, at least one.
milliseconds pause_after(unsigned failures) {
  auto pause = first_pause * (1 << std::min(failures - 1, 5u));
  pause = std::min<milliseconds>(pause, longest_pause);
  return pause * (75 + randombytes_uniform(51)) / 100;
}

} // namespace

void router::on_introduce(const node_id& id, const mailbox_ptr& box, const peer& who) {
  auto& x = links_[id];
  bool moved = !x.who.endpoint.empty() && x.who.endpoint != who.endpoint;
  x.box = box;
  x.who = who;
  if (moved) {
    x.failures = 0;
    x.next_try = {};
    box->resting = false;
    if (!x.ours.empty())
      close(std::string{x.ours}, "the peer has moved to " + who.endpoint);
  }
}

void router::on_forget(const node_id& id) {
  auto i = links_.find(id);
  if (i == links_.end())
    return;
  auto x = std::move(i->second);
  links_.erase(i);
  drop_waiting(id, x);
  if (!x.ours.empty()) {
    auto& endpoint = connections_[x.ours].endpoint;
    zmq_disconnect(router_.get(), ("tcp://" + endpoint).c_str());
    endpoints_.erase("tcp://" + endpoint);
    connections_.erase(x.ours);
  }
  for (auto& theirs : x.theirs)
    connections_[theirs].retired = true; // ZeroMQ cannot close one; nothing is heard from it
}

bool router::alive(const link& x) const {
  if (auto i = connections_.find(x.ours); i != connections_.end() && i->second.established)
    return true;
  return !x.theirs.empty();
}

/// What it would send by is not established yet: ZeroMQ is given nothing for it, since it would not
/// say what became of that.
bool router::connecting(const link& x) const {
  auto i = connections_.find(x.sending);
  return i != connections_.end() && i->second.ours && !i->second.established;
}

const std::string* router::choose(const node_id& id, link& to) {
  if (!to.sending.empty() && (to.theirs.empty() || !connecting(to)))
    return &to.sending;
  if (!to.theirs.empty())
    to.sending = to.theirs.back();
  else if (!to.ours.empty())
    to.sending = to.ours;
  else if (!to.who.endpoint.empty() && clock::now() >= to.next_try)
    connect(id, to);
  return to.sending.empty() ? nullptr : &to.sending;
}

void router::connect(const node_id& id, link& to) {
  auto endpoint = "tcp://" + to.who.endpoint;
  if (auto i = endpoints_.find(endpoint); i != endpoints_.end() && i->second != id) {
    auto other = links_.find(i->second);
    if (other != links_.end() && connections_[other->second.ours].established) {
      // Another key answers at this address.
      to.next_try = clock::now() + pause_after(++to.failures);
      to.box->resting = true;
      return;
    }
    if (other != links_.end())
      close(std::string{other->second.ours}, "another node has its address");
  }
  auto alias = fresh_alias();
  to.wanted = true;
  to.box->resting = false;
  if (!router_.set(ZMQ_CURVE_SERVER, 0) || !router_.set(ZMQ_CURVE_SERVERKEY, to.who.public_key)
      || !router_.set(ZMQ_CURVE_PUBLICKEY, settings_.public_key)
      || !router_.set(ZMQ_CURVE_SECRETKEY, settings_.secret_key)
      || !router_.set(ZMQ_CONNECT_ROUTING_ID, alias)
      || zmq_connect(router_.get(), endpoint.c_str()) != 0) {
    to.next_try = clock::now() + pause_after(++to.failures);
    to.box->resting = true;
    sink_.peer_down(id, down::closed,
                    "cannot connect to " + to.who.endpoint + ": " + zmq_strerror(errno));
    return;
  }
  connection x;
  x.to = id;
  x.ours = true;
  x.endpoint = to.who.endpoint;
  connections_.emplace(alias, std::move(x));
  endpoints_[endpoint] = id;
  to.ours = alias;
  to.sending = alias;
}

void router::carry(const node_id& id, link& to, std::string frame) {
  to.wanted = true;
  if (!to.waiting.empty() || !hand_over(id, to, frame))
    to.waiting.push_back(std::move(frame));
}

/// False if the frame must wait. One that nobody will take is given back as lost.
bool router::hand_over(const node_id& id, link& to, std::string& frame) {
  for (;;) {
    auto* routing_id = choose(id, to);
    if (routing_id == nullptr) {
      to.box->queued_bytes -= frame.size();
      sink_.frame_lost(id, std::move(frame));
      sink_.peer_down(id, down::closed, "there is no connection");
      return true;
    }
    if (connecting(to))
      return false;
    if (zmq_send(router_.get(), routing_id->data(), routing_id->size(), ZMQ_SNDMORE | ZMQ_DONTWAIT)
        >= 0) {
      zmq_send(router_.get(), frame.data(), frame.size(), ZMQ_DONTWAIT);
      to.box->queued_bytes -= frame.size();
      return true;
    }
    if (errno == EAGAIN)
      return false;
    close(std::string{*routing_id}, "the connection is gone");
  }
}

void router::drop_waiting(const node_id& id, link& x) {
  for (auto& frame : x.waiting) {
    x.box->queued_bytes -= frame.size();
    sink_.frame_lost(id, std::move(frame));
  }
  x.waiting.clear();
}

/// Forgets a connection; the peer is down if it was the last that lived, or was never alive.
void router::close(const std::string& routing_id, const std::string& why, down how) {
  auto i = connections_.find(routing_id);
  if (i == connections_.end())
    return;
  auto gone = std::move(i->second);
  connections_.erase(i);
  if (gone.ours) {
    auto endpoint = "tcp://" + gone.endpoint;
    zmq_disconnect(router_.get(), endpoint.c_str());
    if (auto e = endpoints_.find(endpoint); e != endpoints_.end() && e->second == gone.to)
      endpoints_.erase(e);
  }
  auto l = links_.find(gone.to);
  if (l == links_.end())
    return;
  auto& x = l->second;
  if (x.ours == routing_id)
    x.ours.clear();
  std::erase(x.theirs, routing_id);
  if (x.receiving == routing_id)
    x.receiving.clear();
  if (x.sending == routing_id)
    x.sending.clear();
  if (gone.ours && !gone.established)
    ++x.failures;
  if (alive(x))
    return;
  x.box->connected = false;
  drop_waiting(gone.to, x);
  auto known = !x.who.endpoint.empty();
  if (known && x.ours.empty()) {
    x.next_try = x.failures == 0 ? clock::now() : clock::now() + pause_after(x.failures);
    x.box->resting = x.failures != 0;
  }
  sink_.peer_down(gone.to, how, gone.trouble.empty() ? why : gone.trouble);
  if (!known)
    gone_.push_back(gone.to);
}

} // namespace legion::transport::zeromq
