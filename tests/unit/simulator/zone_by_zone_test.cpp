#include <doctest/doctest.h>

#include <algorithm>
#include <latch>
#include <mutex>
#include <vector>

#include "runtime/simulator/zone_by_zone.hpp"

namespace legion::zone_by_zone_test {

namespace {

using namespace legion::simulator;

TEST_SUITE("simulator/zone_by_zone") {
  TEST_CASE("each zone lives once, and never more at once than may") {
    for (std::uint32_t at_once : {1u, 2u, 3u}) {
      std::mutex lock;
      std::uint32_t living = 0, most = 0;
      std::vector<std::uint32_t> begun;
      std::latch all_begun{at_once};
      zone_by_zone(7, at_once, [&](std::uint32_t zone) {
        {
          std::lock_guard guard{lock};
          begun.push_back(zone);
          most = std::max(most, ++living);
        }
        if (zone < at_once) // so many live at once
          all_begun.arrive_and_wait();
        std::lock_guard guard{lock};
        --living;
        return true;
      });
      CHECK(most == at_once);
      std::sort(begun.begin(), begun.end());
      CHECK(begun == std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6});
    }
  }

  TEST_CASE("when one gives up no other begins") {
    std::vector<std::uint32_t> begun;
    zone_by_zone(7, 1, [&](std::uint32_t zone) {
      begun.push_back(zone);
      return zone < 2;
    });
    CHECK(begun == std::vector<std::uint32_t>{0, 1, 2});
  }

  TEST_CASE("no zone, or fewer than may live at once") {
    std::mutex lock;
    int begun = 0;
    auto count = [&](std::uint32_t) {
      std::lock_guard guard{lock};
      ++begun;
      return true;
    };
    zone_by_zone(0, 3, count);
    CHECK(begun == 0);
    zone_by_zone(2, 3, count);
    CHECK(begun == 2);
  }
}

} // namespace

} // namespace legion::zone_by_zone_test
