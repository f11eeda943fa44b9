#include "actors/gateway/gateway_actor.hpp"

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>
#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/census/census.hpp"
#include "actors/gateway/inquiry.hpp"
#include "actors/node/node_actor.hpp"
#include "messages/random.hpp"

namespace legion {

namespace {

/// What wakes an inquiry; of no id: its client, that hears nothing.
struct alarm {
  std::uint64_t job = 0;
  std::uint64_t id = 0;
};

} // namespace

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::alarm)

namespace legion {

namespace {

constexpr std::size_t most_jobs = 512;
constexpr auto zone_timeout = std::chrono::seconds{5};
/// Who has no answer by then says that it lives: clients go on to another node after 2 s of silence.
constexpr auto first_word = std::chrono::seconds{1};
/// A stream's client takes a node for a silent one that says nothing for 15 s.
constexpr auto next_word = std::chrono::seconds{5};
constexpr std::size_t most_asks = 4'096; // CAF's time per request grows with what is outstanding

/// Between the socket's thread and the actor. The server is set before its first request is
/// handled.
struct api_link final : api::sink {
  void request_arrived(std::uint64_t request, std::string frame) override {
    if (auto to = caf::actor_cast<gateway_handle>(actor))
      caf::anon_send(to, api_arrived{request, std::move(frame)});
  }
  void request_cancelled(std::uint64_t request) override {
    if (auto to = caf::actor_cast<gateway_handle>(actor))
      caf::anon_send(to, api_cancelled{request});
  }

  caf::actor_addr actor;
  std::mutex mutex;
  std::unique_ptr<api::server> server; // by mutex, until the actor has it
};

// What "node" answers to what.
template <class Request>
struct reply_to {
  using type = node_view;
};
template <>
struct reply_to<group_request> {
  using type = group_reply;
};
template <>
struct reply_to<logs_request> {
  using type = log_lines;
};

using own_handle = gateway_handle::extend<caf::reacts_to<alarm>>;

struct job {
  std::unique_ptr<gateway::inquiry> rules;
  std::string request_id;
  std::uint64_t socket_request = 0; // 0: asked by an actor, which gets one reply
  bool spoken = false;
  caf::typed_response_promise<api_reply> reply;
};

struct gateway_state {
  static inline const char* name = "gateway";
  context_ptr context;
  gateway::zone_members zone;
  std::shared_ptr<api_link> link;
  std::unique_ptr<api::server> server;
  seeded_random random;
  membership_handle membership;
  std::vector<std::pair<job, api_request>> early; // they wait until the zone is known
  bool learning = false;
  bool zone_known = false;
  std::string cluster;
  bool asks_cluster = false;
  std::map<std::uint64_t, job> jobs;
  std::map<std::uint64_t, std::uint64_t> job_of_socket; // by the server's request number
  std::uint64_t last_job = 0;
  std::size_t asks = 0;

