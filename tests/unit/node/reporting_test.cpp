#include <doctest/doctest.h>

#include "actors/node/reporting.hpp"

namespace legion::reporting_test {

using namespace legion::node;
using namespace std::chrono_literals;

namespace {

const time_point start{};

promisee whom(int n, std::uint32_t group = 1) {
  return {node_id::from_bytes(std::string(16, static_cast<char>(n))), group_id{group}};
}

} // namespace

TEST_SUITE("node/reporting") {

  TEST_CASE("changes gather for a moment and travel together") {
    reporting x;
    x.changed(whom(1), "a", start);
    x.changed(whom(1), "b", start + 5ms);
    x.changed(whom(1), "a", start + 6ms);
    CHECK(x.next_due() == start + reporting::batch);
    CHECK(x.due(start).empty());
    auto due = x.due(start + reporting::batch);
    REQUIRE(due.size() == 1);
    CHECK(due[0].uids == std::vector<std::string>{"a", "b"});
    CHECK(!due[0].full);
  }

  TEST_CASE("one report is under way for a promisee; the news joins the next") {
    reporting x;
    x.changed(whom(1), "a", start);
    x.changed(whom(2), "c", start);
    auto due = x.due(start + 1s);
    CHECK(due.size() == 2);
    x.changed(whom(1), "b", start + 1s);
    CHECK(x.due(start + 2s).empty());
    x.acknowledged(due[0].to, due[0].sequence, start + 2s);
    auto next = x.due(start + 3s);
    REQUIRE(next.size() == 1);
    CHECK(next[0].uids == std::vector<std::string>{"b"});
    CHECK(next[0].sequence > due[0].sequence);
  }

  TEST_CASE("what was not acknowledged is said again, later and later, with what came meanwhile") {
    reporting x;
    event e;
    e.set_reason("Started");
    x.changed(whom(1), "a", start);
    x.happened(whom(1), e, start);
    auto t = start + 20ms;
    auto expected = reporting::first_retry;
    for (int i = 0; i < 8; ++i) {
      auto due = x.due(t);
      REQUIRE(due.size() == 1);
      CHECK(due[0].uids.size() == 1u + (i > 0));
      CHECK(due[0].events.size() == 1);
      x.failed(whom(1), due[0].sequence, t);
      x.changed(whom(1), "b", t); // does not hurry it
      CHECK(x.next_due() == t + expected);
      t += expected;
      expected = std::min(expected * 2, reporting::last_retry);
    }
  }

  TEST_CASE("an answer to an older report changes nothing") {
    reporting x;
    x.changed(whom(1), "a", start);
    auto due = x.due(start + 1s);
    x.acknowledged(whom(1), due[0].sequence + 7, start);
    x.failed(whom(1), due[0].sequence + 7, start);
    CHECK(!x.next_due());
  }

  TEST_CASE("a dead keeper is left alone; back, it hears everything") {
    reporting x;
    x.changed(whom(1), "a", start);
    auto due = x.due(start + 1s);
    x.keeper_is(whom(1).keeper, false, start_number{1}, start + 1s);
    x.failed(whom(1), due[0].sequence, start + 2s);
    x.changed(whom(1), "b", start + 2s);
    CHECK(!x.next_due());
    x.keeper_is(whom(1).keeper, true, start_number{1}, start + 9s);
    auto again = x.due(start + 10s);
    REQUIRE(again.size() == 1);
    CHECK(again[0].full);
  }

  TEST_CASE("a keeper that started again hears everything at once, even behind a lost report") {
    reporting x;
    x.keeper_is(whom(1).keeper, true, start_number{1}, start);
    x.changed(whom(1), "a", start);
    x.keeper_is(whom(1).keeper, true, start_number{1}, start);
    REQUIRE(x.due(start + 1s).size() == 1);
    x.keeper_is(whom(1).keeper, true, start_number{2}, start + 1s);
    auto due = x.due(start + 2s);
    REQUIRE(due.size() == 1);
    CHECK(due[0].full);
  }

  TEST_CASE("everything is said again now and then, until nothing is left") {
    reporting x;
    x.changed(whom(1), "a", start);
    auto due = x.due(start + 1s);
    x.acknowledged(whom(1), due[0].sequence, start + 1s);
    CHECK(x.next_due() == start + 1s + reporting::refresh);
    auto again = x.due(start + 1s + reporting::refresh);
    REQUIRE(again.size() == 1);
    CHECK(again[0].full);
    x.nothing_left(whom(1));
    x.acknowledged(whom(1), again[0].sequence, start + 100s);
    CHECK(!x.next_due());
  }

  TEST_CASE("events wait in a bounded queue, the oldest go first") {
    reporting x;
    for (int i = 0; i < 100; ++i) {
      event e;
      e.set_time_ms(i);
      x.happened(whom(1), e, start);
    }
    auto due = x.due(start + 1s);
    REQUIRE(due[0].events.size() == reporting::most_events);
    CHECK(due[0].events.back().time_ms() == 99);
  }

  TEST_CASE("who may have heard nothing is told anew; a refresh is not") {
    reporting x;
    x.tell_all(whom(1), start);
    auto due = x.due(start + 1s);
    REQUIRE(due.size() == 1);
    CHECK(due[0].full);
    CHECK(due[0].anew);
    x.acknowledged(due[0].to, due[0].sequence, start + 1s);
    due = x.due(start + 1s + reporting::refresh);
    REQUIRE(due.size() == 1);
    CHECK(due[0].full);
    CHECK(!due[0].anew);
  }

  TEST_CASE("the next keeper, where nobody leads at the one that was asked") {
    auto b = whom(2).keeper, c = whom(3).keeper, d = whom(4).keeper;
    CHECK(keeper_after(b, {b, c, d}) == c);
    CHECK(keeper_after(d, {b, c, d}) == b);
    CHECK(keeper_after(c, {b, d}) == d); // it is none of them any more
    CHECK(keeper_after(b, {b}).null());
    CHECK(keeper_after(b, {}).null());
  }
}

} // namespace legion::reporting_test
