#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "runtime/simulator/cluster.hpp"
#include "runtime/simulator/simulation.hpp"

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

/// Of the zones `first` on, `count` of them, which live at once.
std::map<std::uint32_t, life> lives(std::uint32_t first, std::uint32_t count) {
  auto options = three_zones();
  options.first_zone = first;
  options.zones = count;
  std::map<std::uint32_t, life> result;
  cluster x{options};
  REQUIRE(x.zones() == count);
  x.log().write_to([&](std::string_view line) {
    auto node = line.find(" node-");
    if (node == 12) // of no node: of the whole
      result[static_cast<std::uint32_t>(line[18] - '1') / 3].log += std::string(line) + "\n";
  });
  x.start_all();
  x.schedule(faults_of_three_zones());
  x.run_for(seconds{20});
  x.log().write_to(nullptr);
  for (std::uint32_t zone = 0; zone < count; ++zone) {
    result[first + zone].steps = x.system(zone).steps();
    result[first + zone].bytes = x.network(zone).counts().bytes;
  }
  for (std::uint32_t i = 0; i < x.size(); ++i) {
    auto known = x.members(i);
    REQUIRE(known);
    for (auto& y : known->members)
      result[first + x.node(i).zone].members += x.node(i).self.name + "/" + x.node(i).self.zone
                                                + " knows " + y.who.name() + " as "
                                                + std::to_string(static_cast<int>(y.state)) + "\n";
  }
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
  TEST_CASE("a zone's life is the same alone and beside others, with all that goes wrong in it") {
    auto all = lives(0, 3);
    REQUIRE(all.size() == 3);
    auto first = lives(0, 2), last = lives(1, 2);
    for (std::uint32_t zone = 0; zone < 3; ++zone) {
      auto alone = lives(zone, 1)[zone];
      CHECK(alone.log.size() > 10000);
      CHECK((alone == all[zone]));
      CHECK((zone == 2 || alone == first[zone]));
      CHECK((zone == 0 || alone == last[zone]));
    }
    CHECK(all[1].log.find(" node-5 crash\n") != std::string::npos);
    auto start_of = [&](std::uint32_t zone, const std::string& node) {
      auto at = all[zone].log.find(node + " start number=1");
      return all[zone].log.substr(at - 13, 12);
    };
    CHECK(start_of(0, "node-2") != start_of(1, "node-5")); // each has a chance of its own
    CHECK(all[2].members.find("node-8/zone-3 knows node-7") != std::string::npos);
  }

  TEST_CASE("a simulation's first zone is what a simulation of one zone is, but for its name") {
    auto log_of = [](std::uint32_t nodes) {
      auto options = three_zones();
      options.nodes = nodes;
      options.zones = 1;
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

  TEST_CASE("of faults a stretch of zones gets what concerns it, under the names of the whole") {
    auto options = three_zones();
    options.first_zone = 1;
    options.zones = 1;
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

  TEST_CASE("a manifest that is refused is the first zone's word, and no report") {
    auto what = small_simulation();
    what.files = {{"web.yaml", "kind: Nonsense\n"}};
    auto came = run(what, 3);
    REQUIRE_FALSE(came);
    CAPTURE(came.why().detail);
    CHECK(came.why().detail.starts_with("zone 1 refused: "));
  }

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
