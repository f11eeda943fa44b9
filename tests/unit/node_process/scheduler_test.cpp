#include "runtime/node/scheduler.hpp"

#include <atomic>
#include <set>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <doctest/doctest.h>

namespace legion::node_process::scheduler_test {
namespace {

constexpr std::chrono::seconds long_enough{60};

struct world {
  explicit world(std::size_t threads) : system{configure(threads)}, self{system} {}

  caf::actor_system_config& configure(std::size_t threads) {
    config.load<scheduler>();
    config.set("scheduler.max-threads", threads);
    config.set("scheduler.max-throughput", std::size_t{4});
    return config;
  }

  /// What it answers with, or -1.
  int ask(const caf::actor& whom, int what) {
    int result = -1;
    self->request(whom, long_enough, what).receive([&](int x) { result = x; }, [](caf::error&) {});
    return result;
  }

  caf::actor_system_config config;
  caf::actor_system system;
  caf::scoped_actor self;
};

caf::actor spawn_doubler(caf::actor_system& system) {
  return system.spawn(
      [](caf::event_based_actor*) -> caf::behavior { return {[](int x) { return 2 * x; }}; });
}

/// Hands what it is asked on to the next, and answers with what comes back, plus one.
caf::behavior relay(caf::event_based_actor* self, caf::actor next) {
  return {[self, next](int x) {
    auto answer = self->make_response_promise<int>();
    self->request(next, caf::infinite, x).then([answer](int y) mutable { answer.deliver(y + 1); });
    return answer;
  }};
}

struct timed {
  std::vector<int> came;
  caf::response_promise all;
};

/// Sets this many timers, the last to be set is the first to be due; answers with 1 once they all
/// came in the order in which they were due.
caf::behavior timer_setter(caf::stateful_actor<timed>* self) {
  return {
      [self](int count) {
        self->state.all = self->make_response_promise();
        for (int i = count; i > 0; --i)
          self->delayed_send(self, std::chrono::milliseconds{3 * i}, std::pair<int, int>{i, count});
        return self->state.all;
      },
      [self](const std::pair<int, int>& x) {
        auto& s = self->state;
        s.came.push_back(x.first);
        if (static_cast<int>(s.came.size()) == x.second)
          std::exchange(s.all, {}).deliver(std::is_sorted(s.came.begin(), s.came.end()) ? 1 : 0);
      }};
}

} // namespace

TEST_SUITE("node_process/scheduler") {
  TEST_CASE("a chain of actors runs to its end, with one thread and with more") {
    for (std::size_t threads : {1, 2, 4}) {
      world x{threads};
      auto last = spawn_doubler(x.system);
      for (int i = 0; i < 50; ++i)
        last = x.system.spawn(relay, last);
      for (int i = 0; i < 20; ++i)
        CHECK(x.ask(last, i) == 2 * i + 50);
    }
  }

  TEST_CASE("many actors that send to each other from many threads are all heard") {
    world x{3};
    constexpr int senders = 8, messages = 5000;
    std::atomic<int> heard = 0;
    auto sink = x.system.spawn([&heard](caf::event_based_actor*) -> caf::behavior {
      return {[&heard](int n) { heard += n; }, [&heard](float) { return heard.load(); }};
    });
    std::vector<caf::actor> middle;
    for (int i = 0; i < 16; ++i)
      middle.push_back(x.system.spawn([sink](caf::event_based_actor* self) -> caf::behavior {
        return {[self, sink](int n) { self->send(sink, n); }};
      }));
    std::vector<std::thread> threads;
    for (int i = 0; i < senders; ++i)
      threads.emplace_back([&middle, i] {
        for (int n = 0; n < messages; ++n)
          caf::anon_send(middle[static_cast<std::size_t>(i * 7 + n) % middle.size()], 1);
      });
    for (auto& t : threads)
      t.join();
    for (auto& m : middle)
      caf::anon_send_exit(m, caf::exit_reason::user_shutdown);
    x.self->wait_for(middle);
    int seen = 0;
    x.self->request(sink, long_enough, 0.f).receive([&](int n) { seen = n; }, [](caf::error&) {});
    CHECK(seen == senders * messages);
  }

  TEST_CASE("timers come in the order in which they are due, while nothing else happens") {
    for (std::size_t threads : {1, 2}) {
      world x{threads};
      auto setter = x.system.spawn(timer_setter);
      CHECK(x.ask(setter, 10) == 1);
    }
  }

  TEST_CASE("another thread's timer is not slept through") {
    world x{2};
    x.system.spawn([](caf::event_based_actor* self) -> caf::behavior { // who watches sleeps long
      self->delayed_send(self, long_enough * 10, 1);
      return {[](int) {}};
    });
    x.system.await_actors_before_shutdown(false);
    auto doubler = spawn_doubler(x.system);
    for (int i = 0; i < 20; ++i) {
      CHECK(x.ask(doubler, i) == 2 * i); // they sleep again
      int answer = 0;
      x.self->delayed_send(doubler, std::chrono::milliseconds{2}, i);
      x.self->receive([&](int n) { answer = n; }, caf::after(long_enough) >> [] { FAIL("slept"); });
      CHECK(answer == 2 * i);
    }
  }

  TEST_CASE("a request that nobody answers ends at its deadline") {
    world x{1};
    auto silent = x.system.spawn([](caf::event_based_actor* self) -> caf::behavior {
      return {[self](int) { return self->make_response_promise<int>(); }};
    });
    auto asker = x.system.spawn([silent](caf::event_based_actor* self) -> caf::behavior {
      return {[self, silent](int x) {
        auto answer = self->make_response_promise<int>();
        self->request(silent, std::chrono::milliseconds{10}, x)
            .then([answer](int) mutable { answer.deliver(0); },
                  [answer](caf::error& e) mutable {
                    answer.deliver(e == caf::sec::request_timeout ? 1 : 2);
                  });
        return answer;
      }};
    });
    CHECK(x.ask(asker, 1) == 1);
  }

  TEST_CASE("it stops with timers set and actors that live") {
    world x{2};
    for (int i = 0; i < 20; ++i)
      x.system.spawn([](caf::event_based_actor* self) -> caf::behavior {
        self->delayed_send(self, long_enough * 100, 1);
        return {[](int) {}};
      });
    x.system.await_actors_before_shutdown(false);
  }
}

} // namespace legion::node_process::scheduler_test
