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

// One node as it is: its promises and workloads, its journal in memory, a machine that runs nothing
// real. The keeper and membership are played by the test. Time is virtual.

using namespace legion;
using std::chrono::microseconds;

namespace {

const node_id keeper_id = node_id::from_bytes(std::string(16, 'k'));
const node_id self_id = node_id::from_bytes(std::string(16, 'n'));

struct heard {
  std::map<std::string, assessment> latest; // by uid
  std::vector<std::string> transcript;      // "pod phase ready verdict" as it changes, and events
  int reports = 0;
  int full = 0;
  int leases = 0; // asks that were answered
  bool deaf = false;
  bool renews = true;
};
using heard_ptr = std::shared_ptr<heard>;

void note(heard& all, std::string line) {
  if (all.transcript.empty() || all.transcript.back() != line)
    all.transcript.push_back(std::move(line));
}

node_handle::behavior_type keeper_actor(node_handle::pointer self, heard_ptr all) {
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
      [](const cordon_request&) { return node_view{}; },
      [](const member_change&) {},
      [](const group_claimed&) {},
      [](const group_mail&) {},
      [](drain) { return drained{}; },
  };
}

membership_handle::behavior_type zone_actor(membership_handle::pointer) {
  return {
      [](const swim_packet&) {},
      [](const join_request&) { return join_reply{}; },
      [](const member_list& x) { return x; },
      [](const list_members&) { return members_known{}; },
      [](const subscribe_members&) {},
      [](const describe_self&) {},
      [](const connection_hint&) {},
      [](const leave_zone&) {},
  };
}

