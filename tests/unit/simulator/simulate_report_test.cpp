#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "runtime/simulator/simulate_report.hpp"

namespace legion::simulate_report_test {

using namespace legion::simulator;
using namespace std::chrono_literals;

namespace {

simulated outcome(std::uint32_t zones, int nodes_each) {
  simulated x;
  x.nodes = zones * static_cast<std::uint32_t>(nodes_each);
  x.zones = zones;
  x.formed = 1s;
  x.ended = 6s;
  x.patience = 5s;
  x.ready = true;
  for (std::uint32_t zone = 1; zone <= zones; ++zone) {
    placed y;
    y.zone = zone;
    y.kind = "Deployment";
    y.name = "web";
    y.wanted = y.ready = nodes_each;
    for (int i = 0; i < nodes_each; ++i)
      y.nodes["z" + std::to_string(zone) + "-node-" + std::to_string(i)] = 1;
    x.placed.push_back(y);
  }
  return x;
}

bool has(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

std::size_t widest(const std::string& text) {
  std::istringstream lines(text);
  std::size_t result = 0;
  for (std::string line; std::getline(lines, line);)
    result = std::max(result, line.size());
  return result;
}

} // namespace

TEST_SUITE("simulator/simulate_report") {

  TEST_CASE("after faults it says when all was ready again, or that it was not") {
    auto x = outcome(1, 3);
    x.faults = 2;
    x.last_fault = 3s;
    CHECK(has(text_of(x), "2 faults, the last at 3.0 s; all was ready again at 6.0 s after apply"));
    CHECK_FALSE(has(text_of(x), "Not all is ready"));
    x.ready = false;
    CHECK_FALSE(has(text_of(x), "ready again"));
    CHECK(has(text_of(x), "Not all is ready 5 s after the last fault."));
    x.faults = 0;
    CHECK(has(text_of(x), "Not all is ready 5 s after apply."));
  }

  TEST_CASE("of several zones each says where its replicas run, as far as there is room") {
    auto text = text_of(outcome(3, 2));
    CHECK(has(text, "Zone 1: Deployment/web runs on z1-node-0, z1-node-1\n"));
    CHECK(has(text, "Zone 3: Deployment/web runs on z3-node-0, z3-node-1\n"));
    text = text_of(outcome(25, 25));
    CHECK(has(text, "and 5 more nodes"));
    CHECK(has(text, "Zone 20: "));
    CHECK_FALSE(has(text, "Zone 21: "));
    CHECK(has(text, "... and 5 more; -o json has all of them"));
    CHECK(has(text_of(outcome(1, 1)), "\nDeployment/web runs on z1-node-0\n"));
  }

  TEST_CASE("no line is wider than 80 columns") {
    auto x = outcome(30, 125);
    x.placed[0].ready = 0;
    for (int i = 0; i < 30; ++i)
      x.placed[0].waits += "too little memory on a node, ";
    x.faults = 1000;
    CHECK(widest(text_of(x)) <= 80);
  }

  TEST_CASE("a warning says that it is one") {
    diagnostic x;
    x.set_file("f");
    x.set_line(1);
    x.set_column(2);
    x.set_text("f:1:2: a: not yet honoured");
    CHECK(told(x) == "f:1:2: error: a: not yet honoured");
    x.set_warning(true);
    CHECK(told(x) == "f:1:2: warning: a: not yet honoured");
  }
}

} // namespace legion::simulate_report_test
