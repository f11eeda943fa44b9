#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "runtime/simulator/cluster.hpp"
#include "runtime/simulator/simulation.hpp"
#include "runtime/simulator/zone_by_zone.hpp"

namespace legion::zones_test {

/// Several zones in one simulation, each a cluster of its own.

namespace {

using namespace legion::simulator;

disturbance what(disturbance::kind kind, std::vector<std::uint32_t> nodes, seconds at = {}) {
  disturbance x;
  x.what = kind;
  x.nodes = std::move(nodes);
  x.at = at;
  return x;
}

/// Three zones of which the last is smaller.
cluster_options three_zones() {
  cluster_options result;
  result.nodes = 8;
  result.zone_size = 3;
  result.log_debug = true;
  result.log_frames = true;
  return result;
}

/// Of every zone something, of all the weather.
std::vector<disturbance> faults_of_three_zones() {
  using kind = disturbance::kind;
  auto split = what(kind::partition, {}, seconds{12});
  split.sides = {{0}, {3, 4}, {7}};
  auto rain = what(kind::loss, {}, seconds{8});
  rain.fraction = 0.1;
  return {rain,
          what(kind::crash, {1, 4}, seconds{9}),
          what(kind::cut, {5, 3}, seconds{10}),
          what(kind::cut, {0, 7}, seconds{10}),
          split,
          what(kind::restart, {1, 4}, seconds{13}),
          what(kind::heal, {}, seconds{15}),
          what(kind::supervisor, {6}, seconds{15})};
}

/// All that is to be seen of a zone's life.
struct life {
  std::string log; // the lines of its nodes
  std::string members;
  std::uint64_t steps = 0;
  std::uint64_t bytes = 0;
  bool operator==(const life&) const = default;
};

life life_of(std::uint32_t zone) {
  auto options = three_zones();
  options.zone = zone;
  life result;
  cluster x{options};
  x.log().write_to([&](std::string_view line) { result.log += std::string(line) + "\n"; });
  x.start_all();
  x.schedule(faults_of_three_zones());
  x.run_for(seconds{20});
  x.log().write_to(nullptr);
  result.steps = x.system().steps();
  result.bytes = x.network().counts().bytes;
  for (std::uint32_t i = 0; i < x.size(); ++i)
    if (auto known = x.members(i))
      for (auto& y : known->members)
        result.members += x.node(i).self.name + "/" + x.node(i).self.zone + " knows " + y.who.name()
                          + " as " + std::to_string(static_cast<int>(y.state)) + "\n";
  return result;
}

constexpr const char* web = R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 5
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, command: [server]}]
)";

/// What `legionctl simulate` does, with small zones.
simulation small_simulation() {
  simulation result;
  result.options = three_zones();
  result.options.log_debug = result.options.log_frames = result.options.log_actors = false;
  result.files.push_back({"web.yaml", web});
  result.faults = {what(disturbance::kind::kill, {1, 4, 7}, seconds{3})};
  return result;
}

