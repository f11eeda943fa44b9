#include <doctest/doctest.h>

#include <memory>

#include <caf/event_based_actor.hpp>

#include "actors/consensus/incarnation.hpp"
#include "actors/group/whereabouts.hpp"
#include "runtime/simulator/cluster.hpp"

namespace legion::raising_twice_test {

/// Two people rebuild the same keeper group at the same time, each at another of the nodes that are
/// left.
namespace {

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
        x.set_request_id("raised-by-node-" + std::to_string(i));
        x.mutable_rebuild()->add_groups(group_of_web());
        ask_gateway(i, x);
      } else {
        ask_node(i, raise_request());
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

  using answer = std::shared_ptr<std::optional<group_reply>>;

  group_request raise_request() {
    group_request x;
    x.set_group(group_of_web());
    auto low = random() & ((std::uint64_t{1} << consensus::incarnation_random_bits) - 1);
    x.mutable_raise()->set_incarnation(std::uint64_t{1} << consensus::incarnation_random_bits
                                       | low);
    x.mutable_raise()->set_above(1000);
    return x;
  }

  answer ask_node(std::uint32_t i, const group_request& x) {
    auto result = std::make_shared<std::optional<group_reply>>();
    all->system().run_as(virtual_system::nobody, [&] {
      all->system().actors().spawn(
          [result, who = all->node(i).actors->node, x](caf::event_based_actor* self) {
            self->request(who, seconds{60}, x)
                .then([result](const group_reply& y) { *result = y; }, [](const caf::error&) {});
          });
    });
    return result;
  }

  int running() {
    int result = 0;
    for (auto i : left)
      for (const auto& x : all->node(i).machine->processes())
        result += x.status.state() == "running" ? 1 : 0;
    return result;
  }

  std::mt19937_64 random;
  std::optional<cluster> all;
  std::vector<std::uint32_t> left;
};

TEST_SUITE("simulation/raising twice") {

  TEST_CASE("two who raise a group at once: one goes on, and nothing it acknowledged is lost") {
    for (std::uint64_t seed = 1; seed <= 48; ++seed) {
      CAPTURE(seed);
      two_rebuilds it{seed};
      it.raise(seed % 6 == 0);
      auto acknowledged = false; // the first that can be: before the two have met
      for (int i = 0; i < 200 && !acknowledged; ++i) {
        acknowledged = it.put(7, it.left[it.random() % 2]);
        it.all->run_for(milliseconds{it.random() % 50});
      }
      CHECK(acknowledged);
      it.all->run_for(seconds{20});
      for (auto i : it.left)
        CHECK(it.get(i) == 7);
    }
  }

  TEST_CASE("asked again under the same incarnation, it is raised once") {
    two_rebuilds it{7};
    auto what = it.raise_request();
    auto first = it.ask_node(it.left[0], what);
    auto again = it.ask_node(it.left[0], what);
    it.all->run_for(seconds{3});
    auto later = it.ask_node(it.left[0], what);
    it.all->run_for(seconds{1});
    for (const auto& reply : {first, again, later}) {
      REQUIRE(*reply);
      CHECK((*reply)->raised().incarnation() == what.raise().incarnation());
    }
  }

  TEST_CASE("a node that may not raise its group goes on obeying those who keep it") {
    two_rebuilds it{7};
    it.ask_node(it.left[0], it.raise_request());
    it.all->run_for(seconds{3}); // raised, and led there
    auto what = it.raise_request();
    what.mutable_raise()->set_incarnation(consensus::most_incarnation);
    auto refused = it.ask_node(it.left[0], what);
    it.all->run_for(seconds{1});
    REQUIRE(*refused);
    CHECK((*refused)->has_refused());
    while (!it.put(4, it.left[0]))
      it.all->run_for(seconds{1});
    it.all->run_for(seconds{20});
    CHECK(it.running() == 4);
  }

} // TEST_SUITE

} // namespace

} // namespace legion::raising_twice_test
