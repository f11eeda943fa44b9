#pragma once

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <sstream>

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/census/census.hpp"
#include "actors/group/state.hpp"
#include "actors/group/whereabouts.hpp"
#include "actors/node/cluster_node.hpp"
#include "actors/node/node_actor.hpp"
#include "runtime/drivers/fake/machine.hpp"
#include "runtime/simulator/virtual_system.hpp"
#include "runtime/store/memory/disk.hpp"
#include "tests/scenario/played_membership.hpp"

// One node as it is: its promises and workloads, its journal in memory, a machine that runs nothing
// real. The keeper and membership are played by the test. Time is virtual.

namespace legion::node_world {

using std::chrono::microseconds;

inline const node_id keeper_id = node_id::from_bytes(std::string(16, 'k'));
inline const node_id self_id = node_id::from_bytes(std::string(16, 'n'));

struct heard {
  std::map<std::string, assessment> latest; // by uid
  std::vector<std::string> transcript;      // "pod phase ready verdict" as it changes, and events
  int reports = 0;
  int full = 0;
  int leases = 0; // asks that were answered
  bool deaf = false;
  bool renews = true;
  bool relies = false; // on what was salvaged
};
using heard_ptr = std::shared_ptr<heard>;

inline void note(heard& all, std::string line) {
  if (all.transcript.empty() || all.transcript.back() != line)
    all.transcript.push_back(std::move(line));
}

inline node_handle::behavior_type keeper_actor(node_handle::pointer self, heard_ptr all) {
  return {
      [](const call&) { return call_reply{}; },
      [](const accept&) { return accept_reply{}; },
      [](const release&) { return release_reply{}; },
      [=](const report& x) -> caf::result<report_reply> {
        if (all->deaf)
          return self->make_response_promise<report_reply>();
        ++all->reports;
        all->full += x.full();
        for (const auto& y : x.assessments()) {
          all->latest[y.slot().uid()] = y;
          note(*all, y.phase() + (y.ready() ? " ready" : ""));
        }
        for (const auto& y : x.events())
          note(*all, y.reason());
        report_reply reply;
        reply.set_sequence(x.sequence());
        for (const auto& y : x.assessments())
          if (all->relies && y.salvaged())
            reply.add_current(y.slot().uid());
        return reply;
      },
      [=](const lease_ask& x) -> caf::result<lease_answer> {
        if (!all->renews)
          return self->make_response_promise<lease_answer>();
        ++all->leases;
        lease_answer reply;
        for (const auto& uid : x.uids())
          reply.add_renewed(uid);
        return reply;
      },
      [](const group_request&) { return group_reply{}; },
      [](const node_request&) { return node_view{}; },
      [](const logs_request&) { return log_lines{}; },
      [](const roster_known&) {},
      [](const member_change&) {},
      [](const group_claimed&) {},
      [](const group_mail&) {},
      [](const group_let_go&) {},
      [](drain) { return drained{}; },
  };
}

inline membership_handle::behavior_type zone_actor(membership_handle::pointer,
                                                   std::shared_ptr<members_known> all) {
  return membership_that_knows([all] { return *all; });
}

/// Has lost some messages.
inline bridge_handle::behavior_type bridge_actor(bridge_handle::pointer) {
  return {
      [](const member_change&) {},
      [](const cluster_known&) {},
      [](const introduce_contact&) {},
      [](const list_losses&) {
        return losses{{{keeper_id, failure_overloaded, 2}, {keeper_id, failure_unreachable, 7}}};
      },
  };
}

/// What is logged while it lives.
class log_lines_of {
public:
  log_lines_of() {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_st>(text_)));
  }
  ~log_lines_of() { spdlog::set_default_logger(before_); }

  int count(std::string_view what) const {
    auto all = text_.str();
    int result = 0;
    for (auto i = all.find(what); i != std::string::npos; i = all.find(what, i + 1))
      ++result;
    return result;
  }

private:
  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  std::ostringstream text_;
};

