#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "runtime/simulator/event_log.hpp"

using namespace legion::simulator;
using std::chrono::seconds;

TEST_SUITE("simulator/event_log") {
  TEST_CASE("what is held comes in the order of its times, and counts as it came") {
    std::vector<std::string> lines;
    event_log x, unheld;
    x.write_to([&](std::string_view line) { lines.emplace_back(line.substr(line.find('-'))); });
    x.hold();
    for (auto* log : {&x, &unheld}) {
      log->add(seconds{2}, "", "second");
      log->add(seconds{1}, "", "first");
      log->add(seconds{2}, "", "third");
    }
    CHECK(lines.empty());
    CHECK(x.digest() == unheld.digest());
    CHECK(x.lines() == 3);
    x.release();
    CHECK(lines == std::vector<std::string>{"- first", "- second", "- third"});
    x.add(seconds{3}, "", "at once");
    CHECK(lines.size() == 4);
    x.hold();
    x.release();
    CHECK(lines.size() == 4);
  }
}
