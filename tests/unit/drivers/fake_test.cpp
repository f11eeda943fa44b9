#include <doctest/doctest.h>

#include "runtime/drivers/fake/machine.hpp"
#include "runtime/simulator/timeline.hpp"

namespace legion::fake_test {

namespace {

using namespace std::chrono_literals;
using namespace legion::drivers::fake;

struct heard : legion::drivers::sink {
  std::vector<std::string> all;
  void launched(std::uint64_t n, result<process_status> x) override {
    all.push_back("launched " + std::to_string(n) + " "
                  + (x ? x->state() + " life " + std::to_string(x->life()) : x.why().detail));
  }
  void stopped(std::uint64_t n, result<void>) override {
    all.push_back("stopped " + std::to_string(n));
  }
  void renewed(std::uint64_t n, result<void> x) override {
    all.push_back("renewed " + std::to_string(n) + (x ? "" : " " + x.why().detail));
  }
  void removed(std::uint64_t n, result<void> x) override {
    all.push_back("removed " + std::to_string(n) + (x ? "" : " " + x.why().detail));
  }
  void listed(std::uint64_t, result<process_list> x) override {
    for (auto& p : x->processes())
      all.push_back("listed " + p.workload() + " " + p.state());
  }
  void probed(std::uint64_t, legion::drivers::probe_outcome x) override {
    all.push_back(x.passed ? "passed" : "failed");
  }
  void read(std::uint64_t, result<legion::drivers::output> x) override {
    all.push_back(x ? "read " + x->text : x.why().detail);
  }
  void exited(process_status x) override {
    all.push_back("exited " + x.workload() + " " + std::to_string(x.signal()));
  }
  void supervisor_lost(std::string) override { all.push_back("supervisor lost"); }

  std::string take() {
    std::string result;
    for (auto& x : all)
      result += (result.empty() ? "" : "; ") + x;
    all.clear();
    return result;
  }
};

struct one_machine {
  simulator::timeline time;
  machine m{3,
            {time.as_run_later(), [this] { return time.now(); },
             [this] { return wall_ms{time.now().count() / 1000}; }}};
  heard sink;
  std::unique_ptr<legion::drivers::driver> driver = std::move(*m.attach()(sink));

  void launch(std::uint64_t n, const std::string& workload, unsigned life = 0) {
    legion::launch x;
    x.set_workload(workload);
    x.set_container("main");
    x.set_pod("pod");
    x.set_life(life);
    x.set_cpu_weight_millis(100);
    x.add_env("PORT_http=20001");
    driver->launch(n, x);
  }
  void run(std::chrono::milliseconds d) { time.run_until(time.now() + d); }
};

legion::drivers::probe_target port_20001() {
  legion::drivers::probe_target result;
  result.host = "127.0.0.1";
  result.port = 20001;
  return result;
}

TEST_SUITE("drivers/fake") {
  TEST_CASE("a life from launch to removal") {
    one_machine x;
    x.launch(1, "w");
    x.run(100ms);
    CHECK(x.sink.take() == "launched 1 running life 0");
    CHECK_FALSE(x.driver->port_is_free(20001));
    x.driver->probe(2, port_20001());
    x.run(1ms);
    CHECK(x.sink.take() == "failed");
    x.run(2s);
    x.driver->probe(3, port_20001());
    x.driver->read(4, "w", "main", -1, 0);
    x.driver->remove(5, "w");
    x.run(1ms);
    CHECK(x.sink.take() == "passed; read pod life 0\n; removed 5 w still runs");
    legion::stop s;
    s.set_workload("w");
    s.set_grace_ms(30000);
    x.driver->stop(6, s);
    x.run(1s);
    CHECK(x.sink.take() == "stopped 6; exited w 15");
    CHECK(x.m.processes().at(0).status.state() == "exited");
    x.driver->remove(7, "w");
    x.run(1s);
    CHECK(x.sink.take() == "removed 7");
    CHECK(x.m.processes().empty());
    CHECK(x.driver->port_is_free(20001));
  }

  TEST_CASE("what does not end within its grace period is killed") {
    one_machine x;
    habits slow;
    slow.stop = {5s, 5s};
    x.m.set_habits(slow);
    x.launch(1, "w");
    x.run(100ms);
    legion::stop s;
    s.set_workload("w");
    s.set_grace_ms(1000);
    x.driver->stop(2, s);
    x.run(900ms);
    CHECK(x.sink.take() == "launched 1 running life 0; stopped 2");
    x.run(200ms);
    CHECK(x.sink.take() == "exited w 9");
  }

  TEST_CASE("a workload outlives its node, and the next driver lists it") {
    one_machine x;
    x.launch(1, "w");
    x.run(100ms);
    x.sink.take();
    x.m.crash();
    x.driver.reset();
    x.run(1s);
    x.driver = std::move(*x.m.attach()(x.sink));
    x.driver->list(1);
    x.run(10ms);
    CHECK(x.sink.take() == "listed w running");
    x.m.kill("w");
    CHECK(x.sink.take() == "exited w 9");
  }

  TEST_CASE("launching the same life again starts nothing") {
    one_machine x;
    x.launch(1, "w");
    x.launch(2, "w");
    x.run(100ms);
    CHECK(x.m.processes().size() == 1);
    CHECK(x.sink.take() == "launched 2 running life 0; launched 1 running life 0");
  }

  TEST_CASE("a silent kill is known to the machine only") {
    one_machine x;
    x.launch(1, "w");
    x.run(100ms);
    x.sink.take();
    x.m.kill_silently("w");
    CHECK(x.m.processes().empty());
    x.driver->list(2);
    x.run(10ms);
    CHECK(x.sink.take() == "listed w running");
  }

  TEST_CASE("lifetimes end, launches fail, a supervisor takes all with it") {
    one_machine x;
    habits short_lived;
    short_lived.lifetime = {1s, 2s};
    x.m.set_habits(short_lived);
    x.launch(1, "w");
    x.run(3s);
    CHECK(x.sink.take() == "launched 1 running life 0; exited w 0");
    CHECK(x.m.processes().at(0).status.exit_code() == 1);
    habits failing;
    failing.launch_fails = 1;
    x.m.set_habits(failing);
    x.launch(2, "w", 1);
    x.run(1s);
    CHECK(x.sink.take() == "launched 2 exited life 1");
    x.m.set_habits({});
    x.launch(3, "v");
    x.run(1s);
    x.sink.take();
    x.m.lose_supervisor();
    CHECK(x.sink.take() == "supervisor lost");
    CHECK(x.m.processes().empty());
  }

  TEST_CASE("a lease ends its workload at the deadline, which a renewal moves") {
    one_machine x;
    legion::launch what;
    what.set_workload("w");
    what.set_container("main");
    what.set_lease_until_ms(1000);
    x.driver->launch(1, what);
    x.run(900ms);
    CHECK(x.sink.take() == "launched 1 running life 0");
    renew_lease more;
    more.set_workload("w");
    more.set_until_ms(1500);
    x.driver->renew(2, more);
    x.run(599ms);
    CHECK(x.sink.take() == "renewed 2");
    x.run(2ms);
    CHECK(x.sink.take() == "exited w 9");
    CHECK(x.m.processes()[0].status.reason() == "lease_expired");
    x.driver->renew(3, more);
    what.set_life(1);
    x.driver->launch(4, what);
    x.run(10ms);
    CHECK(x.sink.take()
          == "renewed 3 nothing of w is leased and alive; launched 4 the lease of w has run out");
  }
}

} // namespace

} // namespace legion::fake_test