class one_keeper : public directory {
public:
  void publish(std::string, caf::strong_actor_ptr) override {}
  void withdraw(std::string_view) override {}
  caf::strong_actor_ptr find(const node_id&, std::string_view path) override {
    return path == "bridge" ? bridge : keeper;
  }
  caf::strong_actor_ptr keeper;
  caf::strong_actor_ptr bridge;
};

inline resource web(std::string policy = "Always", bool probed = false) {
  resource x;
  x.set_kind("Deployment");
  x.mutable_metadata()->set_namespace_("default");
  x.mutable_metadata()->set_name("web");
  auto& spec = *x.mutable_deployment()->mutable_template_()->mutable_spec();
  spec.set_restart_policy(policy);
  spec.set_termination_grace_period_seconds(5);
  auto& c = *spec.add_containers();
  c.set_name("httpd");
  c.add_command("httpd");
  c.mutable_requests()->set_cpu_millis(500);
  auto& port = *c.add_ports();
  port.set_name("http");
  port.set_container_port(80);
  if (probed) {
    c.mutable_readiness_probe()->set_period_seconds(1);
    c.mutable_readiness_probe()->mutable_http_get()->mutable_port()->set_text("http");
  }
  return x;
}

inline slot a_slot(const std::string& uid, std::uint64_t index) {
  slot x;
  x.set_uid(uid);
  x.set_pod("web-abc-" + uid);
  x.mutable_order()->set_index(index);
  return x;
}

/// One node and all that it stands on.
struct stage {
  stage() {
    drivers::fake::habits habits;
    habits.start = {milliseconds{5}, milliseconds{5}};
    habits.stop = {milliseconds{50}, milliseconds{50}};
    habits.probe_passes = {milliseconds{250}, milliseconds{250}};
    machine.set_habits(habits);
    keeper = system.actors().spawn(keeper_actor, told);
    keepers->keeper = caf::actor_cast<caf::strong_actor_ptr>(keeper);
    bridge = system.actors().spawn(bridge_actor);
    keepers->bridge = caf::actor_cast<caf::strong_actor_ptr>(bridge);
    zone = system.actors().spawn(zone_actor, zone_has);
    start();
    pass(seconds{1});
  }

  ~stage() {
    stop();
    for (auto who : {caf::actor_cast<caf::strong_actor_ptr>(keeper),
                     caf::actor_cast<caf::strong_actor_ptr>(bridge),
                     caf::actor_cast<caf::strong_actor_ptr>(zone)})
      caf::anon_send_exit(who, caf::exit_reason::user_shutdown);
    pass(milliseconds{1});
    keepers->keeper = nullptr;
    keepers->bridge = nullptr;
  }

  /// Its data folder is gone: the next journal is another one.
  void lose_journal() {
    stop();
    disk = store::memory::disk{2, later};
  }

  void start() {
    node_context x;
    x.self = {self_id, start_number{++starts}, 1, "n1", "local", "127.0.0.1:7710", {}};
    x.offers.total.set_cpu_millis(2000);
    x.offers.total.set_memory_bytes(1 << 30);
    x.offers.total.set_ports(10);
    x.offers.total.set_pods(10);
    x.offers.last_port = 20009;
    x.wall_clock = [this] { return wall(); };
    x.boot_clock = [this] { return system.now().count() / 1000; };
    x.directory = keepers;
    x.cluster = x.journal_id = std::string(16, 'c'); // it founds the cluster, and its groups
    x.census = std::make_shared<census>();
    auto journal = disk.open();
    x.offers.taints = taints;
    if (damaged)
      x.damage.emplace();
    x.make_store = std::move(journal.start);
    x.make_driver = machine.attach();
    context = std::make_shared<const node_context>(std::move(x));
    store = spawn_store(system.actors(), context);
    runtime = spawn_runtime(system.actors(), context);
    beats = spawn_beats(system.actors(), context);
    node = spawn_node(system.actors(), context, {store, zone, runtime, beats, {}},
                      std::move(journal.records));
  }