TEST_SUITE("simulation/zones") {
  TEST_CASE(
      "a zone's life is the same alone and while others live, with all that goes wrong in it") {
    std::vector<life> all(3);
    zone_by_zone(3, 3, [&](std::uint32_t zone) {
      all[zone] = life_of(zone);
      return true;
    });
    for (std::uint32_t zone = 0; zone < 3; ++zone) {
      CHECK(all[zone].log.size() > 10000);
      CHECK((life_of(zone) == all[zone]));
    }
    CHECK(all[1].log.find(" node-5 crash\n") != std::string::npos);
    auto start_of = [&](std::uint32_t zone, const std::string& node) {
      auto at = all[zone].log.find(node + " start number=1");
      return all[zone].log.substr(at - 13, 12);
    };
    CHECK(start_of(0, "node-2") != start_of(1, "node-5")); // each has a chance of its own
    CHECK(all[2].members.find("node-8/zone-3 knows node-7") != std::string::npos);
    CHECK(all[2].members.find("node-6") == std::string::npos); // zones know themselves only
  }

  TEST_CASE("a simulation's first zone is what a simulation of one zone is, but for its name") {
    auto log_of = [](std::uint32_t nodes) {
      auto options = three_zones();
      options.nodes = nodes;
      options.log_frames = false; // they are of other sizes
      std::string result;
      cluster x{options};
      x.log().write_to([&](std::string_view line) { result += std::string(line) + "\n"; });
      x.start_all();
      x.run_for(seconds{10});
      for (std::size_t at; (at = result.find("zone-1")) != std::string::npos;)
        result.replace(at, 6, "local");
      return std::pair{result, x.system().steps()};
    };
    CHECK((log_of(3) == log_of(8)));
  }

  TEST_CASE("of faults a zone gets what concerns it, under the names of the whole") {
    auto options = three_zones();
    options.zone = 1;
    options.log_frames = false;
    std::string told;
    cluster x{options};
    x.log().write_to([&](std::string_view line) {
      if (line.substr(12, 3) == " - ")
        told += std::string(line.substr(0, 12)) + std::string(line.substr(14)) + "\n";
    });
    x.start_all();
    x.schedule(faults_of_three_zones());
    x.run_for(seconds{11});
    CHECK_FALSE(x.node(1).actors);
    CHECK(x.node(0).actors);
    CHECK(x.network().present_conditions().loss == 0.1);
    x.run_for(seconds{9});
    CHECK(x.node(1).actors);
    CHECK(told
          == "    8.000000 loss permille=100\n"
             "    9.000000 crash nodes=node-5\n"
             "   10.000000 cut nodes=node-6,node-4\n"
             "   12.000000 partition side=node-4,node-5\n"
             "   13.000000 restart nodes=node-5\n"
             "   15.000000 heal\n");
  }

  TEST_CASE("a simulation comes out the same however many zones live at once") {
    auto what = small_simulation();
    auto one = run(what, 1);
    REQUIRE(one);
    CHECK(one->ready);
    REQUIRE(one->placed.size() == 3);
    CHECK(one->placed[2].nodes.rbegin()->first == "node-8");
    for (std::uint32_t at_once : {2u, 3u}) {
      auto several = run(what, at_once);
      REQUIRE(several);
      CHECK(json_of(*several) == json_of(*one));
      CHECK(text_of(*several) == text_of(*one));
    }
    for (std::uint32_t zone = 0; zone < 3; ++zone) {
      auto alone = live(what, zone);
      REQUIRE(alone.placed.size() == 1);
      CHECK(alone.placed[0].nodes == one->placed[zone].nodes);
      CHECK(alone.placed[0].ready_in == one->placed[zone].ready_in);
      CHECK(alone.formed <= one->formed);
      CHECK(alone.ended <= one->ended);
    }
  }

  TEST_CASE("all is ready when it runs, not while its keeper has not heard that it does not") {
    auto what_with = [](std::vector<disturbance> faults) {
      simulation x;
      x.options.nodes = 6;
      x.options.log_actors = false;
      x.files.push_back({"web.yaml", web});
      x.faults = std::move(faults);
      x.patience = seconds{30};
      return live(x, 0);
    };
    auto undisturbed = what_with({});
    REQUIRE(undisturbed.ready);
    REQUIRE(undisturbed.placed.size() == 1);
    std::vector<std::uint32_t> all{0, 1, 2, 3, 4, 5}, holders;
    for (const auto& [name, count] : undisturbed.placed[0].nodes)
      holders.push_back(static_cast<std::uint32_t>(name.back() - '1'));
    SUBCASE("its processes are killed") {
      auto came = what_with({what(disturbance::kind::kill, all, seconds{5})});
      CHECK(came.ready);
      CHECK(came.ended > seconds{5} + milliseconds{100}); // a new life passes its probe again
      CHECK(came.placed[0].ready_in == undisturbed.placed[0].ready_in); // the first time
    }
    SUBCASE("one of its nodes dies") {
      auto lost = holders.back();
      auto came = what_with({what(disturbance::kind::crash, {lost}, seconds{5})});
      CHECK(came.ready);
      CHECK(came.ended > seconds{6}); // it was missed first
      CHECK(!came.placed[0].nodes.contains("node-" + std::to_string(lost + 1)));
    }
    SUBCASE("who is asked is cut off: another one is") {
      auto split = what(disturbance::kind::partition, {}, seconds{5});
      split.sides = {{0}, {1, 2, 3, 4, 5}};
      auto came = what_with({split});
      CHECK(came.ready);
      CHECK(!came.placed[0].nodes.contains("node-1"));
    }
    SUBCASE("nobody is left to ask: it is on the report, and not ready") {
      auto came = what_with({what(disturbance::kind::crash, all, seconds{5})});
      CHECK_FALSE(came.ready);
      REQUIRE(came.placed.size() == 1);
      CHECK(came.placed[0].name == "web");
      CHECK(came.placed[0].wanted == 5);
      CHECK(came.placed[0].ready == 0);
      CHECK(came.placed[0].waits == "no node answers for it");
    }
  }

  TEST_CASE("its log has the zones one after another, each with what a user asked for") {
    auto log_of = [](std::uint32_t at_once) {
      auto what = small_simulation();
      what.options.log_actors = true;
      std::string result;
      what.log = [&](std::string_view line) { result += std::string(line) + "\n"; };
      REQUIRE(run(what, at_once));
      return result;
    };
    auto log = log_of(1);
    CHECK((log == log_of(3)));
    std::size_t at = 0;
    for (auto* line :
         {"    0.000000 - zone number=1 first=node-1 nodes=3\n", "- kill nodes=node-2\n",
          "    0.000000 - zone number=2 first=node-4 nodes=3\n", "- kill nodes=node-5\n",
          "    0.000000 - zone number=3 first=node-7 nodes=2\n", "- kill nodes=node-8\n"}) {
      CAPTURE(line);
      at = log.find(line, at);
      REQUIRE(at != std::string::npos);
    }
  }

  TEST_CASE("a manifest that is refused is the first zone's word with the reason, and no report") {
    auto what = small_simulation();
    auto warned = std::string{web};
    warned.insert(warned.find("replicas"), "revisionHistoryLimit: 3\n  ");
    what.files = {{"web.yaml", warned + "---\napiVersion: v1\nkind: Nonsense\n"}};
    auto came = run(what, 3);
    REQUIRE_FALSE(came);
    CHECK(came.why().detail
          == "zone 1 refused: web.yaml:13:7: kind: found \"Nonsense\", allowed: v1 Pod, apps/v1 "
             "Deployment or v1 List");
  }

  TEST_CASE("what a manifest names another namespace for lives in that one") {
    auto what = small_simulation();
    auto text = std::string{web};
    text.replace(text.find("{name: web}"), 11, "{name: web, namespace: prod}");
    what.files = {{"prod.yaml", text}, {"web.yaml", web}};
    what.faults.clear();
    auto came = live(what, 0);
    CHECK(came.refused == "");
    CHECK(came.ready);
    REQUIRE(came.placed.size() == 2);
    CHECK(came.placed[0].space != came.placed[1].space);
  }
}

} // namespace

} // namespace legion::zones_test
