#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "runtime/simulator/cluster.hpp"

/// Several zones in one simulation, each a world of its own.

namespace {

using namespace legion;
using namespace legion::simulator;

cluster_options two_zones() {
  cluster_options result;
  result.nodes = 6;
  result.zone_size = 3;
  return result;
}

disturbance what(disturbance::kind kind, std::vector<std::uint32_t> nodes, seconds at = {}) {
  disturbance x;
  x.what = kind;
  x.nodes = std::move(nodes);
  x.at = at;
  return x;
}

std::size_t alive(cluster& x, std::uint32_t who) {
  std::size_t result = 0;
  if (auto known = x.members(who))
    for (auto& y : known->members)
      result += y.state == member_alive;
  return result;
}

TEST_SUITE("simulation/zones") {
  TEST_CASE("the same options and calls give the same log, whose times never go back") {
    auto run = [](std::vector<std::string>* lines) {
      cluster x{two_zones()};
      if (lines)
        x.log().write_to([=](std::string_view line) { lines->emplace_back(line); });
      x.start_all();
      x.schedule({what(disturbance::kind::crash, {1, 4}, seconds{12})});
      x.run_for(seconds{20});
      return std::pair{x.log().digest(), x.log().lines()};
    };
    std::vector<std::string> lines;
    auto once = run(&lines);
    CHECK(once == run(nullptr));
    REQUIRE(lines.size() == once.second + 4); // the end of those that ran, when all was over
    auto both = std::vector<bool>(2);
    for (std::size_t i = 1; i < lines.size(); ++i) {
      CHECK(lines[i - 1].substr(0, 12) <= lines[i].substr(0, 12));
      both[0] = both[0] || lines[i].find(" node-2 crash") != std::string::npos;
      both[1] = both[1] || lines[i].find(" node-5 crash") != std::string::npos;
    }
    CHECK(both[0]);
    CHECK(both[1]);
  }

  TEST_CASE(
      "zones know themselves only, are at one time, and what happens to one is not the other's") {
    cluster x{two_zones()};
    REQUIRE(x.zones() == 2);
    x.start_all();
    x.run_for(seconds{15});
    CHECK(x.system(0).now() == x.system(1).now());
    CHECK(x.now() == seconds{15});
    CHECK(alive(x, 0) == 3);
    CHECK(alive(x, 5) == 3);
    disturbance split;
    split.what = disturbance::kind::partition;
    split.sides = {{0}, {1, 2}};
    x.schedule({split, what(disturbance::kind::crash, {4}, seconds{1})});
    x.run_for(seconds{15});
    CHECK(alive(x, 0) == 1);
    CHECK(alive(x, 2) == 2);
    CHECK(alive(x, 3) == 2);
    CHECK(alive(x, 5) == 2);
    x.schedule({what(disturbance::kind::heal, {}), what(disturbance::kind::restart, {4})});
    x.run_for(seconds{30});
    for (std::uint32_t i = 0; i < 6; ++i)
      CHECK(alive(x, i) == 3);
    CHECK(x.errors().empty());
  }
}

} // namespace
