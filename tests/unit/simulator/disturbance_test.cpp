#include <doctest/doctest.h>

#include "runtime/simulator/disturbance.hpp"

namespace legion::disturbance_test {

namespace {

using namespace legion::simulator;
using namespace std::chrono_literals;

std::string lines_of(const std::vector<disturbance>& all) {
  std::string result;
  for (auto& x : all)
    result += std::to_string(x.at.count() / 1000) + " " + text_of(x) + "\n";
  return result;
}

std::string error_of(const std::string& text) {
  auto x = read_disturbances("f.yaml", text, 5);
  return x ? "no error" : x.why().detail;
}

TEST_SUITE("simulator/disturbance") {
  TEST_CASE("a faults file names what happens when, in any order") {
    auto x = read_disturbances("f.yaml",
                               "- {at: 12s, restart: node-3}\n"
                               "- at: 1500ms\n"
                               "  crash: [node-3, node-1]\n"
                               "- {at: 20s, partition: [[node-1, node-2], [node-3]]}\n"
                               "- {at: 0.5m, heal: }\n"
                               "- {at: 0s, loss: 1.5%}\n"
                               "- {at: 1s, delay: 1ms-20ms}\n"
                               "- {at: 2s, cut: {from: node-1, to: node-2}}\n",
                               5);
    REQUIRE(x);
    CHECK(lines_of(*x)
          == "0 loss permille=15\n"
             "1000 delay least_us=1000 most_us=20000\n"
             "1500 crash nodes=node-3,node-1\n"
             "2000 cut nodes=node-1,node-2\n"
             "12000 restart nodes=node-3\n"
             "20000 partition side=node-1,node-2 side=node-3\n"
             "30000 heal\n");
  }

  TEST_CASE("errors name line and column, what was found and what is allowed") {
    CHECK(error_of("a: 1")
          == "f.yaml:1:1: a faults file is a list, each entry with `at` and a fault");
    CHECK(error_of("- {at: 5s, crash: node-9}")
          == "f.yaml:1:19: `node-9` is no node; there are node-1 to node-5");
    CHECK(error_of("- {at: 5s, crash: web}")
          == "f.yaml:1:19: `web` is no node; there are node-1 to node-5");
    CHECK(error_of("- {crash: node-1}")
          == "f.yaml:1:3: `at` is missing: when it happens, as in `at: 5s`");
    CHECK(error_of("- {at: 5, crash: node-1}")
          == "f.yaml:1:8: `5` is no time; allowed are 250ms, 1.5s, 2m");
    CHECK(error_of("- at: 5s\n  loss: 1")
          == "f.yaml:2:9: `1` is no percentage; allowed are 0% to 100%");
    CHECK(error_of("- at: 5s\n  at: 6s\n  heal:") == "f.yaml:2:3: `at` is here twice");
    CHECK(error_of("- {at: 5s, crash: [node-1, node-2, node-1]}")
          == "f.yaml:1:36: `node-1` is here twice");
    CHECK(error_of("- {at: 5s, partition: [[node-1, node-2], [node-3, node-1]]}")
          == "f.yaml:1:42: `node-1` is on another side already");
    CHECK(error_of("- {at: 5s, crash: []}") == "f.yaml:1:19: no node is named");
    CHECK(error_of("- {at: 5s, partition: [node-1]}")
          == "f.yaml:1:24: `partition` is a list of lists of nodes");
    CHECK(error_of("- {at: 5s, put-back: node-1}\n- {at: 6s, copy: node-1}")
          == "f.yaml:1:22: there is no earlier `copy` of `node-1`'s disk");
    CHECK(error_of("- {at: 6s, put-back: node-1}\n- {at: 5s, copy: node-1}") == "no error");
    CHECK(error_of("- {at: 5s, heal: node-1}")
          == "f.yaml:1:18: `heal` ends every cut and partition: it takes nothing");
    CHECK(error_of("- {at: 5s, cut: {from: node-1, to: node-1}}")
          == "f.yaml:1:17: `node-1` is cut off from another node only");
    CHECK(error_of("- at: 5s\n  heal:\n  crash: node-1")
          == "f.yaml:3:3: one fault an entry: `crash` needs its own");
    CHECK(error_of("- {at: 5s, explode: node-1}").find("f.yaml:1:12: `explode` is no fault") == 0);
    CHECK(error_of("- [at: 5s").find("f.yaml:") == 0);
    for (auto* nothing : {"", "# a note\n"})
      CHECK(error_of(nothing)
            == "f.yaml:1:1: a faults file is a list, each entry with `at` and a fault");
    CHECK(error_of("[]") == "no error");
    CHECK(error_of("- {at: 5s, partition: []}")
          == "f.yaml:1:23: no side is named: who is named nowhere is on one more");
    CHECK(error_of("- {at: 5s, cut: {from: node-1, to: node-2, x: y}}")
          == "f.yaml:1:44: `x` is not of a cut: `cut` is {from: NODE, to: NODE}");
    CHECK(error_of("- {at: 5s, cut: {from: node-1, to: node-2, from: node-3}}")
          == "f.yaml:1:44: `from` is here twice");
    CHECK(error_of("- {at: 5s, cut: {from: node-1}}")
          == "f.yaml:1:17: `cut` is {from: NODE, to: NODE}");
  }

  TEST_CASE("a seed decides the same each time, and mends at the end what it broke") {
    roughness how;
    how.nodes = 5;
    how.end = 30s;
    how.incidents = 20;
    auto all = draw_disturbances(4, how);
    CHECK(lines_of(all) == lines_of(draw_disturbances(4, how)));
    CHECK(lines_of(all) != lines_of(draw_disturbances(5, how)));
    using kind = disturbance::kind;
    REQUIRE(all.size() > 8);
    std::vector<kind> last;
    for (auto i = all.size() - 8; i < all.size(); ++i) {
      CHECK(all[i].at == 30s);
      last.push_back(all[i].what);
    }
    CHECK(last
          == std::vector<kind>{kind::loss, kind::duplication, kind::reordering, kind::heal,
                               kind::delay, kind::disk_free, kind::resume, kind::restart});
    CHECK(all.back().nodes.size() == 5);
  }

  TEST_CASE("a part of the nodes is concerned by what names them, and by what names nobody") {
    auto part = [](disturbance x) {
      auto y = part_of(x, 3, 3);
      return y ? text_of(*y) : "nothing";
    };
    using kind = disturbance::kind;
    auto of = [](kind what, std::vector<std::uint32_t> nodes) {
      disturbance x;
      x.what = what;
      x.nodes = std::move(nodes);
      return x;
    };
    auto split = [&](std::vector<std::vector<std::uint32_t>> sides) {
      auto x = of(kind::partition, {});
      x.sides = std::move(sides);
      return x;
    };
    CHECK(part(of(kind::crash, {2, 3, 5, 6})) == "crash nodes=node-4,node-6");
    CHECK(part(of(kind::crash, {0, 2, 6})) == "nothing");
    CHECK(part(of(kind::cut, {3, 5})) == "cut nodes=node-4,node-6");
    CHECK(part(of(kind::cut, {2, 3})) == "nothing");
    CHECK(part(of(kind::cut, {5, 6})) == "nothing");
    CHECK(part(of(kind::heal, {})) == "heal");
    CHECK(part(of(kind::loss, {})) == "loss permille=0");
    CHECK(part(split({{0}, {1}})) == "partition");
    CHECK(part(split({{0, 3}, {1}, {4}})) == "partition side=node-4 side=node-5");
  }
}

} // namespace

} // namespace legion::disturbance_test
