#include "actors/node/event_ring.hpp"

#include <doctest/doctest.h>

namespace legion::event_ring_test {

namespace {

event told(std::int64_t time_ms, const std::string& reason, unsigned count = 0) {
  event result;
  result.set_time_ms(time_ms);
  result.set_reason(reason);
  result.set_object("web-1");
  result.set_source("one");
  result.set_count(count);
  return result;
}

std::string reasons(const event_ring& x) {
  std::string result;
  for (const auto& y : x.all())
    result += y.reason() + std::to_string(y.count()) + " ";
  return result;
}

} // namespace

TEST_SUITE("node/event_ring") {

  TEST_CASE("what repeats raises its count and becomes the newest; the oldest go first") {
    event_ring x;
    x.add(told(1, "BackOff"));
    x.add(told(2, "Started"));
    x.add(told(3, "BackOff"));
    CHECK(reasons(x) == "Started1 BackOff2 ");
    for (int i = 0; i < 100; ++i)
      x.add(told(4 + i, "R" + std::to_string(i) + "."));
    CHECK(x.all().size() == 100);
    CHECK(x.all().front().reason() == "R0.");
  }

  TEST_CASE("what is told again is known once, in its place in time") {
    event_ring x;
    x.add(told(20, "Unhealthy"));
    x.recall(told(10, "Started", 1));
    x.recall(told(20, "Unhealthy", 1));
    CHECK(reasons(x) == "Started1 Unhealthy1 ");
    x.recall(told(15, "Unhealthy", 3)); // from before: nothing new
    CHECK(reasons(x) == "Started1 Unhealthy1 ");
    x.recall(told(30, "Started", 4)); // its teller has counted
    CHECK(reasons(x) == "Unhealthy1 Started4 ");
  }

  TEST_CASE("what is told again of long ago drives out nothing newer") {
    event_ring x;
    for (int i = 0; i < 100; ++i)
      x.add(told(100 + i, "R" + std::to_string(i) + "."));
    x.recall(told(1, "Old", 1));
    CHECK(x.all().size() == 100);
    CHECK(x.all().front().reason() == "R0.");
  }
}

} // namespace legion::event_ring_test
