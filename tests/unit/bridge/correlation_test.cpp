#include "actors/bridge/correlation.hpp"

#include <map>
#include <random>

#include <doctest/doctest.h>

namespace legion::bridge::correlation_test {
namespace {

const auto a = node_id::from_bytes("aaaaaaaaaaaaaaaa");
const auto b = node_id::from_bytes("bbbbbbbbbbbbbbbb");
const time_point start{std::chrono::hours{100}};

} // namespace

TEST_SUITE("bridge/correlation") {
  TEST_CASE("an answer closes its request once, and only from who was asked") {
    correlation<int> x;
    auto first = x.open(a, 1, start, seconds{10});
    auto second = x.open(b, 2, start, seconds{10});
    CHECK(first != second);
    CHECK(!x.close(first, b));
    CHECK(x.close(first, a) == 1);
    CHECK(!x.close(first, a));
    auto third = x.open(a, 3, start, seconds{10}); // in the place of the first
    CHECK(!x.close(first, a));
    CHECK(x.close(third, a) == 3);
    CHECK(x.size() == 1);
    CHECK(!x.close(0, a));
    CHECK(!x.close(~0ull, a));
    CHECK(third < 1ull << 60);
  }

  TEST_CASE("a deadline is met up to one tick late, never early") {
    for (int ms : {0, 1, 249, 250, 251, 1000, 10'000, 15'999, 16'000, 16'001, 60'000, 600'000}) {
      CAPTURE(ms);
      correlation<int> x;
      auto within = milliseconds{ms};
      x.open(a, 1, start, within);
      auto now = start;
      std::size_t ended = 0;
      while (ended == 0) {
        REQUIRE(now <= start + within + 2 * correlation<int>::tick);
        now += milliseconds{50};
        ended = x.expire(now).size();
      }
      CHECK(now > start + within);
    }
  }

  TEST_CASE("a long pause expires everything that was due") {
    correlation<int> x;
    for (int i = 0; i < 100; ++i)
      x.open(a, i, start, milliseconds{i * 100});
    CHECK(x.expire(start + std::chrono::hours{1}).size() == 100);
    CHECK(x.size() == 0);
  }

  TEST_CASE("all that wait for one peer can be ended") {
    correlation<int> x;
    x.open(a, 1, start, seconds{1});
    x.open(b, 2, start, seconds{1});
    x.open(a, 3, start, seconds{1});
    auto ended = x.close_all(a);
    REQUIRE(ended.size() == 2);
    CHECK(ended[0].who == 1);
    CHECK(ended[1].who == 3);
    CHECK(x.expire(start + seconds{2}).size() == 1);
  }

  TEST_CASE("against a plain map: 20,000 random steps") {
    correlation<std::uint64_t> x;
    struct entry {
      node_id peer;
      std::uint64_t who;
      time_point due;
    };
    std::map<std::uint64_t, entry> model;
    std::mt19937_64 random{7};
    auto now = start;
    for (std::uint64_t i = 0; i < 20'000; ++i) {
      auto what = random() % 100;
      if (what < 60) {
        auto within = milliseconds{random() % 20'000};
        auto peer = random() % 2 == 0 ? a : b;
        auto number = x.open(peer, i, now, within);
        REQUIRE(model.emplace(number, entry{peer, i, now + within}).second);
      } else if (what < 95 && !model.empty()) {
        auto at = model.lower_bound(random() % (model.rbegin()->first + 1));
        REQUIRE(x.close(at->first, at->second.peer) == at->second.who);
        model.erase(at);
      } else {
        now += milliseconds{random() % 400};
        for (auto& gone : x.expire(now)) {
          auto at = model.find(gone.number);
          REQUIRE(at != model.end());
          REQUIRE(at->second.due < now);
          REQUIRE(at->second.who == gone.who);
          model.erase(at);
        }
        for (auto& [number, y] : model)
          REQUIRE(y.due >= now - correlation<int>::tick);
      }
      REQUIRE(x.size() == model.size());
    }
  }
}

} // namespace legion::bridge::correlation_test
