#include "messages/duration.hpp"

#include <doctest/doctest.h>

namespace legion::duration_test {

TEST_SUITE("messages/duration") {

  TEST_CASE("a time is numbers with their units; on a command line a number alone is seconds") {
    struct row {
      const char* text;
      std::int64_t us; // negative: it is none
    };
    for (const auto& [text, us] : {row{"250ms", 250'000},
                                   row{"1.5s", 1'500'000},
                                   row{"20us", 20},
                                   row{".5m", 30'000'000},
                                   row{"1h30m", 5'400'000'000},
                                   row{"1h0m1s5ms", 3'601'005'000},
                                   row{"0s", 0},
                                   row{"5", -1},
                                   row{"", -1},
                                   row{"s", -1},
                                   row{"5m30", -1},
                                   row{"1h 30m", -1},
                                   row{" 5s", -1},
                                   row{"5s ", -1},
                                   row{"-5s", -1},
                                   row{"+5s", -1},
                                   row{"1e3s", -1},
                                   row{"0x10s", -1},
                                   row{"infs", -1},
                                   row{"nans", -1},
                                   row{"2d", -1},
                                   row{"5sm", -1},
                                   row{"999999999h", -1}}) {
      CAPTURE(text);
      auto x = read_duration(text);
      CHECK((x ? x->count() : -1) == us);
      if (us >= 0)
        CHECK(read_duration_or_seconds(text) == x);
    }
    CHECK(read_duration_or_seconds("90") == std::chrono::seconds{90});
    CHECK(read_duration_or_seconds("1.5") == std::chrono::milliseconds{1500});
    for (auto* text : {"", ".", "1.2.3", "5m30", "90x"})
      CHECK_MESSAGE(!read_duration_or_seconds(text), text);
  }
}

} // namespace legion::duration_test
