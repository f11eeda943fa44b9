#include <doctest/doctest.h>

#include <csignal>
#include <set>
#include <sstream>
#include <thread>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/drivers/process/supervisor_link.hpp"
#include "tests/unit/drivers/real_machine.hpp"

namespace legion::process_driver_test {

using namespace legion::real_machine;
using namespace std::chrono_literals;

namespace {

/// Processes of this machine whose arguments contain a text.
int processes_with(const std::string& text) {
  int result = 0;
  for (auto& entry : fs::directory_iterator{"/proc"}) {
    std::ifstream file{entry.path() / "cmdline"};
    std::stringstream all;
    all << file.rdbuf();
    result += all.str().find(text) != std::string::npos;
  }
  return result;
}

bool alive(int pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  std::string text;
  std::getline(file, text);
  auto end = text.rfind(')');
  return end != std::string::npos && text[end + 2] != 'Z';
}

bool limited_or_skip(machine& m, const std::string& what) {
  auto limits = m.driver->what_it_can().limits;
  if (std::find(limits.begin(), limits.end(), what) != limits.end())
    return true;
  MESSAGE("skipped: this machine enforces no limit on " << what);
  return false;
}

} // namespace

TEST_SUITE("drivers/process_driver") {

  TEST_CASE("a process runs, and its exit code and signal are told") {
    machine m;
    auto started = m.run(machine::shell("w1", "exit 7"));
    REQUIRE(started);
    CHECK(started->pid() > 1);
    auto end = m.exit_of("w1");
    CHECK(end.state() == "exited");
    CHECK(end.exit_code() == 7);
    CHECK(end.finished_ms() >= end.started_ms());
    REQUIRE(m.run(machine::shell("w2", "kill -SEGV $$")));
    CHECK(m.exit_of("w2").signal() == SIGSEGV);
  }

  TEST_CASE("a program that cannot be executed is told with the call and the errno in words") {
    machine m;
    launch x;
    x.set_workload("w");
    x.set_container("main");
    x.add_argv("/no/such/program");
    auto started = m.run(x);
    REQUIRE_FALSE(started);
    CHECK(started.why().detail == "execve /no/such/program: No such file or directory");
    x.set_argv(0, "/etc/passwd");
    started = m.run(x);
    REQUIRE_FALSE(started);
    CHECK(started.why().detail == "execve /etc/passwd: Permission denied");
    x.set_argv(0, "true");
    x.set_working_dir("/no/such/folder");
    started = m.run(x);
    REQUIRE_FALSE(started);
    CHECK(started.why().detail == "chdir /no/such/folder: No such file or directory");
    CHECK(m.list().processes_size() == 0);
    x.set_workload("../w");
    started = m.run(x);
    REQUIRE_FALSE(started);
    CHECK(started.why().code == errc::invalid);
  }

  TEST_CASE("a workload has its own pid namespace, where its init reaps") {
    if (!root_or_skip())
      return;
    machine m;
    if (!m.driver->what_it_can().namespaces) {
      MESSAGE("skipped: this machine allows no namespaces");
      return;
    }
    CHECK(m.output_of(
              "w", "echo $$; cat /proc/1/comm; [ $(ls -d /proc/[0-9]* | wc -l) -lt 8 ] && echo few")
          == "2\nlegion-init\nfew\n");
    CHECK(m.output_of("reap", "(sh -c 'sh -c : & exec sleep 0.01' &) ; sleep 0.1; "
                              "grep -l 'State:.Z' /proc/[0-9]*/status; echo none")
          == "none\n");
  }

  TEST_CASE("a stop ends the whole tree, also what hides in a session of its own") {
    machine m;
    auto mark = "98" + std::to_string(getpid());
    REQUIRE(m.run(
        machine::shell("w", "setsid sleep " + mark + " & sleep " + mark + " & echo up; wait")));
    m.read_until("w", "up");
    m.stop("w", 30000);
    CHECK(m.exit_of("w").signal() == SIGTERM);
    CHECK(processes_with(mark) == 0);
  }

  TEST_CASE(
      "without a grace period the whole tree ends too, also when the supervisor is shut down") {
    auto mark = "96" + std::to_string(getpid());
    auto script = "setsid sleep " + mark + " & sleep " + mark + " & echo up; wait";
    {
      machine m;
      for (auto* name : {"stopped", "left"}) {
        REQUIRE(m.run(machine::shell(name, script)));
        m.read_until(name, "up");
      }
      m.stop("stopped", 0);
      CHECK(m.exit_of("stopped").signal() == SIGKILL);
      // "left": its shell and two. A process in the midst of execve shows no arguments at all.
      auto deadline = std::chrono::steady_clock::now() + 30s;
      while (processes_with(mark) != 3 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
      CHECK(processes_with(mark) == 3);
    }
    CHECK(processes_with(mark) == 0);
  }

  TEST_CASE("who ignores TERM is killed when the grace period is over, and not before") {
    machine m;
    REQUIRE(m.run(machine::shell("w", "trap '' TERM; echo up; while :; do sleep 0.05; done")));
    m.read_until("w", "up");
    auto before = std::chrono::steady_clock::now();
    m.stop("w", 300);
    CHECK(m.exit_of("w").signal() == SIGKILL);
    CHECK(std::chrono::steady_clock::now() - before >= 300ms);
    REQUIRE(
        m.run(machine::shell("kind", "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done")));
    m.read_until("kind", "up");
    m.stop("kind", 30000);
    CHECK(m.exit_of("kind").exit_code() == 3);
  }

  TEST_CASE("out of memory is recognised as such") {
    machine m;
    if (!limited_or_skip(m, "memory"))
      return;
    auto x = machine::shell("w", "x=$(head -c 300000000 /dev/zero | tr '\\0' x); echo ${#x}");
    x.set_memory_bytes(32 << 20);
    REQUIRE(m.run(x));
    auto end = m.exit_of("w");
    CHECK(end.out_of_memory());
    CHECK(end.signal() == SIGKILL);
    REQUIRE(m.run(machine::shell("fine", "kill -KILL $$")));
    CHECK_FALSE(m.exit_of("fine").out_of_memory());
  }

  TEST_CASE("the limit on processes holds") {
    machine m;
    if (!limited_or_skip(m, "pids"))
      return;
    auto text = m.output_of("w", "for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; echo all",
                            [](auto& x) { x.set_pids(4); });
    CHECK(text.find("annot fork") != std::string::npos);
  }

  TEST_CASE("the limit on cpu is set, and its group goes with the life") {
    machine m;
    if (!limited_or_skip(m, "cpu"))
      return;
    auto x = machine::shell("w", "echo up; sleep 1000");
    x.set_cpu_millis(250);
    REQUIRE(m.run(x));
    auto v1 = m.control("w.main.0", "cpu.cfs_quota_us");
    CHECK((v1 == "25000" || m.control("w.main.0", "cpu.max") == "25000 100000"));
    m.stop("w", 0);
    m.exit_of("w");
    CHECK(m.control("w.main.0", "cgroup.procs").empty());
    CHECK(m.control("w.main.0", "cpu.stat").empty());
  }

  TEST_CASE("a second driver adopts: same pid, and what ended in between is known") {
    machine m;
    auto stays = machine::shell("stays", "echo up; sleep 1000");
    stays.set_promise("of stays");
    auto first = m.run(stays);
    REQUIRE(first);
    REQUIRE(m.run(
        machine::shell("ends", "while [ ! -e " + m.folder + "/go ]; do sleep 0.01; done; exit 5")));
    auto supervisor = m.list().supervisor_pid();
    m.driver.reset();
    CHECK(alive(first->pid()));
    std::ofstream{m.folder + "/go"}.flush();
    m.start();
    process_list all;
    auto deadline = std::chrono::steady_clock::now() + 30s;
    do {
      all = m.list();
      REQUIRE(std::chrono::steady_clock::now() < deadline);
    } while (all.processes(0).state() != "exited");
    CHECK(all.supervisor_pid() == supervisor);
    REQUIRE(all.processes_size() == 2);
    CHECK(all.processes(0).exit_code() == 5);
    CHECK(all.processes(1).pid() == first->pid());
    CHECK(all.processes(1).state() == "running");
    CHECK(all.processes(1).promise() == "of stays");
    CHECK(m.read_until("stays", "up") == "up\n");
    m.stop("stays", 1000);
    CHECK(m.exit_of("stays").signal() == SIGTERM);
  }

  TEST_CASE("a supervisor that is killed takes its workloads along, and is replaced") {
    machine m;
    auto mark = "97" + std::to_string(getpid());
    auto first = m.run(machine::shell("w", "setsid sleep " + mark + " & sleep " + mark));
    REQUIRE(first);
    auto old = m.list().supervisor_pid();
    kill(static_cast<pid_t>(old), SIGKILL);
    {
      std::unique_lock guard{m.told->mutex};
      REQUIRE(m.told->changed.wait_for(guard, 30s, [&] { return !m.told->lost.empty(); }));
    }
    auto deadline = std::chrono::steady_clock::now() + 30s;
    while (processes_with(mark) > 0)
      REQUIRE(std::chrono::steady_clock::now() < deadline);
    auto all = m.list();
    CHECK(all.supervisor_pid() != old);
    REQUIRE(all.processes_size() == 1);
    CHECK(all.processes(0).state() == "exited");
    CHECK(all.processes(0).error() == "ended with its supervisor");
    REQUIRE(m.run(machine::shell("w", "exit 4", 1)));
    CHECK(m.exit_of("w", 1).exit_code() == 4);
    CHECK(m.told->lost.size() == 1);
  }

  TEST_CASE(
      "output is read by life, by offset and from the end, and the last three lives are kept") {
    machine m;
    for (std::uint32_t life = 0; life < 5; ++life) {
      REQUIRE(m.run(machine::shell(
          "w", "for i in 1 2 3 4; do echo line $i of " + std::to_string(life) + "; done", life)));
      m.exit_of("w", life);
    }
    auto newest = m.read("w", -1, 0);
    REQUIRE(newest);
    CHECK(newest->text == "line 1 of 4\nline 2 of 4\nline 3 of 4\nline 4 of 4\n");
    CHECK(newest->end);
    CHECK(m.read("w", 3, 36)->text == "line 4 of 3\n");
    CHECK(m.read("w", 2, -2)->text == "line 3 of 2\nline 4 of 2\n");
    CHECK(m.read("w", 2, -200)->text.size() == 48);
    CHECK(m.read("w", 2, 48)->end);
    auto gone = m.read("w", 1, 0);
    REQUIRE_FALSE(gone);
    CHECK(gone.why().code == errc::not_found);
    CHECK(gone.why().detail == "no output of life 1 of main is kept; there is 2 to 4");
    m.driver->remove(++m.next, "w");
    CHECK(m.told->wait(m.told->removals, m.next));
    CHECK(m.list().processes_size() == 0);
    CHECK_FALSE(fs::exists(m.folder + "/workloads/w"));
    CHECK(m.read("w", -1, -1)->text == "line 4 of 4\n");
  }

  TEST_CASE("a life that lives has no end of output; one that floods keeps the newest 10 MiB") {
    machine m;
    REQUIRE(m.run(machine::shell(
        "w", "head -c 30000000 /dev/zero | tr '\\0' x; echo; echo last; sleep 1000")));
    auto deadline = std::chrono::steady_clock::now() + 30s;
    drivers::output end;
    while (end.text != "last\n") {
      auto x = m.read("w", 0, -1);
      if (x)
        end = *x;
      REQUIRE(std::chrono::steady_clock::now() < deadline);
    }
    CHECK_FALSE(end.end);
    CHECK(end.next_offset == 30000006);
    auto oldest = m.read("w", 0, 0);
    REQUIRE(oldest);
    CHECK(oldest->text == std::string(64 * 1024, 'x'));
    CHECK(oldest->next_offset > 15'000'000);
    m.stop("w", 0);
    m.exit_of("w");
    CHECK(m.read("w", 0, -1)->end);
  }

  TEST_CASE("a second supervisor of one folder is refused, and garbage on its socket cuts off only "
            "its sender") {
    machine m;
    auto again = drivers::start_supervisor({m.folder, "/proc/self/exe"});
    CHECK(again); // the one that lives is as good
    auto pid = m.list().supervisor_pid();
    auto stranger = drivers::connect_supervisor(m.folder);
    REQUIRE(stranger);
    CHECK(write(*stranger, "\xff\xff\xff\xff garbage", 12) == 12);
    char byte;
    CHECK(recv(*stranger, &byte, 1, 0) == 0);
    close(*stranger);
    auto half = drivers::connect_supervisor(m.folder);
    REQUIRE(half);
    CHECK(write(*half, "\x10\0\0\0ab", 6) == 6);
    close(*half);
    CHECK(m.list().supervisor_pid() == pid);
  }

  TEST_CASE("a launch that is asked twice is one life; another life waits for its end") {
    machine m;
    auto x = machine::shell("w", "sleep 1000");
    auto first = m.run(x);
    auto second = m.run(x);
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->pid() == second->pid());
    // A node that was killed while it asked, and asks again before the process is there.
    auto early = machine::shell("early", "sleep 1000");
    m.driver->launch(++m.next, early);
    auto hasty = m.run(early);
    auto earlier = m.told->wait(m.told->launches, m.next - 1);
    REQUIRE(hasty);
    REQUIRE(earlier);
    CHECK(hasty->pid() == earlier->pid());
    x.set_life(1);
    auto next = m.run(x);
    REQUIRE_FALSE(next);
    CHECK(next.why().code == errc::conflict);
    m.driver->remove(++m.next, "w");
    auto removed = m.told->wait(m.told->removals, m.next);
    REQUIRE_FALSE(removed);
    CHECK(removed.why().code == errc::conflict);
  }

} // TEST_SUITE

} // namespace legion::process_driver_test
