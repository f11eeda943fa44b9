#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "runtime/simulator/event_log.hpp"

namespace legion::event_log_test {

using namespace legion::simulator;
using std::chrono::seconds;

TEST_SUITE("simulator/event_log") {
  TEST_CASE("lines come as they are added, and count whether they are written or not") {
    std::vector<std::string> lines;
    auto run = [&](bool writes, const std::string& frame) {
      event_log x;
      if (writes)
        x.write_to([&](std::string_view line) { lines.emplace_back(line); });
      x.add(seconds{1}, "", "first");
      x.add(seconds{23}, "node-1", "second");
      x.digest(seconds{24}, frame); // in the digest only
      CHECK(x.lines() == 2);
      return x.digest();
    };
    auto digest = run(true, "a frame");
    CHECK(lines == std::vector<std::string>{"    1.000000 - first", "   23.000000 node-1 second"});
    CHECK(run(false, "a frame") == digest);
    CHECK(run(false, "another") != digest);
    CHECK(lines.size() == 2);
  }
}

} // namespace legion::event_log_test
