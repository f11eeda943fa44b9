#include <doctest/doctest.h>

#include <string>

#include "runtime/simulator/cluster.hpp"

/// One disk goes back in time, and those who could tell were started again since.
namespace legion::old_journal_test {

namespace {

using namespace legion::simulator;

void act(cluster& z, disturbance::kind what, std::uint32_t node) {
  disturbance x;
  x.what = what;
  x.nodes = {node};
  z.apply(x);
}

bool apply(cluster& z, std::uint32_t at, const std::string& version) {
  api_request x;
  x.set_version(1);
  x.mutable_apply()->set_namespace_("default");
  auto& file = *x.mutable_apply()->add_files();
  file.set_name("x.yaml");
  file.set_text(
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec:\n  replicas: 0\n"
      "  template:\n    metadata: {labels: {app: x}}\n    spec:\n      containers: [{name: "
      "main, command: [server, \""
      + version + "\"]}]\n");
  auto reply = z.ask(at, std::move(x), seconds{20});
  return reply && !reply->has_refused() && reply->results_size() == 1;
}

/// The version that is answered; empty: none is.
std::string read(cluster& z, std::uint32_t at) {
  api_request x;
  x.set_version(1);
  x.mutable_get()->set_kind("deployments");
  auto reply = z.ask(at, std::move(x), seconds{20});
  if (!reply || reply->incomplete() || reply->resources_size() != 1)
    return {};
  return reply->resources(0).what().deployment().template_().spec().containers(0).command(1);
}

} // namespace

TEST_SUITE("simulation/old journal") {

  TEST_CASE("a journal that was put back is known by who was started again since") {
    cluster_options options;
    options.seed = 5;
    cluster z{options};
    z.start_all();
    z.run_for(seconds{20});
    REQUIRE(apply(z, 0, "old"));
    z.run_for(seconds{20});
    act(z, disturbance::kind::copy, 0);
    for (int i = 0; i < 3; ++i) {
      z.crash(0);
      z.start(0);
      z.run_for(seconds{20});
    }
    z.crash(1);
    z.start(1);
    z.run_for(seconds{20});
    z.crash(1);
    REQUIRE(apply(z, 0, "new")); // by the first and the third
    z.run_for(seconds{5});
    z.crash(0);
    z.crash(2);
    act(z, disturbance::kind::put_back, 0);
    z.start(0);
    z.start(1);
    z.run_for(seconds{30});
    for (std::uint32_t i : {0, 1})
      CHECK(read(z, i) != "old"); // two of three that know less are no quorum
    z.start(2);
    z.run_for(seconds{60});
    for (std::uint32_t i : {0, 1, 2})
      CHECK(read(z, i) == "new");
  }

} // TEST_SUITE

} // namespace legion::old_journal_test
