#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/bridge/directory.hpp"
#include "actors/census/census.hpp"
#include "actors/consensus/log_records.hpp"
#include "actors/group/group_actor.hpp"
#include "actors/group/group_keys.hpp"
#include "actors/group/whereabouts.hpp"
#include "runtime/simulator/virtual_system.hpp"
#include "tests/scenario/played_membership.hpp"

// A group, its keepers and their rounds of placement, as they are; nodes, journal and membership
// are played by the test. Time is virtual.

namespace legion {

struct sync_journal {
  std::size_t count = 0;
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::sync_journal)

namespace legion::keeping_world {

using std::chrono::microseconds;

/// How a played node behaves, and what it holds.
struct part {
  node_id id;
  std::string name;
  bool silent = false; // as dead as a node looks from outside
  bool full = false;   // declines every call
  int regrets = 0;     // of the next slots
  bool slow = false;   // does not stop what it is told to stop
  std::map<std::string, slot> holds;
};

struct play {
  std::vector<std::string> transcript;
  std::map<std::string, std::string> journal;
  bool disk_full = false;
  std::vector<part> nodes;

  std::size_t first(const std::string& what) const {
    for (std::size_t i = 0; i < transcript.size(); ++i)
      if (transcript[i].find(what) == 0)
        return i;
    return std::string::npos;
  }
  std::size_t count(const std::string& what) const {
    return static_cast<std::size_t>(
        std::count_if(transcript.begin(), transcript.end(),
                      [&](const std::string& x) { return x.find(what) == 0; }));
  }
};

using play_ptr = std::shared_ptr<play>;

class played_directory : public directory {
public:
  void publish(std::string, caf::strong_actor_ptr) override {}
  void withdraw(std::string_view) override {}
  caf::strong_actor_ptr find(const node_id& node, std::string_view) override { return nodes[node]; }
  std::map<node_id, caf::strong_actor_ptr> nodes;
};

const char* kind_of(const std::string& key, const std::string& value) {
  consensus_entry entry;
  group_entry x;
  if (key.find("/log/") == std::string::npos || !entry.ParseFromString(value)
      || entry.kind() != consensus_data || !x.ParseFromString(entry.data()))
    return "other";
  switch (x.what_case()) {
    case group_entry::kPut:
      return "put";
    case group_entry::kRemove:
      return "remove";
    case group_entry::kNamed:
      return "named";
    case group_entry::kAccepted:
      return "accepted";
    case group_entry::kEnded:
      return "ended";
    case group_entry::kFinished:
      return "finished";
    default:
      return "gone";
  }
}

using slow_store = store_handle::extend<caf::reacts_to<sync_journal>>;

/// Takes 10 ms to sync.
inline slow_store::behavior_type store_actor(slow_store::pointer self, play_ptr play) {
  using reply = caf::typed_response_promise<written>;
  auto waiting = std::make_shared<std::vector<std::pair<record_batch, reply>>>();
  return {
      [=](record_batch& x) {
        auto promise = self->make_response_promise<written>();
        waiting->emplace_back(std::move(x), promise);
        self->delayed_send(self, milliseconds{10}, sync_journal{1});
        return promise;
      },
      [=](sync_journal) {
        auto [batch, promise] = std::move(waiting->front());
        waiting->erase(waiting->begin());
        if (play->disk_full && !batch.from_ballast()) {
          promise.deliver(make_error(fault{errc::disk_full, "0 bytes free"}));
          return;
        }
        for (const auto& x : batch.records()) {
          if (x.value().empty()) {
            play->journal.erase(x.key());
            continue;
          }
          play->journal[x.key()] = x.value();
          play->transcript.push_back(std::string{"written "} + kind_of(x.key(), x.value()));
        }
        promise.deliver(written{});
      },
      [](const subscribe_health&) {},
  };
}

inline membership_handle::behavior_type membership_actor(membership_handle::pointer,
                                                         play_ptr play) {
  return membership_that_knows([play] {
    members_known result;
    for (const auto& x : play->nodes)
      add_member(result, x.id, x.name);
    return result;
  });
}

template <class T>
caf::result<T> silence(node_handle::pointer self) {
  return self->make_response_promise<T>(); // never kept: the asker's time-out decides
}

inline accept_reply take(play& play, part& me, const accept& x) {
  accept_reply reply;
  for (const auto& y : x.slots()) {
    play.transcript.push_back("accept " + me.name);
    auto& answer = *reply.add_slots();
    answer.set_uid(y.uid());
    *answer.mutable_order() = y.order();
    if (me.regrets > 0) {
      --me.regrets;
      answer.set_regret(regret_capacity);
      answer.set_detail("cpu went elsewhere");
    } else {
      me.holds[y.uid()] = y;
      answer.set_bound(true);
    }
  }
  return reply;
}

inline release_reply give_back(play& play, part& me, const release& x) {
  release_reply reply;
  if (x.offer() != 0)
    play.transcript.push_back("release offer " + me.name);
  for (const auto& y : x.slots()) {
    play.transcript.push_back("release slot " + me.name);
    if (me.slow && me.holds.contains(y.uid())) {
      *reply.add_stopping() = y;
      continue;
    }
    me.holds.erase(y.uid());
    *reply.add_released() = y;
  }
  return reply;
}

inline node_handle::behavior_type node_actor(node_handle::pointer self, play_ptr play,
                                             std::size_t index) {
  auto offers = std::make_shared<std::uint64_t>(index * 1000);
  return {
      [=](const call& x) -> caf::result<call_reply> {
        auto& me = play->nodes[index];
        if (me.silent)
          return silence<call_reply>(self);
        play->transcript.push_back("call " + me.name);
        call_reply reply;
        reply.set_call(x.id());
        if (me.full) {
          reply.mutable_decline()->set_reason(decline_cpu);
          reply.mutable_decline()->set_detail("cpu: needs 100m, free 0m of 1000m");
          return reply;
        }
        auto& offer = *reply.mutable_offer();
        offer.set_id(++*offers);
        offer.set_count(x.count());
        offer.set_replicas(static_cast<std::uint32_t>(me.holds.size()));
        offer.set_start(1);
        offer.mutable_total()->set_cpu_millis(1000);
        offer.mutable_free()->set_cpu_millis(500);
        return reply;
      },
      [=](const accept& x) -> caf::result<accept_reply> {
        if (play->nodes[index].silent)
          return silence<accept_reply>(self);
        return take(*play, play->nodes[index], x);
      },
      [=](const release& x) -> caf::result<release_reply> {
        if (play->nodes[index].silent)
          return silence<release_reply>(self);
        return give_back(*play, play->nodes[index], x);
      },
      [](const report&) { return report_reply{}; },
      [](const lease_ask&) { return lease_answer{}; },
      [](const group_request&) { return group_reply{}; },
      [](const node_request&) { return node_view{}; },
      [](const logs_request&) { return log_lines{}; },
      [](const member_change&) {},
      [=](const group_claimed& x) { play->transcript.push_back(x.keeps ? "claimed" : "withdrew"); },
      [](const roster_known&) {},
      [](const group_mail&) {},
      [](const group_let_go&) {},
      [](const drain&) { return drained{}; },
  };
}

inline resource deployment(int replicas, const std::string& image = "a") {
  resource x;
  x.set_api_version("apps/v1");
  x.set_kind("Deployment");
  x.mutable_metadata()->set_name("web");
  x.mutable_metadata()->set_namespace_("default");
  x.mutable_deployment()->set_replicas(replicas);
  x.mutable_deployment()->mutable_template_()->mutable_spec()->add_containers()->set_image(image);
  return x;
}

inline resource_name web() {
  resource_name x;
  x.set_kind("Deployment");
  x.set_namespace_("default");
  x.set_name("web");
  return x;
}

struct stage {
  explicit stage(int size = 3, bool founded = true) {
    for (int i = 0; i < size; ++i) {
      part x;
      x.id = node_id::from_bytes(std::string(15, 'n') + static_cast<char>('0' + i));
      x.name = "legion-" + std::to_string(i);
      act->nodes.push_back(std::move(x));
    }
    node_context made;
    made.self.id = act->nodes[0].id;
    made.self.name = act->nodes[0].name;
    made.self.start = start_number{1};
    made.journal_id = std::string(16, 'j');
    made.seed = 5;
    made.wall_clock = [this] { return wall_ms{1'000'000} + system.now().count() / 1000; };
    made.directory = nodes_by_id;
    made.census = std::make_shared<census>();
    context = std::make_shared<const node_context>(std::move(made));
    auto& actors = system.actors();
    store = caf::actor_cast<store_handle>(actors.spawn(store_actor, act));
    membership = actors.spawn(membership_actor, act);
    for (std::size_t i = 0; i < act->nodes.size(); ++i) {
      nodes.push_back(actors.spawn(node_actor, act, i));
      nodes_by_id->nodes[act->nodes[i].id] = caf::actor_cast<caf::strong_actor_ptr>(nodes.back());
    }
    beats = spawn_beats(actors, context);
    if (founded)
      found();
    start();
    pass(milliseconds{100});
  }

