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
constexpr int blocked_ms = 2;

constexpr int watched_events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED
                               | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
                               | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
                               | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;

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
                                    + "; choose another address with --listen HOST:PORT, HOST a "
                                      "number such as 127.0.0.1 or [::1]"};
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
