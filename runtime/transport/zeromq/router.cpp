#include "runtime/transport/zeromq/router.hpp"

#include <cerrno>
#include <cstring>

#include <sodium/randombytes.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/transport/zeromq/identify.hpp"

namespace legion::transport::zeromq {
namespace {

using clock = std::chrono::steady_clock;

// zmq.h of 4.3 hides it behind its draft switch; the library knows it since 4.3.0.
constexpr int zap_enforce_domain = 93;

constexpr int most_in_pipe = 128;  // frames that ZeroMQ holds to send by one connection
constexpr int most_heard = 512;    // and from one; see docs/zeromq.md, before making it less
constexpr int handshake_ms = 3000; // then a half-open connection is closed
constexpr int unheard_ms = 3000;   // what a peer's machine does not acknowledge: closed
constexpr int heartbeat_ms = 5000; // on every connection, for a process that stands still
constexpr int heartbeat_timeout_ms = 5000; // without an answer: closed
constexpr int never_ms = 24 * 3600 * 1000; // ZeroMQ's own reconnect: we do it
constexpr milliseconds first_pause{200};
constexpr milliseconds longest_pause{5000};
constexpr int blocked_ms = 2;

constexpr int watched_events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED
                               | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
                               | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
                               | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;

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

router::router(sink& to, settings x)
    : sink_(to), settings_(std::move(x)), self_(identify(settings_.public_key)) {}

router::~router() {
  stopping_ = true;
  if (thread_.joinable()) {
    wake();
    thread_.join();
  }
  events_ = {};
  router_ = {};
  doorkeeper_.reset();
  if (context_ != nullptr)
    zmq_ctx_term(context_);
  if (wake_ >= 0)
    ::close(wake_);
}

result<void> router::start() {
  wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  context_ = zmq_ctx_new();
  if (wake_ < 0 || context_ == nullptr)
    return fault{errc::unsupported,
                 std::string{"no descriptors left for the transport: "} + std::strerror(errno)};
  doorkeeper_ = std::make_unique<doorkeeper>(context_);
  router_ = socket(context_, ZMQ_ROUTER);
  events_ = socket(context_, ZMQ_PAIR);
  if (!doorkeeper_->bound() || !router_ || !events_)
    return fault{errc::unsupported, std::string{"ZeroMQ gives no socket: "} + zmq_strerror(errno)};
  bool set =
      router_.set(ZMQ_LINGER, 0) && router_.set(ZMQ_ROUTER_MANDATORY, 1)
      && router_.set(ZMQ_SNDHWM, most_in_pipe) && router_.set(ZMQ_RCVHWM, most_heard)
      && router_.set(ZMQ_HANDSHAKE_IVL, handshake_ms)
      && router_.set(ZMQ_CONNECT_TIMEOUT, handshake_ms) && router_.set(ZMQ_TCP_MAXRT, unheard_ms)
      && router_.set(ZMQ_HEARTBEAT_IVL, heartbeat_ms)
      && router_.set(ZMQ_HEARTBEAT_TIMEOUT, heartbeat_timeout_ms)
      && router_.set(ZMQ_RECONNECT_IVL, never_ms)
      && router_.set(ZMQ_IPV6, settings_.endpoint.front() == '[')
      && router_.set(ZMQ_ZAP_DOMAIN, doorkeeper::domain) && router_.set(zap_enforce_domain, 1)
      && router_.set(ZMQ_CURVE_SERVER, 1) && router_.set(ZMQ_CURVE_PUBLICKEY, settings_.public_key)
      && router_.set(ZMQ_CURVE_SECRETKEY, settings_.secret_key);
  // CURVE adds 33 bytes to a frame.
  std::int64_t most = max_frame_bytes + 64;
  set = set && zmq_setsockopt(router_.get(), ZMQ_MAXMSGSIZE, &most, sizeof(most)) == 0;
  if (!set)
    return fault{errc::unsupported,
                 std::string{"ZeroMQ refuses an option (is it built with CURVE?): "}
                     + zmq_strerror(errno)};
  events_.set(ZMQ_LINGER, 0);
  if (zmq_socket_monitor(router_.get(), "inproc://events", watched_events) != 0
      || zmq_connect(events_.get(), "inproc://events") != 0)
    return fault{errc::unsupported, std::string{"ZeroMQ gives no events: "} + zmq_strerror(errno)};
  if (zmq_bind(router_.get(), ("tcp://" + settings_.endpoint).c_str()) != 0) {
    if (errno == EADDRINUSE)
      return fault{errc::conflict,
                   "--listen " + settings_.endpoint
                       + ": that port is taken, perhaps by another legion-node of this machine "
                         "(ss -ltnp names the process): stop that one, or choose another port with "
                         "--listen HOST:PORT"};
    return fault{errc::invalid, "cannot listen on " + settings_.endpoint + ": "
                                    + zmq_strerror(errno)
                                    + "; choose another address with --listen HOST:PORT"};
  }
  thread_ = std::thread([this] { run(); });
  return {};
}

// -- any thread --------------------------------------------------------------------------------

router::mailbox_ptr router::box_of(const node_id& id) {
  auto& box = boxes_[id];
  if (!box)
    box = std::make_shared<mailbox>();
  return box;
}

void router::introduce(const peer& who) {
  if (who.id == self_ || identify(who.public_key) != who.id)
    return;
  command x{command::kind::introduce, who.id, nullptr, {}, who};
  {
    std::lock_guard guard{mutex_};
    x.box = box_of(who.id);
    x.box->introduced = true;
  }
  queue(std::move(x));
}

void router::forget(const node_id& who) {
  {
    std::lock_guard guard{mutex_};
    if (auto i = boxes_.find(who); i != boxes_.end()) {
      i->second->introduced = false;
      boxes_.erase(i);
    }
  }
  queue({command::kind::forget, who, nullptr, {}, {}});
}

sent router::send(const node_id& to, std::string frame) {
  if (frame.size() > max_frame_bytes)
    return sent::too_large;
  bool asleep = false;
  {
    std::lock_guard guard{mutex_};
    auto i = boxes_.find(to);
    if (i == boxes_.end())
      return sent::unreachable;
    auto& box = *i->second;
    if (!box.connected && (!box.introduced || box.resting))
      return sent::unreachable;
    if (box.queued_bytes + frame.size() > max_queued_bytes)
      return sent::overloaded;
    box.queued_bytes += frame.size();
    commands_.push_back({command::kind::send, to, i->second, std::move(frame), {}});
    asleep = std::exchange(sleeping_, false);
  }
  if (asleep)
    wake();
  return sent::queued;
}

void router::queue(command x) {
  bool asleep = false;
  {
    std::lock_guard guard{mutex_};
    commands_.push_back(std::move(x));
    asleep = std::exchange(sleeping_, false);
  }
  if (asleep)
    wake();
}

void router::wake() {
  std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(wake_, &one, sizeof(one));
}

// -- the thread --------------------------------------------------------------------------------

void router::run() {
  zmq_pollitem_t items[] = {{router_.get(), 0, ZMQ_POLLIN, 0},
                            {events_.get(), 0, ZMQ_POLLIN, 0},
                            {doorkeeper_->door().get(), 0, ZMQ_POLLIN, 0},
                            {nullptr, wake_, ZMQ_POLLIN, 0}};
  bool received = false;
  while (!stopping_) {
    auto timeout = on_timers();
    sweep();
    if (take_commands(!received) || received)
      timeout = 0;
    if (zmq_poll(items, 4, timeout) < 0 && errno != EINTR)
      break;
    if (items[3].revents != 0) {
      std::uint64_t ignored = 0;
      [[maybe_unused]] auto got = ::read(wake_, &ignored, sizeof(ignored));
    }
    if (items[1].revents != 0)
      on_events();
    if (items[2].revents != 0)
      doorkeeper_->answer();
    received = items[0].revents != 0 && receive_some();
  }
}

/// Whether there were any.
bool router::take_commands(bool may_sleep) {
  {
    std::lock_guard guard{mutex_};
    taken_.swap(commands_);
    sleeping_ = may_sleep && taken_.empty();
  }
  for (auto& x : taken_)
    perform(x);
  bool any = !taken_.empty();
  taken_.clear();
  return any;
}

/// Lets go of peers that are not known otherwise and have closed their last connection.
void router::sweep() {
  for (auto& id : gone_) {
    auto l = links_.find(id);
    if (l == links_.end() || !l->second.who.endpoint.empty() || alive(l->second))
      continue;
    std::lock_guard guard{mutex_};
    if (auto b = boxes_.find(id); b != boxes_.end() && !b->second->introduced)
      boxes_.erase(b);
    links_.erase(l);
  }
  gone_.clear();
}

void router::perform(command& x) {
  switch (x.what) {
    case command::kind::introduce:
      return on_introduce(x.to, x.box, x.who);
    case command::kind::forget:
      return on_forget(x.to);
    case command::kind::send: {
      auto i = links_.find(x.to);
      if (i == links_.end()) {
        x.box->queued_bytes -= x.frame.size();
        sink_.frame_lost(x.to, std::move(x.frame));
      } else
        carry(x.to, i->second, std::move(x.frame));
    }
  }
}

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

/// Reconnects and retries what waits; the time until there is more to do.
int router::on_timers() {
  auto now = clock::now();
  auto next = time_point::max();
  bool blocked = false;
  for (auto& [id, x] : links_) {
    while (!x.waiting.empty()) {
      auto frame = std::move(x.waiting.front());
      x.waiting.pop_front();
      if (!hand_over(id, x, frame)) {
        x.waiting.push_front(std::move(frame));
        break;
      }
    }
    blocked = blocked || (!x.waiting.empty() && !connecting(x));
    if (!x.wanted || !x.ours.empty() || !x.theirs.empty() || x.who.endpoint.empty())
      continue;
    if (x.next_try <= now)
      connect(id, x);
    if (x.ours.empty())
      next = std::min(next, x.next_try);
  }
  if (blocked)
    return blocked_ms;
  if (next == time_point::max())
    return -1;
  auto wait = std::chrono::ceil<milliseconds>(next - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(wait, 0, 60'000));
}

} // namespace legion::transport::zeromq
