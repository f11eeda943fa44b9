#include <limits>

#include "tests/unit/workload/pod_world.hpp"

namespace legion::pod_lifecycle_test {

using namespace legion::pod_world;

TEST_SUITE("workload/ports") {

  TEST_CASE("a life that fails asks whether another process has its ports, and says so") {
    auto what = a_promise();
    auto& spec = *what->mutable_what()->mutable_pod();
    spec.mutable_containers(0)->add_ports()->set_container_port(80);
    what->add_host_ports(20005);
    auto x = running(what);
    auto out = x.on_exit(exited(0, 1), at(1s));
    const auto* asked = find<check_ports>(out);
    REQUIRE(asked);
    CHECK(asked->ports == std::vector<int>{20005});
    x.on_started(0, process(1), at(1s));
    CHECK(x.on_port_taken(0, 0, 20005, at(2s)).empty()); // it has been started again since
    x.on_exit(exited(1, 1), at(3s));
    x.on_port_taken(0, 1, 20005, at(3s));
    CHECK(x.status().containers(0).message().ends_with(
        "; port 20005 of this node is taken by another process"));
    CHECK_FALSE(find<check_ports>(x.on_exit(exited(1, 1), at(4s)))); // not twice
  }

  TEST_CASE("one that ends well, or has no ports, asks for none") {
    auto x = running(a_promise());
    CHECK_FALSE(find<check_ports>(x.on_exit(exited(0, 1), at(1s))));
    auto what = a_promise();
    what->mutable_what()->mutable_pod()->mutable_containers(0)->add_ports()->set_container_port(80);
    what->add_host_ports(20005);
    auto y = running(what);
    CHECK_FALSE(find<check_ports>(y.on_exit(exited(0, 0), at(1s))));
  }
}

TEST_SUITE("workload/pod_lifecycle") {

  TEST_CASE("a pod without probes is ready as soon as it runs") {
    auto x = running(a_promise());
    auto said = x.status();
    CHECK(said.phase() == "Running");
    CHECK(said.ready());
    CHECK(said.ready_since_ms() == at(0s).wall);
    CHECK(said.containers(0).pid() == 100);
    CHECK(!x.next_tick());
  }

  TEST_CASE("a crash: at once, then with back-off") {
    auto x = running(a_promise());
    auto out = x.on_exit(exited(0, 1), at(60s));
    auto* again = find<start_process>(out);
    REQUIRE(again);
    CHECK(again->what.life() == 1);
    CHECK(x.status().containers(0).last_exit_code() == 1);
    CHECK(x.status().containers(0).last_reason() == "Error");
    x.on_started(0, process(1), at(60s));
    CHECK(x.status().restarts() == 1);
    out = x.on_exit(exited(1, 0, 9), at(61s));
    CHECK(!find<start_process>(out));
    CHECK(find<tell>(out)->what.reason() == "BackOff");
    auto said = x.status();
    CHECK(said.phase() == "Running");
    CHECK(!said.ready());
    CHECK(said.reason() == "CrashLoopBackOff");
    CHECK(said.message() == "back-off 10s after Error: signal 9");
    CHECK(said.containers(0).last_exit_code() == 137);
    CHECK(x.next_tick() == start + 71s);
    CHECK(!find<start_process>(x.on_tick(at(70s))));
    CHECK(find<start_process>(x.on_tick(at(71s)))->what.life() == 2);
  }

  TEST_CASE(
      "a lost supervisor is no crash: begun again after a second, and the back-off not raised") {
    auto x = running(a_promise());
    auto orphaned = [&](std::uint32_t life, time_point::duration after) {
      auto ended = exited(life, 0, 9);
      ended.set_error("the supervisor (pid 7) was lost: End of file");
      ended.set_reason("supervisor_lost");
      return x.on_exit(ended, at(after));
    };
    x.on_exit(exited(0, 1), at(1s)); // the next one waits 10 s
    x.on_started(0, process(1), at(1s));
    for (std::uint32_t life = 1; life < 4; ++life) { // however often
      auto began = seconds{10 * life};
      auto out = orphaned(life, began);
      CHECK_FALSE(find<start_process>(out));
      CHECK(x.next_tick() == start + began + 1s);
      CHECK(x.status().reason() == "ContainerCreating");
      CHECK(x.status().message() == "the supervisor (pid 7) was lost: End of file");
      CHECK(x.status().containers(0).last_reason() == "Error");
      for (const auto& effect : out)
        if (auto* told = std::get_if<tell>(&effect))
          CHECK(told->what.reason() == "Lost");
      auto next = x.on_tick(at(began + 1s));
      REQUIRE(find<start_process>(next));
      CHECK(find<start_process>(next)->what.life() == life + 1);
      x.on_started(0, process(life + 1), at(began + 1s));
    }
    x.on_exit(exited(4, 1), at(50s)); // its own crash: the second
    CHECK(x.status().message() == "back-off 10s after Error: exit code 1");
    x.on_tick(at(60s));
    x.on_started(0, process(5), at(60s));
    orphaned(5, 60s + 10min); // it has lived well
    x.on_tick(at(61s + 10min));
    x.on_started(0, process(6), at(61s + 10min));
    CHECK(find<start_process>(x.on_exit(exited(6, 1), at(62s + 10min))));
  }

  TEST_CASE("the container that failed speaks for the pod, not one that did its work") {
    struct row {
      int a, b;
      const char* reason;
      const char* message;
    };
    for (const auto& r : {row{0, 7, "Error", "exit code 7"}, row{7, 0, "Error", "exit code 7"},
                          row{3, 7, "Error", "exit code 3"}, row{0, 0, "Completed", ""}}) {
      CAPTURE(r.a);
      CAPTURE(r.b);
      pod_lifecycle x{a_promise("Never", 2), {"n1", ""}};
      x.begin({}, at(0s));
      for (auto i : {0, 1}) {
        auto name = i == 0 ? "a" : "b";
        x.on_started(i, process(0, "running", name), at(0s));
        auto ended = process(0, "exited", name);
        ended.set_exit_code(i == 0 ? r.a : r.b);
        x.on_exit(ended, at(1s));
      }
      CHECK(x.status().reason() == r.reason);
      CHECK(x.status().message() == r.message);
    }
    pod_lifecycle x{a_promise("OnFailure", 2), {"n1", ""}};
    x.begin({}, at(0s));
    x.on_started(0, process(0, "running", "a"), at(0s));
    x.on_exit(exited(0, 0), at(1s));
    CHECK(x.status().reason() == "ContainerCreating"); // of b
  }

  TEST_CASE("what a life ended of is told, and kept with the life that came after it") {
    auto x = running(a_promise());
    auto ended = exited(0, 0, 9);
    ended.set_error("the supervisor (pid 7) was lost: End of file");
    auto out = x.on_exit(ended, at(60s));
    REQUIRE(find<tell>(out));
    CHECK(find<tell>(out)->what.reason() == "Lost");
    CHECK(find<tell>(out)->what.message()
          == "Container " + x.status().containers(0).name()
                 + " has ended: the supervisor (pid 7) was lost: End of file");
    x.on_started(0, process(1), at(60s));
    auto said = x.status().containers(0);
    CHECK(said.last_reason() == "Error");
    CHECK(said.last_signal() == 9);
    CHECK(said.last_message() == "the supervisor (pid 7) was lost: End of file");
    CHECK(said.message().empty());
    // Gone without anybody who saw it: no start error.
    x.on_start_failed(0, {errc::deadline, ""}, at(61s));
    x.on_exit(exited(1, 0, 9), at(62s));
    x.on_tick(at(72s));
    x.on_started(0, process(2), at(72s));
    x.on_found({}, at(73s));
    CHECK(x.status().containers(0).last_reason() == "Error");
    CHECK(x.status().containers(0).last_message() == "it was gone, and nobody saw how it ended");
  }

  TEST_CASE("restartPolicy decides") {
    struct row {
      const char* policy;
      int code;
      bool restarts;
      const char* phase;
    };
    const row table[] = {{"Always", 0, true, "Running"},       {"Always", 1, true, "Running"},
                         {"OnFailure", 0, false, "Succeeded"}, {"OnFailure", 1, true, "Running"},
                         {"Never", 0, false, "Succeeded"},     {"Never", 3, false, "Failed"}};
    for (const auto& r : table) {
      CAPTURE(r.policy);
      CAPTURE(r.code);
      auto x = running(a_promise(r.policy));
      auto out = x.on_exit(exited(0, r.code), at(1s));
      CHECK((find<start_process>(out) != nullptr) == r.restarts);
      if (r.restarts)
        x.on_started(0, process(1), at(1s));
      CHECK(x.status().phase() == r.phase);
      CHECK(x.status().ready() == r.restarts);
    }
  }

  TEST_CASE("out of memory is told as such") {
    auto x = running(a_promise("Never"));
    auto dead = exited(0, 0, 9);
    dead.set_out_of_memory(true);
    x.on_exit(dead, at(1s));
    CHECK(x.status().reason() == "OOMKilled");
    CHECK(x.status().containers(0).exit_code() == 137);
  }

  TEST_CASE("a process that cannot start counts as a life") {
    pod_lifecycle x{a_promise(), {"n1", "127.0.0.1"}};
    x.begin({}, at(0s));
    auto out = x.on_start_failed(0, {errc::not_found, "execve run: No such file"}, at(0s));
    CHECK(find<tell>(out)->what.reason() == "Failed");
    CHECK(find<start_process>(out)->what.life() == 1); // the first restart at once
    x.on_start_failed(0, {errc::not_found, "execve run: No such file"}, at(0s));
    auto said = x.status();
    CHECK(said.phase() == "Running");
    CHECK(said.reason() == "CrashLoopBackOff");
    CHECK(said.message() == "back-off 10s after StartError: execve run: No such file");
    CHECK(said.containers(0).last_exit_code() == 128);
  }

  TEST_CASE("a driver that does not answer is asked what runs before anything is tried again") {
    pod_lifecycle x{a_promise(), {"n1", "127.0.0.1"}};
    x.begin({}, at(0s));
    CHECK(!find<start_process>(x.on_start_failed(0, {errc::deadline, ""}, at(15s))));
    CHECK(x.next_tick() == start + 16s);
    CHECK(find<look>(x.on_tick(at(16s))));
    SUBCASE("it runs: adopted") {
      CHECK(!find<start_process>(x.on_found({process(0)}, at(16s))));
      CHECK(x.status().ready());
      CHECK(x.status().restarts() == 0);
    }
    SUBCASE("it never arrived: the same life again") {
      CHECK(find<start_process>(x.on_found({}, at(16s)))->what.life() == 0);
    }
    SUBCASE("no answer again: asked again") {
      x.on_look_failed(at(20s));
      CHECK(x.next_tick() == start + 21s);
      CHECK(find<look>(x.on_tick(at(21s))));
    }
  }

  TEST_CASE("what runs already is adopted, with its pid and age") {
    pod_lifecycle x{a_promise(), {"n1", "127.0.0.1"}};
    auto before = process(2);
    before.set_started_ms(1'000'000 - 700'000);
    auto out = x.begin({process(1, "exited"), before}, at(0s));
    CHECK(!find<start_process>(out));
    CHECK(x.status().containers(0).pid() == 102);
    CHECK(x.status().restarts() == 2);
    CHECK(x.status().started_ms() == 300'000);
    // It has run for more than ten minutes: its end is forgiven.
    CHECK(find<start_process>(x.on_exit(exited(2, 1), at(1s)))->what.life() == 3);
  }

  TEST_CASE("what ended while nobody looked is restarted as the policy says") {
    pod_lifecycle x{a_promise("OnFailure"), {"n1", ""}};
    CHECK(find<start_process>(x.begin({exited(4, 1)}, at(0s)))->what.life() == 5);
    pod_lifecycle y{a_promise("OnFailure"), {"n1", ""}};
    CHECK(!find<start_process>(y.begin({exited(4, 0)}, at(0s))));
    CHECK(y.status().phase() == "Succeeded");
  }

  TEST_CASE("one that is ending when it is taken over begins nothing again") {
    pod_lifecycle x{a_promise(), {"n1", ""}};
    auto out = x.begin({exited(0, 0, 9)}, at(0s), true);
    CHECK(!find<start_process>(out));
    CHECK(find<remove_files>(out));
    CHECK(find<all_ended>(x.on_removed(nullptr, at(0s))));
    pod_lifecycle y{a_promise(), {"n1", ""}};
    CHECK(find<remove_files>(y.begin({}, at(0s), true)));
    pod_lifecycle z{a_promise(), {"n1", ""}};
    out = z.begin({process(0)}, at(0s), true);
    CHECK(!find<start_process>(out));
    CHECK(find<stop_processes>(out));
    out = z.on_exit(exited(0, 0, 15), at(1s));
    CHECK(!find<start_process>(out));
    CHECK(find<remove_files>(out));
  }

  TEST_CASE("a process that vanished counts as killed") {
    auto x = running(a_promise("Never"));
    x.end(at(1s));
    auto out = x.on_tick(at(36s));
    CHECK(find<look>(out));
    CHECK(find<stop_processes>(out)); // asked again
    CHECK(find<remove_files>(x.on_found({}, at(36s))));
    CHECK(x.status().containers(0).exit_code() == 137);
  }

  TEST_CASE("the end: stop with grace, then forget the files, then over") {
    auto x = running(a_promise());
    auto out = x.end(at(5s));
    auto* asked = find<stop_processes>(out);
    REQUIRE(asked);
    CHECK(asked->what.grace_ms() == 30'000);
    CHECK(find<tell>(out)->what.reason() == "Killing");
    CHECK(x.status().phase() == "Terminating");
    CHECK(!x.status().ready());
    out = x.on_exit(exited(0, 0, 15), at(6s));
    CHECK(find<remove_files>(out));
    CHECK(!find<start_process>(out)); // whatever the policy
    CHECK(x.status().containers(0).state() == "terminated");
    fault busy{errc::conflict, "still there"};
    x.on_removed(&busy, at(7s));
    CHECK(x.next_tick() == start + 8s);
    CHECK(find<remove_files>(x.on_tick(at(8s))));
    CHECK(find<all_ended>(x.on_removed(nullptr, at(8s))));
    CHECK(!x.next_tick());
  }

  TEST_CASE("a grace period that no manifest could have is bounded") {
    auto what = a_promise();
    what->mutable_what()->mutable_pod()->set_termination_grace_period_seconds(
        std::numeric_limits<std::int64_t>::max());
    auto x = running(what);
    auto out = x.end(at(5s));
    auto* asked = find<stop_processes>(out);
    REQUIRE(asked);
    CHECK(asked->what.grace_ms() == 2147483647'000);
    CHECK(x.next_tick() > start + 5s);
  }

  TEST_CASE("an end during a back-off needs no stop") {
    auto x = running(a_promise());
    x.on_exit(exited(0, 1), at(1s));
    x.on_started(0, process(1), at(1s));
    x.on_exit(exited(1, 1), at(2s));
    auto out = x.end(at(3s));
    CHECK(!find<stop_processes>(out));
    CHECK(find<remove_files>(out));
    CHECK(!find<start_process>(x.on_tick(at(60s))));
  }

  TEST_CASE("an end while a process starts: it is stopped when it arrives") {
    pod_lifecycle x{a_promise(), {"n1", ""}};
    x.begin({}, at(0s));
    CHECK(!find<remove_files>(x.end(at(0s))));
    CHECK(find<stop_processes>(x.on_started(0, process(0), at(1s))));
  }

  TEST_CASE("doubled and late exits change nothing") {
    auto x = running(a_promise());
    x.on_exit(exited(0, 1), at(1s));
    CHECK(x.on_exit(exited(0, 1), at(1s)).empty());
    x.on_started(0, process(1), at(1s));
    CHECK(x.on_exit(exited(0, 1), at(2s)).empty());
    CHECK(x.status().ready());
    auto stranger = exited(1, 1);
    stranger.set_container("z");
    CHECK(x.on_exit(stranger, at(2s)).empty());
  }
}

} // namespace legion::pod_lifecycle_test
