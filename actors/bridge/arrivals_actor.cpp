// What the exchange does with frames, and with the news of who lives.
#include "actors/bridge/exchange_actor.hpp"

#include <algorithm>

#include <caf/make_actor.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/consensus/beats_actor.hpp"
#include "actors/membership/membership_actor.hpp"
#include "messages/vocabulary.hpp"

namespace legion::bridge {

namespace {

/// Known to be over, it is an old copy, and who asks begins its journal anew.
std::string other_start(std::uint64_t start, errc code) {
  auto said = "a later start of your node than " + std::to_string(start)
              + ", or another one of that number, is known here";
  if (code == errc::conflict)
    return said;
  return said
         + ", and not known to be over. If a second machine runs with a copy of this node.key, end "
           "it. Else wait: this one is admitted once the other is known to be down, unless its "
           "journal was lost and its clock is behind: then set the clock";
}

} // namespace

/// One message that may pass, with whom it is for.
struct exchange::arrival {
  envelope_view what;
  caf::strong_actor_ptr target; // an actor here; or
  std::optional<asker> answers; // who asked; or
  admission refused;            // why nobody gets it
};

void exchange::on_frame(const node_id& from, const std::string& bytes, caf::execution_unit* host) {
  arrived_bytes_ -= bytes.size();
  auto frame = read_frame(bytes);
  if (!frame) {
    spdlog::debug("bridge damaged_frame peer={} bytes={}", from.short_text(), bytes.size());
    return lost(from, failure_refused);
  }
  if (frame->version == wire_version
      && !learn_start(from, {start_number{frame->start}, frame->life}, host)) {
    // Late words of an earlier life, which nobody there hears an answer to; or a journal was lost.
    auto code = code_for_older_start(from, *frame);
    for (const auto& x : frame->messages)
      refuse(from, frame->start, x.request,
             {failure_refused, static_cast<std::uint32_t>(code), other_start(frame->start, code)});
    return;
  }
  std::vector<arrival> pass;
  pass.reserve(frame->messages.size());
  sort_out(from, *frame, pass);
  for (auto& x : pass)
    deliver(from, frame->start, x, host);
}

void exchange::sort_out(const node_id& from, const frame_view& frame, std::vector<arrival>& pass) {
  std::lock_guard guard{mutex_};
  auto* p = peer_of(from);
  if (p == nullptr || stopped_)
    return;
  for (auto& x : frame.messages) {
    auto order = p->arrivals.on(x.sequence);
    if (order.missing != 0)
      p->deal().losses.add(failure_none, order.missing); // the sender may know why, we don't
    if (!order.pass)
      continue;
    auto& to = pass.emplace_back();
    to.what = x;
    to.refused = admit(frame, x, cluster_, self_.start);
    if (to.refused.what != admission::verdict::pass)
      continue;
    if (x.reply_to != 0) {
      to.answers = open_.close(x.reply_to, from);
      if (to.answers)
        --p->deal().in_flight;
    } else if (x.kind != kind_watch && x.kind != kind_ended) {
      if (auto i = published_.find(x.to); i != published_.end())
        to.target = i->second;
    }
  }
  p->settle();
}

void exchange::deliver(const node_id& from, std::uint64_t start, arrival& x,
                       caf::execution_unit* host) {
  if (x.refused.what != admission::verdict::pass)
    return refuse(from, start, x.what.request, {x.refused.why, 0, x.refused.detail});
  if (x.what.reply_to != 0) {
    if (!x.answers)
      return; // it came after its deadline
    auto& [who, id] = *x.answers;
    if (x.what.failure != failure_none)
      return who->enqueue(
          nullptr, id,
          caf::make_message(make_error(understand(x.what.failure, x.what.code, x.what.detail))),
          host);
    if (x.what.kind == kind_done)
      return who->enqueue(nullptr, id, caf::make_message(), host);
    spoken_failure no;
    if (auto what = decode(x.what.kind, x.what.body, from, nullptr, id, no))
      return who->enqueue(std::move(what), host);
    return who->enqueue(
        nullptr, id, caf::make_message(make_error(understand(no.why, no.code, no.detail))), host);
  }
  if (x.what.kind == kind_watch)
    return on_watch(from, start, x.what);
  if (x.what.kind == kind_ended)
    return on_ended(from, x.what, host);
  constexpr auto most = caf::message_id::request_id_mask;
  spoken_failure no;
  if (!x.target)
    no = {failure_unknown_actor, 0, "no actor lives at " + std::string{x.what.to}};
  else if (x.what.request > most)
    no = {failure_refused, 0, "a request's number has at most 60 bits"};
  if (no.why != failure_none)
    return refuse(from, start, x.what.request, no);
  auto asked = x.what.request != 0;
  auto what = decode(x.what.kind, x.what.body, from, asked ? port_of(from, start) : nullptr,
                     asked ? caf::make_message_id(x.what.request) : caf::make_message_id(), no);
  if (!what)
    return refuse(from, start, x.what.request, no);
  x.target->enqueue(std::move(what), host);
}

caf::strong_actor_ptr exchange::port_of(const node_id& from, std::uint64_t start) {
  std::lock_guard guard{mutex_};
  auto* p = peer_of(from);
  if (p == nullptr)
    return nullptr;
  auto& port = p->deal().port;
  if (!port) {
    caf::actor_config config;
    port = caf::make_actor<reply_port, caf::strong_actor_ptr>(
        system_.next_actor_id(), system_.node(), &system_, config, shared_from_this(), from,
        start_number{start});
  }
  return port;
}

// -- who lives ---------------------------------------------------------------------------------

/// `conflict`: the later life is over, and the earlier one is of this cluster, so it is an old copy.
/// While the later one lives, a copy of its key on a second machine must not oust it.
errc exchange::code_for_older_start(const node_id& id, const frame_view& frame) {
  std::lock_guard guard{mutex_};
  auto* known = peers_.find(id);
  auto copy = known != nullptr && known->over && !cluster_.empty() && frame.cluster == cluster_;
  return copy ? errc::conflict : errc::outlived;
}

/// False: of an earlier start, or of another life that was counted the same.
bool exchange::learn_start(const node_id& id, const lifetime& of, caf::execution_unit* host) {
  caf::strong_actor_ptr port;
  bool restarted = false;
  {
    std::lock_guard guard{mutex_};
    auto* known = peers_.find(id);
    if (known == nullptr) {
      if (auto* fresh = peer_of(id)) {
        fresh->lives = of;
        fresh->heard = true;
      }
      return true;
    }
    auto& x = *known;
    auto which = age_of(of, x.lives);
    if (which == age::same && x.lives.life == 0)
      x.lives.life = of.life;
    if (which == age::same && !std::exchange(x.heard, true))
      x.over = false;
    if (which != age::later)
      return which == age::same;
    restarted = x.heard && x.lives.start != start_number{};
    x.heard = true;
    x.lives = of;
    x.over = x.judged = false;
    if (restarted) {
      x.arrivals.restart();
      if (x.with)
        port = std::move(x.with->port);
      x.settle();
    }
  }
  if (restarted)
    end_node(id, {errc::unreachable, "node " + id.short_text() + " has been started again"}, host);
  return true;
}

void exchange::end_node(const node_id& id, const fault& why, caf::execution_unit* host) {
  answers open;
  std::vector<caf::strong_actor_ptr> ended;
  caf::strong_actor_ptr port;
  std::map<std::string, listed, std::less<>> gone;
  {
    std::lock_guard guard{mutex_};
    open = open_.close_all(id);
    auto* p = peers_.find(id);
    if (p != nullptr && p->with) {
      gone.swap(p->with->proxies);
      proxies_ -= gone.size();
      if (stopped_)
        port = std::move(p->with->port);
      for (auto& [path, x] : gone)
        if (auto strong = x.weak.lock())
          ended.push_back(std::move(strong));
      p->settle();
    }
    for (auto& [path, who] : watchers_)
      std::erase(who, id);
  }
  fail(std::move(open), why, host);
  for (auto& x : ended)
    static_cast<caf::actor_proxy*>(x->get())->kill_proxy(host, make_error(why));
}

void exchange::on_peer(const peer_changed& x, caf::execution_unit* host) {
  if (x.up) {
    spdlog::debug("bridge peer_up peer={}", x.who.short_text());
    post_watches(x.who);
  } else {
    spdlog::debug("bridge peer_down peer={} why={}", x.who.short_text(), x.why);
    answers open;
    {
      std::lock_guard guard{mutex_};
      open = open_.close_all(x.who);
      // Before this node has joined no membership says that it is over.
      if (auto* p = peers_.find(x.who); p != nullptr && p->heard && !p->judged)
        p->over = true;
      if (auto* with = dealings_with(x.who))
        for (auto& [path, entry] : with->proxies)
          entry.watched = false;
    }
    fail(std::move(open),
         {errc::unreachable, "the connection to node " + x.who.short_text() + " is lost: " + x.why},
         host);
  }
  if (auto membership = local("membership"))
    caf::anon_send(caf::actor_cast<membership_handle>(membership), connection_hint{x.who, x.up});
  if (auto consensus = local("consensus"); consensus && !x.up)
    caf::anon_send(caf::actor_cast<beats_handle>(consensus), peer_lost{x.who, x.refused});
}

/// Its one-way messages are lost, its requests are answered at once.
void exchange::on_dropped(const frame_dropped& x, caf::execution_unit* host) {
  auto frame = read_frame(x.bytes);
  if (!frame)
    return;
  std::uint64_t one_ways = 0;
  answers open;
  {
    std::lock_guard guard{mutex_};
    for (auto& y : frame->messages) {
      if (y.request == 0)
        ++one_ways;
      else if (auto who = open_.close(y.request, x.to))
        open.push_back({y.request, x.to, std::move(*who)});
    }
  }
  lost(x.to, failure_unreachable, one_ways);
  fail(std::move(open), {errc::unreachable, "no connection to node " + x.to.short_text()}, host);
}

void exchange::on_member(const member_change& x, caf::execution_unit* host) {
  auto id = node_id::from_bytes(x.who.id());
  if (id == self_.id || id.null())
    return;
  lifetime said{start_number{x.who.start()}, x.who.life()};
  bool known = false;
  bool current = true;
  {
    std::lock_guard guard{mutex_};
    auto* p = peers_.find(id);
    known = p != nullptr;
    current = !known || age_of(said, p->lives) != age::earlier;
    if (known && current) {
      p->over = x.state == member_dead || x.state == member_left;
      p->judged = true;
    }
  }
  if (x.state == member_alive || x.state == member_suspect) {
    if (known)
      learn_start(id, said, host);
    if (current && !x.who.endpoint().empty())
      carrier_->introduce({id, x.who.endpoint(), x.who.public_key()});
    return;
  }
  if (!current)
    return; // the death of an earlier start
  if (known)
    end_node(id,
             {errc::unreachable,
              "node " + id.short_text() + (x.state == member_left ? " has left" : " is dead")},
             host);
  if (x.state == member_left)
    carrier_->forget(id);
}

void exchange::on_cluster(std::string cluster) {
  std::lock_guard guard{mutex_};
  cluster_ = std::move(cluster);
}

void exchange::introduce(const transport::peer& who) {
  carrier_->introduce(who);
}

// -- watching ----------------------------------------------------------------------------------

void exchange::watch(proxy& x) {
  caf::strong_actor_ptr self{x.ctrl()};
  {
    std::lock_guard guard{mutex_};
    auto* with = dealings_with(x.peer());
    if (with == nullptr)
      return;
    auto i = with->proxies.find(x.path());
    if (i == with->proxies.end() || i->second.weak.get() != x.ctrl() || i->second.pin)
      return;
    i->second.pin = self;
  }
  post_watches(x.peer());
}

void exchange::unwatch(proxy& x) {
  caf::strong_actor_ptr gone;
  std::lock_guard guard{mutex_};
  auto* with = dealings_with(x.peer());
  if (with == nullptr)
    return;
  auto i = with->proxies.find(x.path());
  if (i != with->proxies.end() && i->second.weak.get() == x.ctrl())
    gone = std::move(i->second.pin);
}

void exchange::watch_again(const node_id& node) {
  std::lock_guard guard{mutex_};
  if (stopped_)
    return;
  if (auto* with = dealings_with(node))
    for (auto& [path, x] : with->proxies)
      x.watched = false;
  if (std::find(watch_again_.begin(), watch_again_.end(), node) == watch_again_.end())
    watch_again_.push_back(node);
}

void exchange::post_watches(const node_id& node) {
  std::vector<std::pair<std::string, caf::strong_actor_ptr>> wanted;
  {
    std::lock_guard guard{mutex_};
    auto* with = dealings_with(node);
    if (with == nullptr || stopped_)
      return;
    for (auto& [path, x] : with->proxies)
      if (x.pin && !std::exchange(x.watched, true))
        wanted.emplace_back(path, x.pin);
  }
  for (auto& [path, who] : wanted) {
    asker answer{who, caf::make_message_id(1).response_id()};
    envelope_view x;
    x.to = path;
    x.kind = kind_watch;
    auto failed = post(node, x, &answer);
    if (failed && failed->why == failure_overloaded)
      watch_again(node);
  }
}

void exchange::on_watch(const node_id& from, std::uint64_t start, const envelope_view& x) {
  std::optional<spoken_failure> no;
  {
    std::lock_guard guard{mutex_};
    if (!published_.contains(x.to)) {
      no = spoken_failure{failure_unknown_actor, 0, "no actor lives at " + std::string{x.to}};
    } else {
      auto i = watchers_.try_emplace(std::string{x.to}).first;
      if (std::find(i->second.begin(), i->second.end(), from) == i->second.end())
        i->second.push_back(from);
    }
  }
  if (no)
    return refuse(from, start, x.request, *no);
  envelope_view done;
  done.reply_to = x.request;
  done.to_start = start;
  if (auto failed = post(from, done, nullptr))
    lost(from, failed->why);
}

void exchange::on_ended(const node_id& from, const envelope_view& x, caf::execution_unit* host) {
  caf::strong_actor_ptr who;
  {
    std::lock_guard guard{mutex_};
    auto* with = dealings_with(from);
    if (with == nullptr)
      return;
    if (auto i = with->proxies.find(x.to); i != with->proxies.end())
      who = i->second.weak.lock();
  }
  if (who)
    end(*static_cast<proxy*>(who->get()), {errc::unreachable, std::string{x.detail}}, host);
}

void exchange::end(proxy& x, const fault& why, caf::execution_unit* host) {
  caf::strong_actor_ptr keep{x.ctrl()};
  unwatch(x);
  unlist(x);
  x.kill_proxy(host, make_error(why));
}

void exchange::tell_end(const std::string& path, caf::actor_id who) {
  caf::strong_actor_ptr gone;
  std::vector<node_id> watchers;
  {
    std::lock_guard guard{mutex_};
    if (auto i = published_.find(path); i != published_.end() && i->second->id() == who) {
      gone = std::move(i->second);
      published_.erase(i);
    }
    if (auto i = watchers_.find(path); i != watchers_.end()) {
      watchers.swap(i->second);
      watchers_.erase(i);
    }
  }
  for (auto& to : watchers) {
    envelope_view x;
    x.to = path;
    x.kind = kind_ended;
    x.detail = "the actor has ended";
    if (auto failed = post(to, x, nullptr))
      lost(to, failed->why);
  }
}

} // namespace legion::bridge