/// Has lost some messages.
bridge_handle::behavior_type bridge_actor(bridge_handle::pointer) {
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

resource web(std::string policy = "Always", bool probed = false) {
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

slot a_slot(const std::string& uid, std::uint64_t index) {
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
    zone = system.actors().spawn(zone_actor);
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

  void start() {
    node_context x;
    x.self = {self_id, start_number{++starts}, "n1", "local", "127.0.0.1:7710", {}};
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
    x.make_store = std::move(journal.start);
    x.make_driver = machine.attach();
    context = std::make_shared<const node_context>(std::move(x));
    store = spawn_store(system.actors(), context);
    runtime = spawn_runtime(system.actors(), context);
    beats = spawn_beats(system.actors(), context);
    node = spawn_node(system.actors(), context, {store, zone, runtime, beats},
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
};

} // namespace

TEST_SUITE("scenario/node") {

  TEST_CASE("call, offer, accept, bound, running, ready: and the keeper hears of it") {
    stage s;
    auto reply = s.call_for(web("Always", true), 3);
    REQUIRE(reply.has_offer());
    CHECK(reply.offer().count() == 3);
    CHECK(s.view().free().cpu_millis() == 500);
    auto bound = s.take(reply.offer(), web("Always", true), {a_slot("a", 5), a_slot("b", 5)});
    REQUIRE(bound.slots_size() == 2);
    CHECK(bound.slots(0).bound());
    CHECK(bound.slots(1).bound());
    CHECK(s.disk.records().contains("promise/a"));
    CHECK(s.view().free().cpu_millis() == 1000); // the third hold is free again
    s.pass(seconds{1});
    CHECK(s.running() == 2);
    CHECK(s.last("a").ready());
    CHECK(s.last("a").verdict() == verdict_kept);
    CHECK(s.last("a").ports(0).host_port() != s.last("b").ports(0).host_port());
    CHECK(s.last("a").slot().order().index() == 5);
    CHECK(s.told->transcript.front()
          != "Running ready"); // what comes before is told too, as far as it lasts
    CHECK(s.told->transcript.back() == "Running ready");
    CHECK(s.told->reports < 10); // batched
    // The same accept again is answered the same again, without an offer.
    auto again = s.take(reply.offer(), web("Always", true), {a_slot("a", 5), a_slot("b", 5)});
    CHECK(again.slots(0).bound());
    CHECK(again.slots(1).bound());
    CHECK(s.running() == 2);
  }

  TEST_CASE("what is leased runs once its lease is granted, and for as long as it is renewed") {
    stage s;
    s.told->renews = false;
    auto slot = a_slot("a", 5);
    slot.set_lease_ms(10'000);
    auto bound = s.take(s.call_for(web(), 1).offer(), web(), {slot});
    REQUIRE(bound.slots(0).bound());
    s.pass(seconds{5});
    CHECK(s.running() == 0);
    CHECK(s.last("a").reason() == "WaitingForLease");
    s.told->renews = true;
    s.pass(seconds{3});
    CHECK(s.running() == 1);
    s.pass(seconds{60});
    CHECK(s.running() == 1);
    CHECK(s.told->leases > 30);
    CHECK(s.told->leases < 60);
    s.stop(); // whether or not the node lives
    s.pass(seconds{8});
    CHECK(s.running() == 1);
    s.start();
    s.pass(seconds{30}); // it adopts, and asks
    CHECK(s.running() == 1);
    CHECK(s.last("a").restarts() == 0);
    s.told->renews = false;
    s.pass(seconds{8});
    CHECK(s.running() == 1);
    s.pass(milliseconds{2500});
    CHECK(s.running() == 0);
    s.told->renews = true;
    s.pass(seconds{30});
    CHECK(s.running() == 0); // never begun again
    CHECK(s.last("a").withdrawn());
    // Its end was seen here: the keeper need not wait for the lease.
    auto reply = s.give_back(slot);
    CHECK(reply.ended_size() == 1);
    auto stranger = s.give_back(a_slot("z", 1));
    CHECK(stranger.released_size() == 1);
    CHECK(stranger.ended().empty());
  }

  TEST_CASE("on a full disk a node says so, promises nothing new, and ends what it must") {
    stage s;
    auto bound = s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    REQUIRE(bound.slots(0).bound());
    REQUIRE(s.view().conditions_size() == 1);
    CHECK_FALSE(s.view().conditions(0).status());
    s.disk.set_full(true);
    s.pass(milliseconds{10});
    CHECK(s.view().conditions(0).type() == "DiskPressure");
    CHECK(s.view().conditions(0).status());
    CHECK(s.view().conditions(0).since_ms() > 0);
    CHECK(s.call_for(web(), 1).decline().reason() == decline_disk);
    s.give_back(a_slot("a", 5));
    s.pass(seconds{60});
    CHECK_FALSE(s.disk.records().contains("promise/a")); // from the ballast
    s.disk.set_full(false);
    s.pass(milliseconds{10});
    CHECK_FALSE(s.view().conditions(0).status());
    CHECK(s.call_for(web(), 1).has_offer());
  }

  TEST_CASE("a node tells what happened to its promises, and whose output it still has") {
    stage s;
    auto offer = s.call_for(web(), 1).offer();
    s.take(offer, web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    node_request with_events;
    with_events.set_events(true);
    auto told = s.ask<node_view>(with_events);
    REQUIRE(told.events_size() > 0);
    CHECK(told.events(0).object() == "web-abc-a");
    CHECK(s.view().events().empty());
    logs_request where;
    where.set_namespace_("default");
    where.set_pod("web-abc-a");
    where.set_find_gone(true);
    CHECK(s.ask<log_lines>(where).gone_ms() == 0);
    s.give_back(a_slot("a", 6));
    s.pass(seconds{10});
    CHECK(s.running() == 0);
    CHECK(s.disk.records().contains("gone/1"));
    auto gone = s.ask<log_lines>(where).gone_ms();
    CHECK(gone > 0);
    s.stop();
    s.start();
    s.pass(seconds{1});
    CHECK(s.ask<log_lines>(where).gone_ms() == gone);
    where.set_find_gone(false);
    CHECK(s.ask<log_lines>(where).error() == "no output of a"); // the driver was asked by the uid
  }

  TEST_CASE("an offer that expired, was used, or is of an earlier life is regretted") {
    stage s;
    auto first = s.call_for(web(), 1).offer();
    s.pass(seconds{11});
    CHECK(s.view().free().cpu_millis() == 2000);
    CHECK(s.take(first, web(), {a_slot("a", 5)}).slots(0).regret() == regret_unknown_offer);
    auto second = s.call_for(web(), 1).offer();
    CHECK(s.take(second, web(), {a_slot("a", 6)}).slots(0).bound());
    CHECK(s.take(second, web(), {a_slot("b", 7)}).slots(0).regret() == regret_unknown_offer);
    auto third = s.call_for(web(), 1).offer();
    third.set_start(third.start() + 1);
    CHECK(s.take(third, web(), {a_slot("c", 8)}).slots(0).regret() == regret_unknown_offer);
    CHECK(s.running() <= 1);
  }

  TEST_CASE("what does not fit is declined with numbers") {
    stage s;
    auto big = web();
    big.mutable_deployment()
        ->mutable_template_()
        ->mutable_spec()
        ->mutable_containers(0)
        ->mutable_requests()
        ->set_cpu_millis(3000);
    auto reply = s.call_for(big, 1);
    CHECK(reply.decline().reason() == decline_cpu);
    CHECK(reply.decline().detail() == "cpu: needs 3000m, free 2000m of 2000m");
  }

  TEST_CASE("a full disk regrets, and holds nothing") {
    stage s;
    auto offer = s.call_for(web(), 1).offer();
    s.disk.set_full(true);
    auto answer = s.take(offer, web(), {a_slot("a", 5)}).slots(0);
    CHECK(!answer.bound());
    CHECK(answer.regret() == regret_disk);
    CHECK(s.view().free().cpu_millis() == 2000);
    CHECK(s.view().free().ports() == 10);
    s.pass(seconds{1});
    CHECK(s.running() == 0);
  }

  TEST_CASE("a crash: not kept, restarted at once, repaired; the next with back-off") {
    stage s;
    s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    auto pid = s.last("a").containers(0).pid();
    s.machine.kill("a");
    s.pass(seconds{1});
    CHECK(s.running() == 1);
    CHECK(s.last("a").verdict() == verdict_repaired);
    CHECK(s.last("a").containers(0).pid() != pid);
    CHECK(s.last("a").containers(0).last_exit_code() == 137);
    s.machine.kill("a");
    s.pass(seconds{1});
    CHECK(s.running() == 0);
    CHECK(s.last("a").reason() == "CrashLoopBackOff");
    CHECK(s.last("a").verdict() == verdict_not_kept);
    s.pass(seconds{10});
    CHECK(s.running() == 1);
    CHECK(s.last("a").restarts() == 2);
  }

  TEST_CASE("release: stopping counts until the workload is gone, then released, off the disk") {
    stage s;
    s.take(s.call_for(web(), 4).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    CHECK(s.give_back(a_slot("a", 4)).stopping().empty()); // an older order ends nothing
    CHECK(s.running() == 1);
    auto reply = s.give_back(a_slot("a", 6));
    CHECK(reply.released().empty());
    CHECK(reply.stopping_size() == 1);
    CHECK(s.view().free().cpu_millis() == 1500);
    s.pass(seconds{1});
    CHECK(s.running() == 0);
    CHECK(s.machine.processes().empty());
    CHECK(s.view().free().cpu_millis() == 2000);
    CHECK(!s.disk.records().contains("promise/a"));
    CHECK(s.give_back(a_slot("a", 6)).released_size() == 1);
    // A late accept of what was released does not revive it, whatever it offers.
    auto late = s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    CHECK(late.slots(0).regret() == regret_stale_order);
  }

  TEST_CASE("kill -9 of the node: it adopts what runs, says so, and recovers what died") {
    stage s;
    auto offer = s.call_for(web(), 2).offer();
    s.take(offer, web(), {a_slot("a", 5), a_slot("b", 6)});
    s.pass(seconds{1});
    auto pid = s.last("a").containers(0).pid();
    auto port = s.last("a").ports(0).host_port();
    s.stop();
    s.machine.kill("b");
    CHECK(s.running() == 1);
    s.told->latest.clear();
    s.start();
    CHECK(s.call_for(web(), 1).decline().reason() == decline_recovering);
    s.pass(seconds{1});
    CHECK(s.running() == 2);
    CHECK(s.last("a").containers(0).pid() == pid);
    CHECK(s.last("a").ports(0).host_port() == port);
    CHECK(s.last("a").ready());
    CHECK(s.last("b").restarts() == 1);
    CHECK(s.told->full >= 1);
    CHECK(s.view().free().cpu_millis() == 1000);
    // The keeper resends: bound again, from the journal.
    CHECK(s.take(offer, web(), {a_slot("a", 5)}).slots(0).bound());
  }

  TEST_CASE("what the bridge knows to be lost is part of what the node says of itself") {
    stage s;
    auto view = s.view();
    REQUIRE(view.lost_size() == 2);
    CHECK(node_id::from_bytes(view.lost(0).peer()) == keeper_id);
    CHECK(view.lost(0).reason() == "unreachable");
    CHECK(view.lost(0).messages() == 7);
    caf::anon_send_exit(s.bridge, caf::exit_reason::kill);
    CHECK(s.view().lost().empty()); // and it answers all the same
    CHECK(s.view().total().cpu_millis() == 2000);
  }

  TEST_CASE("limits that nothing enforces here are said once at the start, and shown") {
    stage s;
    s.stop();
    s.machine.set_features({.name = "process",
                            .root = false,
                            .namespaces = false,
                            .limits = {"pids"},
                            .note = "cpu and memory limits are not enforced: no cgroup"});
    log_lines_of log;
    s.start();
    s.pass(seconds{5});
    CHECK(log.count("note=\"cpu and memory limits are not enforced: no cgroup\"") == 1);
    CHECK(log.count("limits=pids") == 1);
    CHECK(s.view().limits_size() == 1);
    CHECK(s.view().notes(0) == "cpu and memory limits are not enforced: no cgroup");
  }

  TEST_CASE("a release is not forgotten by a restart") {
    stage s;
    s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    s.give_back(a_slot("a", 5));
    s.pass(milliseconds{20}); // on disk as ending, still running
    REQUIRE(s.running() == 1);
    s.stop();
    s.start();
    s.pass(seconds{2});
    CHECK(s.running() == 0);
    CHECK(s.give_back(a_slot("a", 5)).released_size() == 1);
  }

  TEST_CASE("a workload that no promise knows is ended at the start") {
    stage s;
    s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    s.stop();
    store::memory::disk empty{2, s.later};
    s.disk = std::move(empty); // as if the data folder had been lost
    s.start();
    s.pass(seconds{2});
    CHECK(s.machine.processes().empty());
    CHECK(s.view().promises() == 0);
  }

  TEST_CASE("a keeper that does not answer is told again, and what came meanwhile with it") {
    stage s;
    s.told->deaf = true;
    s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{2});
    CHECK(s.told->latest.empty());
    s.told->deaf = false;
    s.pass(seconds{12});
    CHECK(s.last("a").ready());
  }

  TEST_CASE("drain: nothing new, everything ends and is withdrawn, then drained") {
    stage s;
    s.take(s.call_for(web(), 2).offer(), web(), {a_slot("a", 5), a_slot("b", 6)});
    s.pass(seconds{1});
    auto held = s.call_for(web(), 1).offer();
    auto done = std::make_shared<bool>(false);
    s.system.actors().spawn([=, to = s.node](caf::event_based_actor* self) {
      self->request(to, seconds{60}, drain{}).then([=](drained) { *done = true; });
    });
    s.pass(milliseconds{30});
    CHECK(!*done);
    CHECK(s.call_for(web(), 1).decline().reason() == decline_draining);
    CHECK(s.take(held, web(), {a_slot("c", 7)}).slots(0).regret() == regret_draining);
    CHECK(s.last("a").withdrawn());
    s.pass(seconds{2});
    CHECK(*done);
    CHECK(s.running() == 0);
    CHECK(s.view().promises() == 0);
  }

  TEST_CASE(
      "a keeper group whose actor fails goes on from the disk; after 5 times it is given up") {
    stage s;
    group_request request;
    *request.mutable_put()->mutable_what() = web();
    auto of = request.put().what();
    auto group = group::group_of(group::name_of(of));
    request.set_group(value(group));
    CHECK(s.ask<group_reply>(request).done().action() == "created");
    group_request read;
    read.set_group(value(group));
    read.mutable_read()->set_all_namespaces(true);
    auto path = "group/" + std::to_string(value(group));
    for (int i = 0; i < 5; ++i) {
      s.kill(path);
      CHECK(s.ask<group_reply>(read).views().views_size() == 1);
    }
    s.kill(path);
    auto reply = s.ask<group_reply>(read);
    CHECK(reply.refused().code() == refusal_unreachable);
    CHECK(reply.refused().detail().find("restart that node") != std::string::npos);
    s.stop();
    s.start();
    s.pass(seconds{1});
    CHECK(s.ask<group_reply>(read).views().views_size() == 1);
  }

  TEST_CASE("a promise whose actor fails adopts what runs; one that goes on failing has to wait") {
    stage s;
    s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    auto pid = s.last("a").containers(0).pid();
    for (int i = 0; i < 5; ++i) {
      s.kill("promise/a");
      s.pass(milliseconds{500});
      CHECK(s.lives("promise/a"));
    }
    s.kill("promise/a");
    s.pass(seconds{50});
    CHECK(!s.lives("promise/a"));
    CHECK(s.running() == 1);
    s.pass(seconds{15});
    CHECK(s.lives("promise/a"));
    s.pass(seconds{1});
    CHECK(s.last("a").containers(0).pid() == pid);
    CHECK(s.last("a").ready());
  }

  TEST_CASE("when one of a node's own actors ends unasked, the process is told, once") {
    stage s;
    cluster_node whole;
    whole.context = s.context;
    whole.bridge = s.bridge;
    whole.store = s.store;
    whole.membership = s.zone;
    whole.runtime = s.runtime;
    whole.beats = s.beats;
    whole.node = s.node;
    auto gateway = spawn_gateway(s.system.actors(), s.context, s.zone);
    REQUIRE(gateway);
    whole.gateway = *gateway;
    auto told = std::make_shared<std::vector<std::string>>();
    watch_node(s.system.actors(), whole, [=](std::string why) { told->push_back(why); });
    s.pass(seconds{1});
    caf::anon_send_exit(whole.gateway, caf::exit_reason::user_shutdown); // as stop_node does
    s.pass(seconds{1});
    CHECK(told->empty());
    s.kill("store");
    s.kill("runtime");
    s.pass(seconds{1});
    REQUIRE(told->size() == 1);
    CHECK(told->front().starts_with("store: "));
  }

  TEST_CASE("the supervisor is lost: everything starts again") {
    stage s;
    s.take(s.call_for(web(), 2).offer(), web(), {a_slot("a", 5), a_slot("b", 6)});
    s.pass(seconds{1});
    s.machine.lose_supervisor();
    s.pass(seconds{3});
    CHECK(s.running() == 2);
    CHECK(s.last("a").restarts() == 1);
    CHECK(s.last("a").ready());
  }
}
