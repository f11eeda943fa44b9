// Round trips between two typed handles in two processes: Legion's bridge, on the threads that a
// node has, against CAF's BASP, on CAF's own; same payload, same run.
//
//   bridge_bench [seconds a measurement] [rounds]

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include "actors/bridge/bridge_actor.hpp"
#include "actors/bridge/directory.hpp"
#include "actors/census/census.hpp"
#include "runtime/node/scheduler.hpp"
#include "runtime/transport/zeromq/zeromq.hpp"
#include "tests/unit/transport/zeromq_nodes.hpp"

namespace {

using namespace legion;
using clock_type = std::chrono::steady_clock;
namespace nodes = transport::zeromq_nodes;

constexpr int in_flight = 1000;
constexpr std::size_t payload_bytes = 64;
constexpr auto cluster = "a cluster's id..";

/// What one node asks of another, with payloads whose serialised form has 64 bytes.
struct log_traffic {
  using request = logs_request;
  using reply = log_lines;
  static constexpr auto what = "lines of a log";

  static request question() {
    request x;
    x.set_namespace_("default");
    x.set_tail_lines(100);
    while (x.ByteSizeLong() < payload_bytes)
      x.set_pod(x.pod() + "p");
    return x;
  }

  static reply answer() {
    reply x;
    x.set_next_offset(4096);
    while (x.ByteSizeLong() < payload_bytes)
      x.set_text(x.text() + "t");
    return x;
  }
};

/// The same bytes in messages of messages: most of a round trip is then to take them apart.
struct group_traffic {
  using request = group_request;
  using reply = group_reply;
  static constexpr auto what = "a group's requests";

  static request question() {
    request x;
    x.set_group(7);
    x.set_request_id(std::string(16, 'r'));
    auto& name = *x.mutable_scale()->mutable_name();
    x.mutable_scale()->set_replicas(3);
    name.set_kind("Deployment");
    while (x.ByteSizeLong() < payload_bytes)
      name.set_name(name.name() + "n");
    return x;
  }

