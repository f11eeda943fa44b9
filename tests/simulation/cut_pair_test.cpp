#include <doctest/doctest.h>

#include "runtime/simulator/cluster.hpp"

namespace legion::cut_pair_test {

using namespace legion::simulator;

TEST_SUITE("simulation/cut_pair") {

  TEST_CASE("of a pair that is cut from each other either answers for all that the other leads") {
    cluster_options options;
    options.nodes = 3;
    cluster all{options};
    all.start_all();
    all.run_for(seconds{30});
    disturbance cut;
    cut.what = disturbance::kind::cut;
    for (auto [from, to] : {std::pair{0u, 1u}, {1u, 0u}}) {
      cut.nodes = {from, to};
      all.apply(cut);
    }
    all.run_for(seconds{10});
    auto apply = [&](std::uint32_t at, const std::string& name, int replicas) {
      api_request x;
      x.set_version(1);
      x.mutable_apply()->set_namespace_("default");
      auto& file = *x.mutable_apply()->add_files();
      file.set_name("a.yaml");
      file.set_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name
                    + "}\nspec:\n  replicas: " + std::to_string(replicas)
                    + "\n  template:\n    metadata: {labels: {app: a}}\n    spec:\n      "
                      "containers: [{name: main, command: [server]}]\n");
      auto reply = all.ask(at, std::move(x));
      REQUIRE(reply);
      return *reply;
    };
    for (auto i = 0; i < 12; ++i)
      for (std::uint32_t at : {0u, 1u}) {
        auto name = "app" + std::to_string(i);
        CAPTURE(name);
        CAPTURE(at);
        auto reply = apply(at, name, static_cast<int>(at));
        INFO(reply.refused().detail());
        CHECK_FALSE(reply.has_refused());
        api_request get;
        get.set_version(1);
        get.mutable_get()->set_kind("deployments");
        get.mutable_get()->set_namespace_("default");
        get.mutable_get()->add_names(name);
        auto seen = all.ask(1 - at, std::move(get));
        REQUIRE(seen);
        REQUIRE(seen->resources_size() == 1);
        CHECK(seen->resources(0).what().deployment().replicas() == static_cast<int>(at));
        CHECK_FALSE(seen->has_refused());
      }
  }

} // TEST_SUITE

} // namespace legion::cut_pair_test
