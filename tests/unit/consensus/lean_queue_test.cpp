#include <deque>
#include <memory>

#include <doctest/doctest.h>

#include "actors/consensus/lean_queue.hpp"
#include "messages/random.hpp"

namespace legion::lean_queue_test {

using consensus::lean_queue;

TEST_SUITE("consensus/lean_queue") {
  TEST_CASE("it holds what a deque holds, whatever is done to both") {
    seeded_random random{7};
    lean_queue<int> mine;
    std::deque<int> other;
    for (int i = 0; i < 20000; ++i) {
      auto what = random() % 100;
      if (what < 48) {
        mine.push_back(i);
        other.push_back(i);
      } else if (what < 90 && !other.empty()) {
        mine.pop_front();
        other.pop_front();
      } else if (what < 99 && !other.empty()) {
        mine.pop_back();
        other.pop_back();
      } else if (what == 99 && random() % 50 == 0) {
        mine.clear();
        other.clear();
      }
      REQUIRE(mine.size() == other.size());
      REQUIRE(mine.empty() == other.empty());
      REQUIRE(std::equal(mine.begin(), mine.end(), other.begin(), other.end()));
      if (!other.empty()) {
        REQUIRE(mine.front() == other.front());
        REQUIRE(mine.back() == other.back());
        REQUIRE(mine[other.size() / 2] == other[other.size() / 2]);
      }
    }
  }

  TEST_CASE("what was taken from the front is let go at once") {
    lean_queue<std::shared_ptr<int>> x;
    std::weak_ptr<int> first;
    for (int i = 0; i < 10; ++i)
      x.push_back(std::make_shared<int>(i));
    first = x.front();
    x.pop_front();
    CHECK(first.expired());
  }
}

} // namespace legion::lean_queue_test
