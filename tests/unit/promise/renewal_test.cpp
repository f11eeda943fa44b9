#include <doctest/doctest.h>

#include "actors/promise/renewal.hpp"

namespace legion::renewal_test {

using promise::renewals;

namespace {

node_id node(char x) {
  return node_id::from_bytes(std::string(node_id::size, x));
}

void add(renewals& to, const char* uid, std::uint32_t group) {
  to.add(uid, group, node('k'), seconds{10});
}

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
    renewals x{milliseconds{3000}};
    CHECK(x.next_due() == -1);
    add(x, "a", 7);
    add(x, "b", 7);
    add(x, "c", 9);
    CHECK(text(x.due(1000)) == "group 7 #1: a b; group 9 #2: c; ");
    CHECK(text(x.due(1000)).empty());
    CHECK(x.next_due() == 4000);
    x.remove("c");
    CHECK(text(x.due(4000)) == "group 7 #3: a b; ");
  }

  TEST_CASE("a lease counts from when it was asked, however late its answer comes") {
    renewals x{milliseconds{3000}};
    add(x, "a", 7);
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
    renewals x{milliseconds{3000}};
    add(x, "a", 7);
    x.due(1000);
    CHECK(x.on_answer(1, {"a"}, 11'000).empty());
    x.due(20'000); // forgets what ran out
    CHECK(x.on_answer(1, {"a"}, 10'000).empty());
    CHECK(x.until("a") == 0);
  }

  TEST_CASE("an answer gives only what was asked of that group, and what is still promised") {
    renewals x{milliseconds{3000}};
    add(x, "a", 7);
    add(x, "b", 9);
    x.due(1000);
    CHECK(x.on_answer(1, {"b", "stranger"}, 1500).empty());
    CHECK(x.on_answer(99, {"a"}, 1500).empty());
    x.remove("a");
    CHECK(x.on_answer(1, {"a"}, 1500).empty());
    CHECK(x.on_answer(2, {"b"}, 1500).size() == 1);
  }

  TEST_CASE("who does not lead says who may: asked at once, but not twice in a row") {
    renewals x{milliseconds{3000}};
    add(x, "a", 7);
    CHECK(x.due(1000).at(0).to == node('k'));
    x.on_refused(1, node('l'), {}, 1100);
    CHECK(x.next_due() == 1100);
    CHECK(x.due(1100).at(0).to == node('l'));
    x.on_refused(2, node('m'), {}, 1200); // they disagree
    CHECK(x.next_due() == 4100);
    CHECK(x.due(4100).at(0).to == node('m'));
    CHECK(x.on_answer(3, {"a"}, 4200).size() == 1);
    CHECK(x.due(7100).at(0).to == node('m'));
  }

  TEST_CASE("when nobody answers, those who say that they keep the group are asked in turn") {
    renewals x{milliseconds{3000}};
    add(x, "a", 7);
    const std::vector<node_id> keepers{node('i'), node('j')};
    std::string asked;
    for (std::int64_t now = 0; now < 15'000; now += 500)
      for (auto& y : x.due(now)) {
        asked += y.to.bytes()[0];
        x.on_refused(y.sequence, {}, keepers, now + 100);
      }
    CHECK(asked.substr(0, 5) == "kijij");
    x.on_refused(999, node('z'), keepers, 20'000); // a stranger's answer
    CHECK(x.due(30'000).at(0).to != node('z'));
  }

} // TEST_SUITE

} // namespace legion::renewal_test
