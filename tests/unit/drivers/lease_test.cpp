#include <doctest/doctest.h>

#include <csignal>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "runtime/drivers/boot_clock.hpp"
#include "tests/unit/drivers/real_machine.hpp"

namespace legion::lease_test {

using namespace legion::real_machine;
using namespace std::chrono_literals;

namespace {

launch leased(const std::string& workload, const std::string& script, std::int64_t until_ms,
              std::int64_t grace_ms, std::uint32_t life = 0) {
  auto x = machine::shell(workload, script, life);
  x.set_lease_until_ms(until_ms);
  x.set_lease_grace_ms(grace_ms);
  return x;
}

result<void> renew(machine& m, const std::string& workload, std::int64_t until_ms) {
  renew_lease x;
  x.set_workload(workload);
  x.set_until_ms(until_ms);
  m.driver->renew(++m.next, x);
  return m.told->wait(m.told->renewals, m.next);
}

process_status run_of(machine& m, const launch& x) {
  auto started = m.run(x);
  if (!started)
    FAIL(started.why().detail);
  return *started;
}

bool alive(int pid) {
  return kill(pid, 0) == 0;
}

} // namespace

TEST_SUITE("drivers/lease") {

  TEST_CASE("a lease that is not renewed ends its workload at the deadline, TERM a grace before") {
    machine m;
    auto until = drivers::boot_ms() + 1500;
    auto started = run_of(m, leased("polite",
                                    "trap 'echo bye; exit 3' TERM; while :; do sleep "
                                    "0.05; done",
                                    until, 1000));
    CHECK(started.lease_until_ms() == until);
    auto ended = m.exit_of("polite");
    CHECK(drivers::boot_ms() <= until + 500);
    CHECK(ended.reason() == "lease_expired");
    CHECK(ended.exit_code() == 3);
    CHECK(m.read_until("polite", "bye").find("bye") != std::string::npos);
  }

  TEST_CASE("who ignores TERM is killed at the deadline, and not before") {
    machine m;
    auto until = drivers::boot_ms() + 1000;
    run_of(m, leased("deaf", "trap '' TERM; while :; do sleep 0.05; done", until, 500));
    auto ended = m.exit_of("deaf");
    CHECK(drivers::boot_ms() >= until);
    CHECK(ended.signal() == SIGKILL);
    CHECK(ended.reason() == "lease_expired");
  }

  TEST_CASE("a renewal moves the deadline, never back, and one that is too late changes nothing") {
    machine m;
    auto until = drivers::boot_ms() + 600;
    run_of(m, leased("kept", "trap '' TERM; while :; do sleep 0.05; done", until, 100));
    auto later = until + 900;
    CHECK(renew(m, "kept", later));
    CHECK(renew(m, "kept", until)); // an old one that came late
    CHECK(m.list().processes(0).lease_until_ms() == later);
    auto ended = m.exit_of("kept");
    CHECK(drivers::boot_ms() >= later);
    CHECK(ended.reason() == "lease_expired");
    auto gone = renew(m, "kept", later + 10'000);
    REQUIRE_FALSE(gone);
    CHECK(gone.why().code == errc::not_found);
  }

  TEST_CASE("between TERM and the deadline nothing brings a workload back") {
    machine m;
    auto until = drivers::boot_ms() + 1500;
    run_of(m,
           leased("ending", "trap 'echo asked' TERM; while :; do sleep 0.05; done", until, 1200));
    m.read_until("ending", "asked");
    auto late = renew(m, "ending", until + 60'000);
    REQUIRE_FALSE(late);
    CHECK(late.why().code == errc::conflict);
    m.exit_of("ending");
    CHECK(drivers::boot_ms() <= until + 500);
  }

  TEST_CASE("a lease that has run out starts nothing; a workload without one runs on") {
    machine m;
    auto refused = m.run(leased("late", "sleep 60", drivers::boot_ms() - 1, 0));
    REQUIRE_FALSE(refused);
    CHECK(refused.why().code == errc::refused);
    run_of(m, machine::shell("free", "sleep 60"));
    run_of(m, leased("bound", "sleep 60", drivers::boot_ms() + 300, 0));
    m.exit_of("bound");
    CHECK(m.list().processes_size() == 2);
    CHECK(renew(m, "free", drivers::boot_ms() + 1000).why().code == errc::not_found);
    m.stop("free", 0);
    CHECK(m.exit_of("free").reason().empty());
  }

  TEST_CASE("nobody has to be there: the supervisor keeps the deadline while the node is dead") {
    machine m;
    auto until = drivers::boot_ms() + 800;
    auto pid =
        run_of(m, leased("alone", "trap '' TERM; while :; do sleep 0.05; done", until, 100)).pid();
    m.driver.reset(); // as kill -9 of the node does
    CHECK(alive(pid));
    auto patience = until + 10'000;
    while (alive(pid) && drivers::boot_ms() < patience)
      std::this_thread::yield();
    CHECK_FALSE(alive(pid));
    CHECK(drivers::boot_ms() >= until);
    m.start(); // the node is back, and hears why
    auto all = m.list();
    REQUIRE(all.processes_size() == 1);
    while (all.processes(0).state() != "exited" && drivers::boot_ms() < patience)
      all = m.list(); // what is dead is not yet waited for
    CHECK(all.processes(0).state() == "exited");
    CHECK(all.processes(0).reason() == "lease_expired");
  }

  TEST_CASE("a supervisor that is killed takes leased workloads along: none outlives its lease") {
    machine m;
    auto pid = run_of(m, leased("taken", "trap '' TERM; while :; do sleep 0.05; done",
                                drivers::boot_ms() + 60'000, 100))
                   .pid();
    kill(static_cast<pid_t>(m.list().supervisor_pid()), SIGKILL);
    auto patience = drivers::boot_ms() + 10'000;
    while (alive(pid) && drivers::boot_ms() < patience)
      std::this_thread::yield();
    CHECK_FALSE(alive(pid));
    std::unique_lock guard{m.told->mutex};
    CHECK(m.told->changed.wait_for(guard, 30s, [&] { return !m.told->lost.empty(); }));
  }

} // TEST_SUITE

} // namespace legion::lease_test