  void found() {
    record_batch first;
    consensus::log_records::found(
        group::key_prefix(group::group_of(web())),
        {{context->self.id, consensus::journal_id::from_bytes(context->journal_id)}}, first);
    for (const auto& x : first.records())
      act->journal[x.key()] = x.value();
  }

  ~stage() {
    caf::anon_send_exit(beats, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(group, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(store, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(membership, caf::exit_reason::user_shutdown);
    for (auto& x : nodes)
      caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    pass(milliseconds{1});
    nodes_by_id->nodes.clear();
  }

  void start() {
    std::vector<record> records;
    for (const auto& [key, value] : act->journal) {
      records.emplace_back();
      records.back().set_key(key);
      records.back().set_value(value);
    }
    group = spawn_group(system.actors(), context, group::group_of(web()),
                        journal = std::make_shared<consensus::journal_copy>(records),
                        {store, membership, beats, nodes[0], {}});
  }

  /// The node that keeps the group is killed and starts again.
  void restart() {
    caf::anon_send_exit(group, caf::exit_reason::kill);
    pass(milliseconds{1});
    start();
    pass(milliseconds{100});
  }

  /// The group's actor alone fails, and its node starts another one.
  void fail() {
    caf::anon_send_exit(group, caf::exit_reason::kill);
    pass(milliseconds{1});
    group = spawn_group(system.actors(), context, group::group_of(web()), journal,
                        {store, membership, beats, nodes[0], {}});
    pass(milliseconds{100});
  }

  void pass(microseconds x) { system.run_until(system.now() + x); }

  group_reply ask(group_request x, microseconds wait = seconds{1}) {
    auto answer = std::make_shared<std::optional<group_reply>>();
    system.actors().spawn([=, to = group](caf::event_based_actor* self) {
      self->request(to, seconds{20}, x)
          .then([=](group_reply& y) { *answer = std::move(y); }, [](caf::error&) {});
    });
    auto end = system.now() + wait;
    while (!*answer && system.now() < end)
      pass(milliseconds{1});
    REQUIRE(*answer);
    return **answer;
  }

  group_reply put(const resource& x) {
    group_request request;
    request.set_request_id("put" + std::to_string(++requests));
    *request.mutable_put()->mutable_what() = x;
    return ask(request);
  }

  group_reply remove() {
    group_request request;
    *request.mutable_remove()->mutable_name() = web();
    return ask(request);
  }

  resource_view read() {
    group_request request;
    request.mutable_read()->set_all_namespaces(true);
    request.mutable_read()->set_events(true);
    auto reply = ask(request);
    return reply.views().views().empty() ? resource_view{} : reply.views().views(0);
  }

  std::vector<pod_view> pods(const std::string& state) {
    std::vector<pod_view> result;
    auto all = read();
    for (const auto& x : all.pods())
      if (x.state() == state)
        result.push_back(x);
    return result;
  }

  /// Every living node tells of all it holds.
  void report_all() {
    for (const auto& x : act->nodes) {
      if (x.silent)
        continue;
      report what;
      what.set_node(x.id.bytes());
      what.set_start(1);
      what.set_sequence(++sequence);
      what.set_full(true);
      for (const auto& [uid, slot] : x.holds) {
        auto& y = *what.add_assessments();
        *y.mutable_slot() = slot;
        *y.mutable_of() = web();
        y.set_phase("Running");
        y.set_ready(true);
      }
      caf::anon_send(group, what);
    }
    pass(milliseconds{100});
  }

  void member(std::size_t i, member_state state) {
    act->nodes[i].silent = state == member_dead;
    legion::member who;
    who.set_id(act->nodes[i].id.bytes());
    who.set_name(act->nodes[i].name);
    who.set_start(1);
    caf::anon_send(group, member_change{std::move(who), state, {}});
  }

  std::size_t held() const {
    std::size_t result = 0;
    for (const auto& x : act->nodes)
      result += x.holds.size();
    return result;
  }

  simulator::virtual_system system{1};
  play_ptr act = std::make_shared<play>();
  std::shared_ptr<played_directory> nodes_by_id = std::make_shared<played_directory>();
  context_ptr context;
  store_handle store;
  membership_handle membership;
  beats_handle beats;
  std::vector<node_handle> nodes;
  group_handle group;
  consensus::journal_copy_ptr journal;
  int requests = 0;
  std::uint64_t sequence = 0;
};

} // namespace legion::keeping_world