  ~gateway_state() { server.reset(); }
};

using gateway_pointer = own_handle::stateful_pointer<gateway_state>;

void run(gateway_pointer self, std::uint64_t id, gateway::effects todo);

gateway::surroundings surroundings(gateway_pointer self) {
  auto& state = self->state;
  return {state.zone,     state.context->self.id, self->clock().now(),
          LEGION_VERSION, state.cluster,          state.context->self.zone};
}

void end_job(gateway_pointer self, std::uint64_t id) {
  auto& state = self->state;
  auto i = state.jobs.find(id);
  if (i == state.jobs.end())
    return;
  state.job_of_socket.erase(i->second.socket_request);
  state.jobs.erase(i);
}

void answered(gateway_pointer self, std::uint64_t job, std::uint64_t id,
              const gateway::answer& what) {
  --self->state.asks;
  auto i = self->state.jobs.find(job);
  if (i != self->state.jobs.end())
    run(self, job, i->second.rules->on(id, what, surroundings(self)));
}

template <class Request>
void send(gateway_pointer self, std::uint64_t job, const gateway::ask& x, const node_handle& node,
          const Request& what) {
  using reply = typename reply_to<Request>::type;
  self->request(node, x.timeout, what)
      .then([self, job, id = x.id](const reply& y) { answered(self, job, id, gateway::answer{y}); },
            [self, job, id = x.id](const caf::error& why) {
              answered(self, job, id, gateway::answer{fault_of(why)});
            });
}

void send(gateway_pointer self, std::uint64_t job, const gateway::ask& x, const node_handle&,
          const charter_request& what) {
  const auto& context = *self->state.context;
  auto charter = context.directory->at<charter_handle>(context.self.id, "charter");
  self->request(charter, x.timeout, what)
      .then([self, job,
             id = x.id](const charter_reply& y) { answered(self, job, id, gateway::answer{y}); },
            [self, job, id = x.id](const caf::error& why) {
              answered(self, job, id, gateway::answer{fault_of(why)});
            });
}

void perform(gateway_pointer self, std::uint64_t job, gateway::ask&& x) {
  auto& state = self->state;
  if (state.asks >= most_asks) {
    ++state.asks;
    return answered(self, job, x.id, fault{errc::overloaded, "this gateway asks too much at once"});
  }
  ++state.asks;
  auto node = state.context->directory->at<node_handle>(x.whom, "node");
  std::visit([&](const auto& what) { send(self, job, x, node, what); }, x.what);
}

void perform(gateway_pointer self, std::uint64_t job, const gateway::wake& x) {
  self->delayed_send(self, x.after, alarm{job, x.id});
}

void perform(gateway_pointer self, std::uint64_t id, gateway::say&& x) {
  auto& state = self->state;
  auto i = state.jobs.find(id);
  if (i == state.jobs.end() || (x.progress && i->second.socket_request == 0))
    return;
  auto& what = x.what;
  i->second.spoken = true;
  what.set_request_id(i->second.request_id);
  what.set_answered_by(state.context->self.name);
  if (i->second.socket_request == 0) {
    what.set_last(true);
    i->second.reply.deliver(std::move(what));
    return end_job(self, id);
  }
  auto frame = what.SerializeAsString();
  if (frame.size() > api::max_frame_bytes) {
    api_reply instead;
    instead.set_request_id(i->second.request_id);
    instead.set_last(true);
    *instead.mutable_refused() = gateway::make_refusal(
        refusal_too_large, "the answer has " + std::to_string(frame.size())
                               + " bytes, the limit is " + std::to_string(api::max_frame_bytes)
                               + ": ask for less, by name, -n or -l");
    what = std::move(instead);
    frame = what.SerializeAsString();
  }
  spdlog::debug("gateway say job={} bytes={} last={}", id, frame.size(), what.last());
  auto heard =
      state.server && state.server->reply(i->second.socket_request, std::move(frame), what.last());
  if (what.last() || !heard)
    end_job(self, id);
}

void say_that_it_lives(gateway_pointer self, std::uint64_t id) {
  auto& jobs = self->state.jobs;
  if (!jobs.at(id).spoken)
    perform(self, id, gateway::still_at_it());
  auto i = jobs.find(id);
  if (i == jobs.end())
    return; // its client is gone
  i->second.spoken = false;
  self->delayed_send(self, next_word, alarm{id, 0});
}

void on_alarm(gateway_pointer self, const alarm& x) {
  auto i = self->state.jobs.find(x.job);
  if (i == self->state.jobs.end())
    return;
  if (x.id != 0)
    run(self, x.job, i->second.rules->on_wake(x.id, surroundings(self)));
  else
    say_that_it_lives(self, x.job);
}

void run(gateway_pointer self, std::uint64_t id, gateway::effects todo) {
  for (auto& x : todo) {
    if (!self->state.jobs.contains(id))
      return;
    std::visit([&](auto& effect) { perform(self, id, std::move(effect)); }, x);
  }
}

void begin(gateway_pointer self, job fresh, api_request what);

void learn_zone(gateway_pointer self) {
  auto& state = self->state;
  state.learning = true;
  auto go_on = [self] {
    self->state.zone_known = true;
    for (auto& [fresh, what] : std::exchange(self->state.early, {}))
      begin(self, std::move(fresh), std::move(what));
  };
  self->request(state.membership, zone_timeout, list_members{})
      .then(
          [self, go_on](const members_known& x) {
            for (auto& y : x.members)
              self->state.zone.on(y.who, y.state, self->clock().now());
            self->state.cluster = x.cluster;
            go_on();
          },
          [go_on](const caf::error&) { go_on(); });
  self->send(state.membership, subscribe_members{caf::actor_cast<caf::strong_actor_ptr>(self)});
}

/// A node that has joined after its gateway began learns then whose cluster it is in.
void learn_cluster(gateway_pointer self) {
  auto& state = self->state;
  if (!state.zone_known || !state.cluster.empty() || std::exchange(state.asks_cluster, true))
    return;
  self->request(state.membership, zone_timeout, list_members{})
      .then(
          [self](const members_known& x) {
            self->state.cluster = x.cluster;
            self->state.asks_cluster = false;
          },
          [self](const caf::error&) { self->state.asks_cluster = false; });
}

void begin(gateway_pointer self, job fresh, api_request what) {
  auto& state = self->state;
  if (!state.zone_known && state.early.size() < most_jobs) {
    state.early.emplace_back(std::move(fresh), std::move(what));
    if (!state.learning)
      learn_zone(self);
    return;
  }
  auto id = ++state.last_job;
  spdlog::debug("gateway request job={} what={}", id, static_cast<int>(what.what_case()));
  if (what.request_id().empty()) {
    std::string made;
    for (auto i = 0; i < 16; ++i)
      made += static_cast<char>(state.random() & 0xff);
    what.set_request_id(made);
  }
  fresh.request_id = what.request_id();
  if (fresh.socket_request != 0)
    state.job_of_socket[fresh.socket_request] = id;
  auto full = state.jobs.size() >= most_jobs;
  if (!full)
    fresh.rules = gateway::make_inquiry(what);
  auto& x = state.jobs[id] = std::move(fresh);
  if (x.socket_request != 0 && !full)
    self->delayed_send(self, first_word, alarm{id, 0});
  run(self, id,
      full ? gateway::refuse(refusal_overloaded,
                             "overloaded: " + state.context->self.name
                                 + " answers 512 requests already; try again, or another node")
           : x.rules->start(surroundings(self)));
}

void begin_frame(gateway_pointer self, const api_arrived& x) {
  auto& state = self->state;
  if (!state.server) {
    std::lock_guard guard{state.link->mutex};
    state.server = std::move(state.link->server);
  }
  job fresh;
  fresh.socket_request = x.request;
  api_request what;
  if (what.ParseFromString(x.frame))
    return begin(self, std::move(fresh), std::move(what));
  api_reply reply;
  reply.set_last(true);
  *reply.mutable_refused() = gateway::make_refusal(
      refusal_invalid, "that is no request of Legion's API: docs/cluster-api.md");
  if (state.server)
    state.server->reply(x.request, reply.SerializeAsString(), true);
}

own_handle::behavior_type gateway_actor(gateway_pointer self, context_ptr context,
                                        membership_handle membership,
                                        std::shared_ptr<api_link> link) {
  auto& state = self->state;
  state.random.seed(context->seed_for("gateway"));
  state.context = std::move(context);
  state.link = std::move(link);
  self->set_default_handler(
      [](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
        spdlog::debug("gateway drops a message that nobody expects");
        return caf::sec::unexpected_message;
      });
  self->set_exception_handler([](caf::scheduled_actor*, std::exception_ptr& x) -> caf::error {
    try {
      std::rethrow_exception(x);
    } catch (const std::exception& why) {
      spdlog::error("gateway ends what={}", why.what());
    } catch (...) {
    }
    return caf::sec::runtime_error;
  });
  state.membership = std::move(membership);
  // Without a socket perhaps nobody ever asks; then 10,000 simulated gateways need no member lists.
  if (state.context->make_api)
    learn_zone(self);
  return {
      [self](const api_arrived& x) { begin_frame(self, x); },
      [self](const api_cancelled& x) {
        auto i = self->state.job_of_socket.find(x.request);
        if (i != self->state.job_of_socket.end())
          end_job(self, i->second);
      },
      [self](const api_request& x) -> caf::typed_response_promise<api_reply> {
        job fresh;
        fresh.reply = self->make_response_promise<api_reply>();
        auto reply = fresh.reply;
        begin(self, std::move(fresh), x);
        return reply;
      },
      [self](const member_change& x) {
        self->state.zone.on(x.who, x.state, self->clock().now());
        learn_cluster(self);
      },
      [self](const roster_known& x) { self->state.zone.know(x.roster); },
      [self](const alarm& x) { on_alarm(self, x); },
  };
}

} // namespace

result<gateway_handle> spawn_gateway(caf::actor_system& system, const context_ptr& context,
                                     const membership_handle& membership) {
  auto link = std::make_shared<api_link>();
  std::lock_guard guard{link->mutex};
  auto made = spawn_enrolled(system, context, "gateway", gateway_actor, context, membership, link);
  auto handle = caf::actor_cast<gateway_handle>(made);
  if (!context->make_api)
    return handle;
  link->actor = caf::actor_cast<caf::actor_addr>(handle);
  auto server = context->make_api(*link);
  if (!server) {
    caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
    return server.why();
  }
  link->server = std::move(*server);
  return handle;
}

} // namespace legion
