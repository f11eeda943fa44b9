#include <doctest/doctest.h>

#include "actors/keeper/lease.hpp"

namespace legion::lease_test {

using keeper::lease_desk;

namespace {

node_id node(char x) {
  return node_id::from_bytes(std::string(node_id::size, x));
}

std::string text(const std::vector<lease_desk::ask>& all) {
  std::string result;
  for (auto& x : all)
    result += x.from.bytes().substr(0, 1) + std::to_string(x.sequence) + " ";
  return result;
}

} // namespace

TEST_SUITE("keeper/lease") {

  TEST_CASE("a round confirms only who asked before it began") {
    lease_desk desk;
    desk.on_ask({node('a'), 1, {"u"}});
    desk.round_begins(5);
    desk.on_ask({node('b'), 1, {"v"}}); // a quorum may have left before this one came
    CHECK(text(desk.round_confirmed(4)).empty());
    CHECK(text(desk.round_confirmed(5)) == "a1 ");
    CHECK(text(desk.round_confirmed(5)).empty()); // once
    desk.round_begins(6);
    CHECK(text(desk.round_confirmed(7)) == "b1 "); // a later round confirms an earlier one
    CHECK(desk.empty());
  }

  TEST_CASE("a newer ask of a node replaces its older one, and a late one does not") {
    lease_desk desk;
    desk.on_ask({node('a'), 2, {}});
    desk.on_ask({node('a'), 1, {}});
    desk.round_begins(1);
    desk.on_ask({node('a'), 3, {}});
    desk.round_begins(2);
    CHECK(text(desk.round_confirmed(1)).empty()); // 2 was superseded
    CHECK(text(desk.round_confirmed(2)) == "a3 ");
  }

  TEST_CASE("who is not the leader any more answers nobody") {
    lease_desk desk;
    desk.on_ask({node('a'), 1, {}});
    desk.round_begins(1);
    desk.on_ask({node('b'), 1, {}});
    desk.deposed();
    CHECK(desk.empty());
    desk.round_begins(2);
    CHECK(desk.round_confirmed(9).empty());
  }

  TEST_CASE("asks are bounded") {
    lease_desk desk;
    for (std::size_t i = 0; i < lease_desk::most_asks; ++i) {
      std::string id(node_id::size, 'x');
      id[0] = static_cast<char>(i);
      CHECK(desk.on_ask({node_id::from_bytes(id), 1, {}}));
    }
    CHECK_FALSE(desk.on_ask({node('y'), 1, {}}));
    CHECK(desk.on_ask({node(char{1}), 1, {}}) == false);
    CHECK(desk.on_ask({node(char{120}), 2, {}})); // it waits already
  }

  TEST_CASE("a new leader waits for all that an old one may have renewed, with time to spare") {
    keeper::lease_times times;
    // The old leader's last renewal was asked just before the quorum turned away from it, by a clock
    // that runs 0.5% slow; the new one's runs 0.5% fast.
    auto gone = milliseconds{static_cast<int>(static_cast<double>(times.lease.count()) / 0.995)};
    auto waited = milliseconds{static_cast<int>(static_cast<double>(times.wait().count()) / 1.005)};
    CHECK(gone < waited);
    // Three tries before TERM, which comes half a lease before the end at most.
    CHECK(times.again * 3 < times.lease / 2);
    time_point elected{seconds{100}};
    CHECK(keeper::lease_over(10'000, elected) == elected + milliseconds{12'100});
    CHECK(keeper::lease_over(60'000, elected) == elected + milliseconds{62'600}); // 1% of drift
  }

  TEST_CASE("a pod's grace does not eat its lease") {
    keeper::lease_times times;
    CHECK(times.term_before(seconds{1}) == seconds{1});
    CHECK(times.term_before(seconds{30}) == seconds{5});
    CHECK(times.term_before(milliseconds{-1}) == seconds{0});
  }

} // TEST_SUITE

} // namespace legion::lease_test
