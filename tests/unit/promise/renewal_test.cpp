#include <doctest/doctest.h>

#include "actors/promise/renewal.hpp"

using namespace legion;
using promise::renewals;

namespace {

std::string text(const std::vector<renewals::ask>& all) {
  std::string result;
  for (auto& x : all) {
    result += "group " + std::to_string(x.group) + " #" + std::to_string(x.sequence) + ":";
    for (auto& uid : x.uids)
      result += " " + uid;
    result += "; ";
  }
  return result;
}

} // namespace

TEST_SUITE("promise/renewal") {

  TEST_CASE("one ask for all promises of a group, at once and then every interval") {
    renewals x{milliseconds{10'000}, milliseconds{3000}};
    CHECK(x.next_due() == -1);
    x.add("a", 7);
    x.add("b", 7);
    x.add("c", 9);
    CHECK(text(x.due(1000)) == "group 7 #1: a b; group 9 #2: c; ");
    CHECK(text(x.due(1000)).empty());
    CHECK(x.next_due() == 4000);
    x.remove("c");
    CHECK(text(x.due(4000)) == "group 7 #3: a b; ");
  }

  TEST_CASE("a lease counts from when it was asked, however late its answer comes") {
    renewals x{milliseconds{10'000}, milliseconds{3000}};
    x.add("a", 7);
    CHECK(x.until("a") == 0);
    x.due(1000);
    x.due(4000);
    auto first = x.on_answer(1, {"a"}, 9000);
    REQUIRE(first.size() == 1);
    CHECK(first[0].until_ms == 11'000);
    CHECK(x.on_answer(2, {"a"}, 9000)[0].until_ms == 14'000);
    CHECK(x.on_answer(1, {"a"}, 9000).empty()); // never back
    CHECK(x.until("a") == 14'000);
  }

  TEST_CASE("an answer that comes after its lease has run out gives nothing") {
    renewals x{milliseconds{10'000}, milliseconds{3000}};
    x.add("a", 7);
    x.due(1000);
    CHECK(x.on_answer(1, {"a"}, 11'000).empty());
    x.due(20'000); // forgets what ran out
    CHECK(x.on_answer(1, {"a"}, 10'000).empty());
    CHECK(x.until("a") == 0);
  }

  TEST_CASE("an answer gives only what was asked of that group, and what is still promised") {
    renewals x{milliseconds{10'000}, milliseconds{3000}};
    x.add("a", 7);
    x.add("b", 9);
    x.due(1000);
    CHECK(x.on_answer(1, {"b", "stranger"}, 1500).empty());
    CHECK(x.on_answer(99, {"a"}, 1500).empty());
    x.remove("a");
    CHECK(x.on_answer(1, {"a"}, 1500).empty());
    CHECK(x.on_answer(2, {"b"}, 1500).size() == 1);
  }

} // TEST_SUITE
