#include "actors/bridge/exchange_actor.hpp"

#include <algorithm>

#include <caf/make_actor.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "messages/vocabulary.hpp"

namespace legion::bridge {

exchange::exchange(caf::actor_system& system, identity self, std::string cluster, limits most)
    : system_(system), self_(std::move(self)), most_(most), cluster_(std::move(cluster)) {}

void exchange::remember(const std::vector<remembered_member>& all) {
  std::lock_guard guard{mutex_};
  for (const auto& x : all)
    if (auto* peer = x.id == self_.id ? nullptr : peer_of(x.id)) {
      peer->lives = {x.start, x.life};
      peer->over = true; // until it is heard
    }
}

// -- directory ---------------------------------------------------------------------------------

void exchange::publish(std::string path, caf::strong_actor_ptr who) {
  auto id = who->id();
  auto* actor = who->get();
  caf::strong_actor_ptr replaced; // let go without the lock
  {
    std::lock_guard guard{mutex_};
    auto& at = published_[path];
    replaced = std::exchange(at, who);
  }
  if (replaced == who)
    return; // its end is watched already
  if (replaced)
    tell_end(path, replaced->id());
  actor->attach_functor([self = weak_from_this(), path, id](const caf::error&) {
    if (auto here = self.lock())
      here->tell_end(path, id);
  });
}

void exchange::withdraw(std::string_view path) {
  caf::strong_actor_ptr gone;
  {
    std::lock_guard guard{mutex_};
    if (auto i = published_.find(path); i != published_.end()) {
      gone = std::move(i->second);
      published_.erase(i);
    }
  }
  if (gone)
    tell_end(std::string{path}, gone->id());
}

caf::strong_actor_ptr exchange::local(std::string_view path) const {
  std::lock_guard guard{mutex_};
  auto i = published_.find(path);
  return i == published_.end() ? nullptr : i->second;
}

caf::strong_actor_ptr exchange::find(const node_id& node, std::string_view path) {
  if (node == self_.id)
    if (auto here = local(path))
      return here;
  caf::strong_actor_ptr result;
  {
    std::lock_guard guard{mutex_};
    if (auto* x = dealings_with(node))
      if (auto i = x->proxies.find(path); i != x->proxies.end())
        result = i->second.weak.lock();
  }
  if (result)
    return result;
  result = make_proxy(node, std::string{path});
  caf::strong_actor_ptr earlier; // another thread's, if both came here at once
  {
    std::lock_guard guard{mutex_};
    auto* x = peer_of(node);
    if (x == nullptr || stopped_ || proxies_ >= most_.proxies)
      return result; // works, but the end of its actor is not told
    auto [i, fresh] = x->deal().proxies.try_emplace(std::string{path});
    earlier = fresh ? nullptr : i->second.weak.lock();
    if (!earlier) {
      i->second = listed{caf::actor_cast<caf::weak_actor_ptr>(result), nullptr, false};
      proxies_ += fresh;
    }
  }
  return earlier ? earlier : result;
}

caf::strong_actor_ptr exchange::make_proxy(const node_id& node, std::string path) {
  caf::actor_config config;
  return caf::make_actor<proxy, caf::strong_actor_ptr>(system_.next_actor_id(), system_.node(),
                                                       &system_, config, shared_from_this(), node,
                                                       std::move(path));
}

void exchange::unlist(proxy& x) {
  listed gone;
  std::lock_guard guard{mutex_};
  auto* p = peers_.find(x.peer());
  if (p == nullptr || !p->with)
    return;
  auto i = p->with->proxies.find(x.path());
  if (i == p->with->proxies.end() || i->second.weak.get() != x.ctrl())
    return; // a later one has its place
  gone.weak = std::move(i->second.weak);
  p->with->proxies.erase(i);
  --proxies_;
  p->settle();
}

// -- the transport's thread --------------------------------------------------------------------

void exchange::frame_arrived(const node_id& from, std::string frame) {
  auto size = frame.size();
  if (arrived_bytes_.fetch_add(size) > most_.arrived_bytes) {
    arrived_bytes_ -= size;
    lost(from, failure_overloaded);
    return;
  }
  caf::anon_send(bridge_, frame_came{from, std::move(frame)});
}

void exchange::peer_up(const node_id& who) {
  caf::anon_send(bridge_, peer_changed{who, true, false, {}});
}

void exchange::peer_down(const node_id& who, transport::down how, std::string why) {
  caf::anon_send(bridge_,
                 peer_changed{who, false, how == transport::down::refused, std::move(why)});
}

void exchange::frame_lost(const node_id& to, std::string frame) {
  caf::anon_send(bridge_, frame_dropped{to, std::move(frame)});
}

// -- sending -----------------------------------------------------------------------------------

exchange::peer* exchange::peer_of(const node_id& id) {
  if (auto* known = peers_.find(id))
    return known;
  auto most = std::min(most_.peers, peers_.most);
  if (peers_.size() >= most)
    drop_idle();
  if (peers_.size() >= most)
    return nullptr;
  auto& x = peers_.add(id);
  x.next_sequence = floor_;
  return &x;
}

exchange::dealings* exchange::dealings_with(const node_id& id) {
  auto* x = peers_.find(id);
  return x == nullptr ? nullptr : x->with.get();
}

/// Forgets peers with whom nothing is under way, strangers that knocked once for the most part, and
/// what was lost with them. Members stay, whose losses a user looks for.
/// Their sequence goes on above `floor_`, should they come back.
void exchange::drop_idle() {
  peers_.drop_if([&](const peer& x) {
    auto done = !x.lives_on() && (!x.with || x.with->idle());
    if (done)
      floor_ = std::max(floor_, x.next_sequence);
    return done;
  });
}

std::optional<spoken_failure> exchange::post(const node_id& to, envelope_view& x, asker* who) {
  if (size_bound(x) + 64 > transport::max_frame_bytes)
    return spoken_failure{failure_refused, static_cast<std::uint32_t>(errc::too_large),
                          "a message of " + std::to_string(x.body.size())
                              + " bytes; a frame carries "
                              + std::to_string(transport::max_frame_bytes)};
  auto now = who != nullptr ? time_point{system_.clock().now()} : time_point{};
  bool wake = false;
  {
    std::lock_guard guard{mutex_};
    if (stopped_)
      return spoken_failure{failure_unreachable, 0, "the bridge has ended"};
    if (cluster_.empty() && !joins(x.kind) && x.failure == failure_none)
      return spoken_failure{failure_unreachable, 0, "who asks has not joined a cluster yet"};
    auto* p = peer_of(to);
    if (p == nullptr)
      return spoken_failure{failure_overloaded, 0,
                            "too many peers: " + std::to_string(most_.peers)};
    if (who != nullptr) {
      if (auto n = p->with ? p->with->in_flight : 0; n >= most_.requests_per_peer)
        return spoken_failure{failure_overloaded, 0,
                              std::to_string(n) + " requests wait for that node"};
      x.request = open_.open(to, std::move(*who), now, most_.deadline);
      x.deadline_ms = static_cast<std::uint32_t>(most_.deadline.count());
    }
    x.sequence = p->next_sequence;
    if (x.to_start == 0)
      x.to_start = value(p->lives.start);
    auto& with = p->deal();
    if (!with.out.add(x, cluster_, {self_.start, self_.life}, most_)) {
      if (who != nullptr)
        *who = *open_.close(x.request, to);
      return spoken_failure{failure_overloaded, 0,
                            std::to_string(most_.waiting_bytes) + " bytes wait for that node"};
    }
    ++p->next_sequence;
    with.in_flight += who != nullptr;
    if (!std::exchange(with.dirty, true))
      dirty_.push_back(to);
    wake = !std::exchange(flush_asked_, true);
  }
  if (wake)
    caf::anon_send(bridge_, flush{});
  return std::nullopt;
}

std::optional<spoken_failure> exchange::post(const node_id& to, std::string_view path,
                                             const caf::type_erased_tuple& what, asker* who) {
  static thread_local std::string body;
  envelope_view x;
  if (!encode(what, x.kind, body))
    return spoken_failure{failure_unknown_message, 0,
                          "this message does not travel between nodes: "
                              + caf::to_string(what.type(0))};
  x.to = path;
  x.body = body;
  return post(to, x, who);
}

bool exchange::tell_remote(const node_id& node, std::string_view path,
                           const caf::type_erased_tuple& what, caf::execution_unit*) {
  if (node == self_.id)
    return false;
  if (auto failed = post(node, path, what, nullptr)) {
    spdlog::debug("bridge not_sent peer={} path={} why={}", node.short_text(), path,
                  failed->detail);
    lost(node, failed->why);
  }
  return true;
}

void exchange::send(const node_id& to, const std::string& path, caf::mailbox_element& what,
                    caf::execution_unit* host) {
  bool asks = what.mid.is_request() && what.sender;
  asker who{what.sender, what.mid.response_id()};
  auto failed = post(to, path, what.content(), asks ? &who : nullptr);
  if (!failed)
    return;
  spdlog::debug("bridge not_sent peer={} path={} why={}", to.short_text(), path, failed->detail);
  if (asks)
    who.who->enqueue(
        nullptr, what.mid.response_id(),
        caf::make_message(make_error(understand(failed->why, failed->code, failed->detail))), host);
  else
    lost(to, failed->why);
}

void exchange::answer(const node_id& to, start_number start, std::uint64_t request,
                      const caf::type_erased_tuple& what) {
  static thread_local std::string body;
  body.clear();
  spoken_failure no;
  envelope_view x;
  if (what.match_elements<caf::error>())
    no = speak(what.get_as<caf::error>(0));
  else if (what.size() != 0 && what.type_token() != caf::make_type_token<caf::unit_t>()
           && !encode(what, x.kind, body))
    no = speak(fault{errc::refused, "the actor's answer does not travel between nodes"});
  x.body = body;
  x.reply_to = request;
  x.to_start = value(start);
  x.failure = no.why;
  x.code = no.code;
  x.detail = no.detail;
  auto failed = post(to, x, nullptr);
  if (!failed)
    return;
  lost(to, failed->why);
  if (failed->why == failure_overloaded) // but what was asked was done
    failed = {failure_unreachable, 0, "its answer found no room: " + failed->detail};
  tell_refusal(to, value(start), request, *failed);
}

void exchange::refuse(const node_id& to, std::uint64_t start, std::uint64_t request,
                      const spoken_failure& why) {
  lost(to, why.why);
  if (request != 0)
    tell_refusal(to, start, request, why);
}

void exchange::tell_refusal(const node_id& to, std::uint64_t start, std::uint64_t request,
                            const spoken_failure& why) {
  envelope_view x;
  x.reply_to = request;
  x.to_start = start;
  x.failure = why.why;
  x.code = why.code;
  x.detail = why.detail;
  if (auto failed = post(to, x, nullptr))
    lost(to, failed->why);
}

void exchange::lost(const node_id& at, failure why, std::uint64_t n) {
  if (n == 0)
    return;
  std::lock_guard guard{mutex_};
  if (auto* p = peer_of(at))
    p->deal().losses.add(why, n);
}

void exchange::fail(answers open, const fault& why, caf::execution_unit* host) {
  if (open.empty())
    return;
  {
    std::lock_guard guard{mutex_};
    for (auto& x : open)
      if (auto* p = peers_.find(x.peer); p != nullptr && p->with) {
        --p->with->in_flight;
        p->settle();
      }
  }
  for (auto& x : open)
    x.who.who->enqueue(nullptr, x.who.id, caf::make_message(make_error(why)), host);
}

// -- the bridge actor --------------------------------------------------------------------------

void exchange::start(bridge_actor_handle bridge, std::unique_ptr<transport::transport> carrier) {
  bool waits = false;
  {
    std::lock_guard guard{mutex_};
    bridge_ = std::move(bridge);
    carrier_ = std::move(carrier);
    waits = carrier_ && !dirty_.empty();
  }
  if (waits)
    caf::anon_send(bridge_, flush{});
}

void exchange::stop() {
  std::unique_ptr<transport::transport> carrier;
  std::vector<node_id> known;
  {
    std::lock_guard guard{mutex_};
    stopped_ = true;
    carrier = std::move(carrier_);
    for (auto& x : peers_)
      known.push_back(x.id);
  }
  carrier.reset(); // its thread uses bridge_ until here
  std::sort(known.begin(), known.end());
  for (auto& id : known)
    end_node(id, {errc::unreachable, "the bridge has ended"}, nullptr);
  std::map<std::string, caf::strong_actor_ptr, std::less<>> published;
  bridge_actor_handle bridge;
  std::lock_guard guard{mutex_};
  published.swap(published_);
  bridge = std::move(bridge_);
}

void exchange::on_flush(caf::execution_unit* host) {
  struct ready {
    node_id to;
    std::vector<outbox::packed> frames;
  };
  std::vector<ready> work;
  {
    std::lock_guard guard{mutex_};
    flush_asked_ = false;
    if (!carrier_)
      return; // frames came before `start` returned: it asks for a flush
    for (auto& id : dirty_) {
      auto* p = peers_.find(id);
      p->with->dirty = false;
      work.push_back({id, p->with->out.take()});
      p->settle();
    }
    dirty_.clear();
  }
  for (auto& [to, frames] : work)
    for (auto& frame : frames) {
      auto outcome = carrier_->send(to, std::move(frame.bytes));
      if (outcome == transport::sent::queued)
        continue;
      bool full = outcome == transport::sent::overloaded;
      auto why = full ? fault{errc::overloaded, "too much waits for node " + to.short_text()}
                      : fault{errc::unreachable, "no connection to node " + to.short_text()};
      lost(to, full ? failure_overloaded : failure_unreachable, frame.one_ways);
      answers open;
      {
        std::lock_guard guard{mutex_};
        for (auto number : frame.requests)
          if (auto who = open_.close(number, to))
            open.push_back({number, to, std::move(*who)});
      }
      fail(std::move(open), why, host);
    }
}

bool exchange::wants_tick() const {
  std::lock_guard guard{mutex_};
  return open_.size() != 0 || !watch_again_.empty();
}

bool exchange::on_tick(caf::execution_unit* host) {
  answers late;
  std::vector<node_id> again;
  {
    std::lock_guard guard{mutex_};
    late = open_.expire(system_.clock().now());
    again.swap(watch_again_);
  }
  for (auto& id : again)
    post_watches(id);
  fail(std::move(late),
       {errc::deadline, "no answer within " + std::to_string(most_.deadline.count()) + " ms"},
       host);
  return wants_tick();
}

losses exchange::count() const {
  losses result;
  std::lock_guard guard{mutex_};
  for (auto& x : peers_)
    if (x.with)
      for (auto& [why, n] : x.with->losses.counts())
        result.counts.push_back({x.id, why, n});
  std::stable_sort(result.counts.begin(), result.counts.end(),
                   [](auto& x, auto& y) { return x.peer < y.peer; });
  return result;
}

} // namespace legion::bridge
