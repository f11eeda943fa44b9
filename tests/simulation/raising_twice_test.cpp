#include <doctest/doctest.h>

#include <memory>

#include <caf/event_based_actor.hpp>

#include "actors/consensus/incarnation.hpp"
#include "actors/group/whereabouts.hpp"
#include "runtime/simulator/cluster.hpp"

/// Two people rebuild the same keeper group at the same time, each at another of the nodes that are
/// left.
namespace {

using namespace legion;
using namespace legion::simulator;

std::string manifest_of(int replicas) {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: "
         + std::to_string(replicas)
         + "\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      containers:\n"
           "        - name: main\n          command: [server]\n";
}

std::uint32_t group_of_web() {
  resource_name x;
  x.set_kind("Deployment");
  x.set_namespace_("default");
  x.set_name("web");
  return value(group::group_of(x));
}

struct two_rebuilds {
  explicit two_rebuilds(std::uint64_t seed) : random(seed * 31 + 5) {
    cluster_options options;
    options.seed = seed;
    options.nodes = 5;
    all.emplace(options);
    all->start_all();
    all->run_for(seconds{10});
    while (!put(1, 0))
      all->run_for(seconds{1});
    all->run_for(seconds{25});
    std::vector<std::uint32_t> order{0, 1, 2, 3, 4};
    std::shuffle(order.begin(), order.end(), random);
    left = {order[0], order[1]};
    for (int i = 2; i < 5; ++i) {
      disturbance x;
      x.nodes = {order[i]};
      x.what = disturbance::kind::wipe;
      all->apply(x);
    }
    all->run_for(seconds{10});
  }

  bool put(int replicas, std::uint32_t node) {
    api_request x;
    x.set_version(1);
    auto& file = *x.mutable_apply()->add_files();
    file.set_name("web.yaml");
    file.set_text(manifest_of(replicas));
    x.mutable_apply()->set_namespace_("default");
    auto reply = all->ask(node, std::move(x), milliseconds{300});
    return reply && !reply->has_refused() && reply->results_size() == 1;
  }

  std::optional<int> get(std::uint32_t node) {
    api_request x;
    x.set_version(1);
    x.mutable_get()->set_kind("deployments");
    auto reply = all->ask(node, std::move(x), seconds{10});
    if (!reply || reply->resources_size() != 1)
      return std::nullopt;
    return reply->resources(0).what().deployment().replicas();
  }

  /// As their gateways choose, or, as if each had seen only itself, both.
  void raise(bool by_gateway) {
    for (auto i : left) {
      if (by_gateway) {
        api_request x;
        x.set_version(1);
        x.set_request_id("by-" + std::to_string(i));
        x.mutable_rebuild()->add_groups(group_of_web());
        ask_gateway(i, x);
      } else {
        group_request x;
        x.set_group(group_of_web());
        auto low = random() & ((std::uint64_t{1} << consensus::incarnation_random_bits) - 1);
        x.mutable_raise()->set_incarnation(std::uint64_t{1} << consensus::incarnation_random_bits
                                           | low);
        x.mutable_raise()->set_above(1000);
        ask_node(i, x);
      }
      all->run_for(milliseconds{random() % 3 == 0 ? random() % 600 : random() % 10});
    }
  }

  void ask_gateway(std::uint32_t i, const api_request& x) {
    all->system().run_as(virtual_system::nobody, [&] {
      all->system().actors().spawn([who = all->node(i).actors->gateway,
                                    x](caf::event_based_actor* self) {
        self->request(who, seconds{60}, x).then([](const api_reply&) {}, [](const caf::error&) {});
      });
    });
  }

  void ask_node(std::uint32_t i, const group_request& x) {
    all->system().run_as(virtual_system::nobody, [&] {
      all->system().actors().spawn(
          [who = all->node(i).actors->node, x](caf::event_based_actor* self) {
            self->request(who, seconds{60}, x)
                .then([](const group_reply&) {}, [](const caf::error&) {});
          });
    });
  }

  std::mt19937_64 random;
  std::optional<cluster> all;
  std::vector<std::uint32_t> left;
};

TEST_SUITE("simulation/raising twice") {

  TEST_CASE("two who raise a group at once: one goes on, and nothing it acknowledged is lost") {
    for (std::uint64_t seed = 1; seed <= 16; ++seed) {
      CAPTURE(seed);
      two_rebuilds it{seed};
      it.raise(seed % 4 == 0);
      auto acknowledged = 0;
      for (int i = 2; i < 40; ++i)
        if (it.put(i, it.left[it.random() % 2]))
          acknowledged = i;
        else // who is in the group now is told at once, but not in no time
          it.all->run_for(milliseconds{200});
      CHECK(acknowledged > 30);
      it.all->run_for(seconds{30});
      for (auto i : it.left)
        CHECK(it.get(i) == acknowledged);
    }
  }

} // TEST_SUITE

} // namespace