  static reply answer() {
    reply x;
    x.set_request_id(std::string(16, 'r'));
    while (x.ByteSizeLong() < payload_bytes)
      x.mutable_refused()->set_detail(x.refused().detail() + "d");
    return x;
  }
};

template <class Traffic>
using handle_of = caf::typed_actor<
    typename caf::replies_to<typename Traffic::request>::template with<typename Traffic::reply>>;

template <class Traffic>
typename handle_of<Traffic>::behavior_type server() {
  return {[reply = Traffic::answer()](const typename Traffic::request&) { return reply; }};
}

struct config : caf::actor_system_config {
  config() {
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", 2);
    set("middleman.enable-automatic-connections", false);
    add_message_types<caf::id_block::legion>();
  }
};

/// As legion-node has it.
struct node_config : config {
  node_config() {
    load<node_process::scheduler>();
    set("scheduler.max-throughput", std::size_t{64});
  }
};

struct progress {
  std::atomic<std::uint64_t> done = 0;
  std::atomic<std::uint64_t> failed = 0;
  std::atomic<bool> stop = false;
};

template <class Traffic>
struct client_state {
  typename Traffic::request what = Traffic::question();
};

template <class Traffic>
using client_pointer = caf::stateful_actor<client_state<Traffic>>*;

template <class Traffic>
void ask(client_pointer<Traffic> self, handle_of<Traffic> whom, caf::duration timeout,
         progress* at) {
  self->request(whom, timeout, self->state.what)
      .then(
          [=](const typename Traffic::reply&) {
            at->done.fetch_add(1, std::memory_order_relaxed);
            if (!at->stop.load(std::memory_order_relaxed))
              ask<Traffic>(self, whom, timeout, at);
          },
          [=](const caf::error&) {
            at->failed.fetch_add(1, std::memory_order_relaxed);
            if (!at->stop.load(std::memory_order_relaxed))
              ask<Traffic>(self, whom, timeout, at);
          });
}

template <class Traffic>
double measure(caf::actor_system& system, handle_of<Traffic> whom, caf::duration timeout,
               double for_seconds) {
  progress at;
  auto pause = [](double x) { ::usleep(static_cast<useconds_t>(x * 1e6)); };
  auto client = system.spawn([&](client_pointer<Traffic> self) {
    for (int i = 0; i < in_flight; ++i)
      ask<Traffic>(self, whom, timeout, &at);
  });
  pause(0.3); // connected and warm
  auto begun = clock_type::now();
  auto before = at.done.load();
  pause(for_seconds);
  auto round_trips = at.done.load() - before;
  std::chrono::duration<double> took = clock_type::now() - begun;
  at.stop = true;
  caf::scoped_actor self{system};
  self->monitor(client);
  self->receive([](const caf::down_msg&) {}, caf::after(std::chrono::seconds{5}) >> [] {});
  if (at.failed != 0)
    std::fprintf(stderr, "%llu requests failed\n", static_cast<unsigned long long>(at.failed));
  return static_cast<double>(round_trips) / took.count();
}

node_context context_of(const nodes::keys& keys) {
  node_context x;
  x.self.id = keys.who.id;
  x.self.start = start_number{1};
  x.cluster = cluster;
  x.make_transport =
      transport::zeromq::make({keys.who.endpoint, keys.who.public_key, keys.secret_key});
  return x;
}

/// Runs `serve` in a process of its own until `ask` returns.
template <class Serve, class Ask>
double in_two_processes(Serve serve, Ask ask) {
  int hold[2];
  int ready[2];
  if (::pipe(hold) != 0 || ::pipe(ready) != 0)
    std::abort();
  auto child = ::fork();
  char byte = 0;
  if (child == 0) {
    ::close(hold[1]);
    serve([&] {
      [[maybe_unused]] auto n = ::write(ready[1], &byte, 1);
      n = ::read(hold[0], &byte, 1);
      ::_exit(0);
    });
  }
  ::close(hold[0]);
  [[maybe_unused]] auto n = ::read(ready[0], &byte, 1);
  auto result = ask();
  ::close(hold[1]);
  ::close(ready[0]);
  ::close(ready[1]);
  ::waitpid(child, nullptr, 0);
  return result;
}

template <class Traffic>
double legion_round(double for_seconds) {
  nodes::keys here, there;
  return in_two_processes(
      [&](auto until_end) {
        node_config c;
        caf::actor_system system{c};
        auto bridge = spawn_bridge(system, context_of(there), std::make_shared<census>());
        bridge->directory->publish(
            "server", caf::actor_cast<caf::strong_actor_ptr>(system.spawn(server<Traffic>)));
        until_end();
      },
      [&] {
        node_config c;
        caf::actor_system system{c};
        double result = 0;
        {
          auto bridge = spawn_bridge(system, context_of(here), std::make_shared<census>());
          if (!bridge) {
            std::fprintf(stderr, "%s\n", bridge.why().detail.c_str());
            return 0.0;
          }
          caf::anon_send(bridge->handle, introduce_contact{there.who});
          ::usleep(100'000);
          // The bridge arms its own deadline for every request.
          result = measure<Traffic>(
              system, bridge->directory->at<handle_of<Traffic>>(there.who.id, "server"),
              caf::infinite, for_seconds);
          caf::anon_send_exit(bridge->handle, caf::exit_reason::user_shutdown);
        }
        return result;
      });
}

template <class Traffic>
double basp_round(double for_seconds, caf::duration timeout) {
  auto endpoint = nodes::free_endpoint();
  auto port = static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.find(':') + 1)));
  struct networked : config {
    networked() { load<caf::io::middleman>(); }
  };
  return in_two_processes(
      [&](auto until_end) {
        networked c;
        caf::actor_system system{c};
        system.middleman().publish(system.spawn(server<Traffic>), port, "127.0.0.1");
        until_end();
      },
      [&] {
        networked c;
        caf::actor_system system{c};
        auto whom = system.middleman().template remote_actor<handle_of<Traffic>>("127.0.0.1", port);
        if (!whom)
          return 0.0;
        return measure<Traffic>(system, *whom, timeout, for_seconds);
      });
}

double median(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  return x.empty() ? 0 : x[x.size() / 2];
}

template <class Traffic>
void compare(double for_seconds, int rounds) {
  std::vector<double> ours, basp, basp_deadline;
  for (int i = 0; i < rounds; ++i) {
    ours.push_back(legion_round<Traffic>(for_seconds));
    basp.push_back(basp_round<Traffic>(for_seconds, caf::infinite));
    basp_deadline.push_back(
        basp_round<Traffic>(for_seconds, caf::duration{std::chrono::seconds{10}}));
    std::printf("round %d: bridge %.0f/s, BASP %.0f/s, BASP with deadlines %.0f/s\n", i + 1,
                ours.back(), basp.back(), basp_deadline.back());
    std::fflush(stdout);
  }
  auto x = median(ours);
  auto y = median(basp);
  auto z = median(basp_deadline);
  std::printf("%s, %d in flight, %zu B payload, median of %d: bridge (CURVE, deadlines) %.0f/s, "
              "BASP without deadlines %.0f/s (%.2f times), with %.0f/s (%.2f times)\n",
              Traffic::what, in_flight, payload_bytes, rounds, x, y, x / y, z, x / z);
  std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv) {
  auto for_seconds = argc > 1 ? std::atof(argv[1]) : 2.0;
  auto rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  compare<log_traffic>(for_seconds, rounds);
  compare<group_traffic>(for_seconds, rounds);
  return 0;
}