  /// The process ends, as by kill -9; the machine's processes go on.
  void stop() {
    std::vector<caf::strong_actor_ptr> living;
    for (auto& row : context->census->rows())
      if (auto who = caf::actor_cast<caf::strong_actor_ptr>(row.who))
        living.push_back(who);
    disk.crash();
    machine.crash();
    node = nullptr;
    beats = nullptr;
    store = nullptr;
    runtime = nullptr;
    system.kill(simulator::virtual_system::nobody + 1, living);
    pass(milliseconds{1});
  }

  caf::actor_addr at(const std::string& path) const {
    for (const auto& row : context->census->rows())
      if (row.path == path)
        return row.who;
    return {};
  }
  bool lives(const std::string& path) const { return static_cast<bool>(at(path)); }

  /// One actor fails; the process goes on.
  void kill(const std::string& path) {
    REQUIRE(lives(path));
    caf::anon_send_exit(at(path), caf::exit_reason::kill);
    pass(milliseconds{1});
  }

  void pass(microseconds x) { system.run_until(system.now() + x); }
  wall_ms wall() const { return 1'700'000'000'000 + system.now().count() / 1000; }

  template <class Reply, class Request>
  Reply ask(Request x) {
    auto answer = std::make_shared<std::optional<Reply>>();
    system.actors().spawn([=, to = node](caf::event_based_actor* self) {
      self->request(to, seconds{20}, x)
          .then([=](Reply& y) { *answer = std::move(y); }, [](caf::error&) {});
    });
    auto end = system.now() + seconds{20};
    while (!*answer && system.now() < end)
      pass(milliseconds{1});
    REQUIRE(*answer);
    return **answer;
  }

  call_reply call_for(const resource& what, std::uint32_t count) {
    call x;
    x.set_id(1);
    x.mutable_of()->set_kind(what.kind());
    x.mutable_of()->set_namespace_(what.metadata().namespace_());
    x.mutable_of()->set_name(what.metadata().name());
    *x.mutable_template_() = what.deployment().template_();
    x.set_count(count);
    x.set_keeper(keeper_id.bytes());
    return ask<call_reply>(x);
  }

  accept_reply take(const offer& from, const resource& what, std::vector<slot> slots) {
    accept x;
    x.set_offer(from.id());
    x.set_start(from.start());
    *x.mutable_what() = what;
    for (auto& y : slots)
      *x.add_slots() = y;
    x.set_keeper(keeper_id.bytes());
    x.set_group(3);
    return ask<accept_reply>(x);
  }

  release_reply give_back(slot x) {
    release y;
    *y.add_slots() = x;
    return ask<release_reply>(y);
  }

  std::size_t running() const {
    std::size_t result = 0;
    for (const auto& x : machine.processes())
      result += x.status.state() != "exited";
    return result;
  }

  node_view view() { return ask<node_view>(node_request{}); }
  assessment& last(const std::string& uid) { return told->latest[uid]; }

  simulator::virtual_system system{1};
  run_later later = [this](microseconds delay, std::function<void()> what) {
    system.time().later(delay, std::move(what));
  };
  store::memory::disk disk{1, later};
  drivers::fake::machine machine{
      1, {later, [this] { return system.now(); }, [this] { return wall(); }}};
  heard_ptr told = std::make_shared<heard>();
  std::shared_ptr<members_known> zone_has = std::make_shared<members_known>(); // at the next start
  std::shared_ptr<one_keeper> keepers = std::make_shared<one_keeper>();
  context_ptr context;
  node_handle keeper;
  membership_handle zone;
  bridge_handle bridge;
  store_handle store;
  beats_handle beats;
  runtime_handle runtime;
  node_handle node;
  std::uint64_t starts = 0;
  bool damaged = false;      // the journal, before the next start
  std::vector<taint> taints; // of the next start
};

} // namespace legion::node_world
