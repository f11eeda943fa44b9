#include <doctest/doctest.h>

#include "tests/simulation/requests.hpp"

namespace legion::cut_pair_test {

using namespace legion::simulator;

TEST_SUITE("simulation/cut_pair") {

  TEST_CASE("of a pair that is cut from each other either answers for all that the other leads") {
    cluster all{requests::sized(3, 1)};
    all.start_all();
    all.run_for(seconds{30});
    disturbance cut;
    cut.what = disturbance::kind::cut;
    for (auto [from, to] : {std::pair{0u, 1u}, {1u, 0u}}) {
      cut.nodes = {from, to};
      all.apply(cut);
    }
    all.run_for(seconds{10});
    for (auto i = 0; i < 12; ++i)
      for (std::uint32_t at : {0u, 1u}) {
        auto name = "app" + std::to_string(i);
        CAPTURE(name);
        CAPTURE(at);
        auto replicas = static_cast<int>(at);
        auto reply = all.ask(at, requests::apply(requests::deployment(name, replicas)));
        REQUIRE(reply);
        INFO(reply->refused().detail());
        CHECK_FALSE(reply->has_refused());
        auto seen = all.ask(1 - at, requests::get("deployments", name));
        REQUIRE(seen);
        REQUIRE(seen->resources_size() == 1);
        CHECK(seen->resources(0).what().deployment().replicas() == replicas);
        CHECK_FALSE(seen->has_refused());
      }
  }

} // TEST_SUITE

} // namespace legion::cut_pair_test
