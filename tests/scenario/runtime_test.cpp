#include <doctest/doctest.h>

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/census/census.hpp"
#include "actors/runtime/runtime_actor.hpp"
#include "runtime/drivers/fake/machine.hpp"
#include "runtime/simulator/virtual_system.hpp"

namespace legion::runtime_test {

// The runtime actor over a machine that runs nothing real. Time is virtual.

using std::chrono::microseconds;

namespace {

using watcher_handle =
    caf::typed_actor<caf::reacts_to<process_exited>, caf::reacts_to<supervisor_lost>>;
using exits = std::shared_ptr<std::vector<process_status>>;
using losses = std::shared_ptr<std::vector<std::string>>;

watcher_handle::behavior_type watcher_actor(watcher_handle::pointer, exits all, losses lost) {
  return {[=](const process_exited& x) { all->push_back(x.what); },
          [=](const supervisor_lost& x) { lost->push_back(x.why); }};
}

struct stage {
  explicit stage(fault no_driver = {}) {
    drivers::fake::habits habits;
    habits.start = {milliseconds{5}, milliseconds{5}};
    habits.stop = {milliseconds{50}, milliseconds{50}};
    machine.set_habits(habits);
    node_context made;
    made.wall_clock = [this] { return wall(); };
    made.census = std::make_shared<census>();
    if (no_driver.code == errc::none)
      made.make_driver = machine.attach();
    else
      made.make_driver = [no_driver](drivers::sink&) -> result<std::unique_ptr<drivers::driver>> {
        return no_driver;
      };
    context = std::make_shared<const node_context>(std::move(made));
    runtime = spawn_runtime(system.actors(), context);
    watcher = system.actors().spawn(watcher_actor, told, lost);
  }

  ~stage() {
    caf::anon_send_exit(runtime, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(watcher, caf::exit_reason::user_shutdown);
    pass(milliseconds{1});
  }

  void pass(microseconds x) { system.run_until(system.now() + x); }
  wall_ms wall() const { return 1'700'000'000'000 + system.now().count() / 1000; }

  template <class Reply, class Request>
  result<Reply> ask(Request x) {
    auto answer = std::make_shared<std::optional<result<Reply>>>();
    system.actors().spawn([=, to = runtime](caf::event_based_actor* self) {
      self->request(to, seconds{20}, x)
          .then([=](Reply& y) { answer->emplace(std::move(y)); },
                [=](caf::error& why) { answer->emplace(fault_of(why)); });
    });
    auto end = system.now() + seconds{25};
    while (!*answer && system.now() < end)
      pass(milliseconds{1});
    REQUIRE(*answer);
    return std::move(**answer);
  }

  result<process_status> start(const std::string& workload, std::uint32_t life = 0) {
    launch x;
    x.set_workload(workload);
    x.set_container("main");
    x.set_pod("pod-" + workload);
    x.set_life(life);
    x.add_argv("main");
    return ask<process_status>(x);
  }

  void watch(const std::string& workload) {
    caf::anon_send(runtime,
                   watch_workload{workload, caf::actor_cast<caf::strong_actor_ptr>(watcher)});
    pass(milliseconds{1});
  }

  simulator::virtual_system system{1};
  run_later later = [this](microseconds delay, std::function<void()> what) {
    system.time().later(delay, std::move(what));
  };
  drivers::fake::machine machine{
      1, {later, [this] { return system.now(); }, [this] { return wall(); }}};
  exits told = std::make_shared<std::vector<process_status>>();
  losses lost = std::make_shared<std::vector<std::string>>();
  context_ptr context;
  runtime_handle runtime;
  watcher_handle watcher;
};

} // namespace

TEST_SUITE("scenario/runtime") {

  TEST_CASE("launched, listed, stopped; who watches hears of the exit, once; then removed") {
    stage s;
    s.watch("a");
    auto started = s.start("a");
    REQUIRE(started);
    CHECK(started->state() == "running");
    CHECK(started->pid() > 0);
    auto all = s.ask<process_list>(list_running{});
    REQUIRE(all);
    REQUIRE(all->processes_size() == 1);
    CHECK(all->processes(0).pod() == "pod-a");
    CHECK(!s.ask<stop_asked>(remove_workload_files{"a"})); // it still runs
    stop what;
    what.set_workload("a");
    what.set_grace_ms(1000);
    CHECK(s.ask<stop_asked>(what));
    CHECK(s.told->empty()); // asked is not ended
    s.watch("a");
    s.pass(seconds{1});
    REQUIRE(s.told->size() == 1);
    CHECK(s.told->front().state() == "exited");
    CHECK(s.ask<stop_asked>(remove_workload_files{"a"}));
    CHECK(s.ask<process_list>(list_running{})->processes().empty());
  }

  TEST_CASE("a process that cannot start is no failure of the driver: its status says why") {
    stage s;
    drivers::fake::habits habits;
    habits.launch_fails = 1;
    s.machine.set_habits(habits);
    auto started = s.start("a");
    REQUIRE(started);
    CHECK(started->state() == "exited");
    CHECK(started->error().find("execve") != std::string::npos);
  }

  TEST_CASE("a fault of the driver comes back as it is") {
    stage s;
    read_output what;
    what.workload = "nobody";
    what.container = "main";
    auto answer = s.ask<drivers::output>(what);
    REQUIRE(!answer);
    CHECK(answer.why().code == errc::not_found);
    CHECK(answer.why().detail.find("nobody") != std::string::npos);
  }

  TEST_CASE("without a driver every request says why, and nothing else happens") {
    stage s{fault{errc::unsupported, "no supervisor: the data folder is full"}};
    for (const auto& why :
         {s.start("a").why(), s.ask<process_list>(list_running{}).why(),
          s.ask<bool>(check_port{20000}).why(), s.ask<drivers::features>(list_features{}).why()}) {
      CHECK(why.code == errc::unsupported);
      CHECK(why.detail == "no supervisor: the data folder is full");
    }
  }

  TEST_CASE("the supervisor is lost: what it ran is told as ended, each to who watches it") {
    stage s;
    s.watch("a");
    REQUIRE(s.start("a"));
    REQUIRE(s.start("b")); // nobody watches
    caf::anon_send(s.runtime, watch_supervisor{caf::actor_cast<caf::strong_actor_ptr>(s.watcher)});
    s.pass(milliseconds{1});
    s.machine.lose_supervisor();
    s.pass(seconds{1});
    REQUIRE(!s.told->empty());
    for (const auto& x : *s.told) {
      CHECK(x.workload() == "a");
      CHECK(x.state() == "exited");
      CHECK(x.signal() == 9);
      CHECK(x.reason() == "supervisor_lost");
    }
    CHECK(*s.lost == std::vector<std::string>{"killed (simulated)"});
    REQUIRE(s.start("a", 1)); // and it goes on with the next
  }
}

} // namespace legion::runtime_test
