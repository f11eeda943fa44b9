#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "runtime/simulator/event_log.hpp"

using namespace legion::simulator;
using std::chrono::seconds;

TEST_SUITE("simulator/event_log") {
  TEST_CASE("what parts gather comes in the order of its times, and counts whether it is written "
            "or not") {
    std::vector<std::string> lines;
    auto run = [&](bool writes) {
      event_log whole, a, b;
      if (writes)
        whole.write_to([&](std::string_view x) { lines.emplace_back(x.substr(x.find('-'))); });
      for (auto* part : {&a, &b})
        part->gather_for(whole);
      a.add(seconds{1}, "", "first");
      a.add(seconds{3}, "", "third");
      b.add(seconds{2}, "", "second");
      b.add(seconds{3}, "", "fourth");
      whole.take_in({&a, &b});
      b.digest(seconds{4}, "a frame");
      whole.take_in({&a, &b});
      CHECK(whole.lines() == 4);
      return whole.digest();
    };
    auto digest = run(true);
    CHECK(lines == std::vector<std::string>{"- first", "- second", "- third", "- fourth"});
    CHECK(run(false) == digest);
    CHECK(lines.size() == 4);
    event_log whole, other;
    other.digest(seconds{4}, "another frame");
    whole.take_in({&other});
    CHECK(whole.digest() != event_log{}.digest());
    CHECK(whole.digest() != digest);
  }
}
