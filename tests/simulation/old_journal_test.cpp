#include <doctest/doctest.h>

#include <string>

#include "runtime/simulator/cluster.hpp"

/// One disk goes back in time, and those who could tell were started again since.
namespace legion::old_journal_test {

namespace {

using namespace legion::simulator;
using std::chrono::microseconds;

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
std::string read(cluster& z, std::uint32_t at, microseconds patience = seconds{20}) {
  api_request x;
  x.set_version(1);
  x.mutable_get()->set_kind("deployments");
  auto reply = z.ask(at, std::move(x), patience);
  if (!reply || reply->incomplete() || reply->resources_size() != 1)
    return {};
  return reply->resources(0).what().deployment().template_().spec().containers(0).command(1);
}

/// Three nodes of which each keeps `x`, in its old version.
struct zone : cluster {
  explicit zone(std::uint64_t seed) : cluster(options_of(seed)) {
    start_all();
    run_for(seconds{20});
    REQUIRE(old_journal_test::apply(*this, 0, "old"));
  }
  static cluster_options options_of(std::uint64_t seed) {
    cluster_options result;
    result.seed = seed;
    return result;
  }
};

} // namespace

TEST_SUITE("simulation/old journal") {

  TEST_CASE("a journal that was put back is known by who was started again since") {
    zone z{5};
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

  TEST_CASE("two disks that were put back together are no quorum beside a third that knows more") {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      CAPTURE(seed);
      zone z{seed};
      z.run_for(seconds{20});
      act(z, disturbance::kind::copy, 0);
      act(z, disturbance::kind::copy, 1);
      if (seed % 2 == 0) // else the copies are of this very life
        for (std::uint32_t i : {0, 1}) {
          z.crash(i);
          z.start(i);
          z.run_for(seconds{10});
        }
      REQUIRE(apply(z, 2, "new"));
      z.run_for(seconds{5});
      z.crash(0);
      z.crash(1);
      act(z, disturbance::kind::put_back, 0);
      act(z, disturbance::kind::put_back, 1);
      z.start(0);
      z.start(1);
      for (int i = 0; i < 40; ++i) {
        for (std::uint32_t at : {0, 1, 2})
          CHECK(read(z, at, milliseconds{200}) != "old");
        z.run_for(milliseconds{100});
      }
      // Two of three disks are lost, and so each says; what the third has is all there is.
      z.run_for(seconds{15});
      api_request x;
      x.set_version(1);
      x.mutable_rebuild_charter();
      REQUIRE(z.ask(2, x, seconds{60}));
      x.mutable_rebuild();
      REQUIRE(z.ask(2, x, seconds{90}));
      CHECK(z.run_until([&] { return read(z, 0, seconds{1}) == "new"; }, seconds{60}));
    }
  }

  TEST_CASE(
      "after all nodes were killed the zone goes on at once, and so it does with two of three") {
    for (std::uint32_t back : {2u, 3u}) {
      CAPTURE(back);
      zone z{7};
      for (std::uint32_t i : {0, 1, 2})
        z.crash(i);
      for (std::uint32_t i = 0; i < back; ++i)
        z.start(i);
      CHECK(z.run_until([&] { return read(z, 0) == "old"; }, seconds{6}, milliseconds{100}));
    }
  }

} // TEST_SUITE

} // namespace legion::old_journal_test
