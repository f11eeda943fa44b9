#include <doctest/doctest.h>

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include "runtime/simulator/virtual_system.hpp"

namespace legion::virtual_system_test {

namespace {

using namespace legion::simulator;
using namespace std::chrono_literals;

struct noted {
  std::string lines;
};

/// Notes what it is told, and a second later again.
caf::behavior echo(caf::event_based_actor* self, noted* to, virtual_system* system,
                   std::string name) {
  self->set_default_handler(caf::drop);
  return {[=](int n) {
    to->lines += name + std::to_string(n) + "@" + std::to_string(system->now().count() / 1000)
                 + " by " + std::to_string(system->running()) + "\n";
    if (n < 10)
      self->delayed_send(self, 1s, n + 10);
  }};
}

TEST_SUITE("simulator/virtual_system") {
  TEST_CASE("the same seed chooses the same order, other seeds choose others") {
    auto run = [](std::uint64_t seed) {
      noted to;
      virtual_system x{seed};
      std::vector<caf::actor> actors;
      for (int i = 0; i < 8; ++i)
        actors.push_back(
            x.actors().spawn(echo, &to, &x, std::string(1, static_cast<char>('a' + i))));
      for (auto& a : actors)
        caf::anon_send(a, 1);
      x.run_until(5s);
      return to.lines;
    };
    CHECK(run(1) == run(1));
    CHECK(run(1) != run(2));
  }

  TEST_CASE("a paused node's messages wait, and its timers are late") {
    noted to;
    virtual_system x{1};
    caf::actor a;
    x.run_as(3, [&] { a = x.actors().spawn(echo, &to, &x, "a"); });
    caf::anon_send(a, 1);
    x.run_until(500ms);
    x.pause(3);
    x.run_until(4s);
    CHECK(to.lines == "a1@0 by 3\n");
    x.resume(3);
    x.run_until(5s);
    CHECK(to.lines == "a1@0 by 3\na11@4000 by 3\n");
  }

  TEST_CASE("a killed node handles nothing more, whatever waits for it") {
    noted to;
    virtual_system x{1};
    caf::actor a, b;
    x.run_as(1, [&] { a = x.actors().spawn(echo, &to, &x, "a"); });
    x.run_as(2, [&] { b = x.actors().spawn(echo, &to, &x, "b"); });
    x.run_until(1ms);
    caf::anon_send(a, 1);
    caf::anon_send(b, 1);
    x.kill(1, {caf::actor_cast<caf::strong_actor_ptr>(a)});
    x.run_until(3s);
    CHECK(to.lines == "b1@1 by 2\nb11@1001 by 2\n");
  }

  TEST_CASE("timers and events come in the order of their times") {
    noted to;
    virtual_system x{1};
    auto a = x.actors().spawn(echo, &to, &x, "a");
    caf::anon_send(a, 1);
    x.time().later(500ms, [&] { to.lines += "event 1\n"; });
    x.time().later(1500ms, [&] { to.lines += "event 2\n"; });
    x.run_until(10s);
    CHECK(to.lines == "a1@0 by 0\nevent 1\na11@1000 by 0\nevent 2\n");
    CHECK(x.now() == 10s);
  }
}

} // namespace

} // namespace legion::virtual_system_test
