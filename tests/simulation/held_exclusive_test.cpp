#include <doctest/doctest.h>

#include "actors/group/whereabouts.hpp"
#include "actors/keeper/lease.hpp"
#include "runtime/simulator/cluster.hpp"

namespace legion::held_exclusive_test {

/// How long what is exclusive waits, where what may have run before is not known.
namespace {

using namespace legion::simulator;
using std::chrono::microseconds;

const microseconds over = keeper::lease_times{}.wait();

resource one_of(const std::string& name) {
  resource x;
  x.set_api_version("apps/v1");
  x.set_kind("Deployment");
  x.mutable_metadata()->set_name(name);
  x.mutable_metadata()->set_namespace_("default");
  x.mutable_metadata()->set_uid("uid-of-" + name);
  x.mutable_metadata()->set_generation(1);
  x.mutable_deployment()->set_replicas(1);
  auto& pod = *x.mutable_deployment()->mutable_template_();
  auto& said = *pod.mutable_metadata()->add_annotations();
  said.set_key(keeper::exclusive_annotation);
  said.set_value("true");
  auto& container = *pod.mutable_spec()->add_containers();
  container.set_name("main");
  container.add_command("server");
  return x;
}

struct zone {
  explicit zone(std::uint64_t seed = 11) {
    cluster_options options;
    options.seed = seed;
    all.emplace(options);
    all->start_all();
    all->run_for(seconds{20});
  }

  void act(disturbance::kind what, std::uint32_t node) {
    disturbance x;
    x.what = what;
    x.nodes = {node};
    all->apply(x);
  }

  /// Until one of the nodes has done it.
  void restore(const std::string& name) {
    api_request x;
    x.set_version(1);
    *x.mutable_restore()->add_resources()->mutable_what() = one_of(name);
    auto reply = all->ask(0, std::move(x), seconds{10});
    REQUIRE(reply);
    REQUIRE(!reply->has_refused());
  }

  void apply(const std::string& name) {
    api_request x;
    x.set_version(1);
    x.mutable_apply()->set_namespace_("default");
    auto& file = *x.mutable_apply()->add_files();
    file.set_name("one.yaml");
    file.set_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name
                  + "}\nspec:\n  replicas: 1\n  template:\n    metadata: {labels: {app: one}, "
                    "annotations: {legion.dev/exclusive: \"true\"}}\n    spec:\n      containers: "
                    "[{name: main, command: [server]}]\n");
    auto reply = all->ask(0, std::move(x), seconds{10});
    REQUIRE(reply);
    REQUIRE(reply->results_size() == 1);
  }

  /// The first that runs something; nothing: none does.
  std::optional<std::uint32_t> where() {
    for (std::uint32_t i = 0; i < all->size(); ++i)
      for (const auto& x : all->node(i).machine->processes())
        if (x.status.state() == "running")
          return i;
    return std::nullopt;
  }
  bool runs() { return where().has_value(); }

  std::optional<cluster> all;
};

TEST_SUITE("simulation/held exclusive") {

  TEST_CASE("what is restored is called when the lease is over that it may have had elsewhere") {
    zone z;
    auto restarts = false;
    SUBCASE("by the leader that restored it") {}
    SUBCASE("by the next leader, too") {
      restarts = true;
    }
    auto begin = z.all->now();
    z.restore("one");
    if (restarts)
      for (std::uint32_t i = 0; i < z.all->size(); ++i) {
        z.act(disturbance::kind::crash, i);
        z.act(disturbance::kind::restart, i);
      }
    REQUIRE(z.all->run_until([&] { return z.runs(); }, seconds{60}));
    CHECK(z.all->now() - begin >= over);
    // Nothing waits longer than it has to: by now it is known that no lease is left.
    z.all->run_for(seconds{60});
  }

  TEST_CASE("a raised group that knows of something exclusive is not kept before leases are over") {
    zone z;
    z.restore("one");
    REQUIRE(z.all->run_until([&] { return z.runs(); }, seconds{60}));
    z.act(disturbance::kind::wipe, 1);
    z.act(disturbance::kind::wipe, 2);
    z.all->run_for(seconds{8});
    auto begin = z.all->now();
    resource_name name;
    name.set_kind("Deployment");
    name.set_namespace_("default");
    name.set_name("one");
    api_request x;
    x.set_version(1);
    x.mutable_rebuild()->add_groups(value(group::group_of(name)));
    auto reply = z.all->ask(0, std::move(x), seconds{60});
    REQUIRE(reply);
    REQUIRE(reply->rebuild().groups_size() == 1);
    CHECK(reply->rebuild().groups(0).state() == "raised");
    CHECK(z.all->now() - begin >= over);
  }

  TEST_CASE("what an orderly drain has ended runs elsewhere before its lease is over") {
    // Of several zones, for in some of them the node that drains leads the group, too.
    for (std::uint64_t seed = 21; seed < 27; ++seed) {
      zone z{seed};
      z.apply("one");
      REQUIRE(z.all->run_until([&] { return z.runs(); }, seconds{60}));
      auto at = z.where();
      REQUIRE(at);
      z.all->drain(*at);
      CHECK_MESSAGE(z.all->run_until([&] { return z.runs() && z.where() != at; }, over / 2),
                    "seed ", seed, " node ", *at);
    }
  }

} // TEST_SUITE

} // namespace

} // namespace legion::held_exclusive_test
