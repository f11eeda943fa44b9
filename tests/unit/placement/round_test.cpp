#include <doctest/doctest.h>

#include <algorithm>

#include "actors/placement/round.hpp"
#include "actors/placement/score.hpp"

namespace legion::round_test {

using namespace legion::placement;

namespace {

constexpr auto t0 = time_point{};

node_id node(int n) {
  std::string bytes(16, '\0');
  bytes[0] = static_cast<char>(n >> 8);
  bytes[1] = static_cast<char>(n);
  bytes[2] = 1;
  return node_id::from_bytes(bytes);
}

std::vector<volunteer> zone(int n) {
  std::vector<volunteer> result;
  for (int i = 1; i <= n; ++i)
    result.push_back({node(i), "legion-" + std::to_string(i), false, 0});
  return result;
}

call called(std::uint32_t count) {
  call result;
  result.set_id(9);
  result.mutable_of()->set_name("web");
  result.set_count(count);
  auto& asks = *result.mutable_template_()->mutable_spec()->add_containers()->mutable_requests();
  asks.set_cpu_millis(100);
  return result;
}

call_reply offering(std::uint64_t id, std::uint32_t count, std::uint32_t replicas = 0,
                    int cpu_free = 1000) {
  call_reply result;
  auto& x = *result.mutable_offer();
  x.set_id(id);
  x.set_count(count);
  x.set_replicas(replicas);
  x.mutable_total()->set_cpu_millis(1000);
  x.mutable_free()->set_cpu_millis(cpu_free);
  x.mutable_total()->set_memory_bytes(1 << 30);
  x.mutable_free()->set_memory_bytes(1 << 30);
  return result;
}

call_reply declining(decline_reason reason, std::string detail) {
  call_reply result;
  result.mutable_decline()->set_reason(reason);
  result.mutable_decline()->set_detail(std::move(detail));
  return result;
}

template <class T>
std::vector<T> all(const std::vector<effect>& xs) {
  std::vector<T> result;
  for (const auto& x : xs)
    if (auto* y = std::get_if<T>(&x))
      result.push_back(*y);
  return result;
}

outcome end_of(const std::vector<effect>& xs) {
  auto ends = all<decide>(xs);
  REQUIRE(ends.size() == 1);
  return ends[0].what;
}

} // namespace

TEST_SUITE("placement/round") {

  TEST_CASE("three nodes, three replicas: all are asked, each gets one") {
    placement::round r{called(3), zone(3), 1, t0, 5};
    auto calls = all<send_call>(r.start(t0));
    REQUIRE(calls.size() == 3);
    CHECK(calls[0].what.count() == 2); // twice a fair share
    r.on_reply(node(1), offering(11, 2), t0);
    r.on_reply(node(2), offering(12, 2), t0);
    auto end = end_of(r.on_reply(node(3), offering(13, 2), t0));
    CHECK(end.missing == 0);
    REQUIRE(end.picks.size() == 3);
    for (const auto& x : end.picks)
      CHECK(x.count == 1);
    CHECK(r.over());
    CHECK(end.record.candidates_size() == 3);
    CHECK(end.record.time_ms() == 5);
  }

  TEST_CASE("a zone is sampled, never asked as a whole; more missing, more asked") {
    for (auto [nodes, count, asked] : {std::tuple{2, 1u, 2},
                                       {10, 1u, 6},
                                       {5, 10u, 5}, // each may get some
                                       {10, 50u, 10},
                                       {125, 50u, 32},
                                       {125, 1u, 16},
                                       {125, 3u, 16},
                                       {125, 400u, 50},
                                       {125, 1000u, 125}}) {
      placement::round r{called(count), zone(nodes), 1, t0, 0};
      CHECK(all<send_call>(r.start(t0)).size() == static_cast<std::size_t>(asked));
    }
  }

  TEST_CASE("those with fewest replicas are asked first, suspects last") {
    auto among = zone(40);
    for (int i = 0; i < 36; ++i)
      among[static_cast<std::size_t>(i)].replicas = 2;
    among[39].suspect = true;
    placement::round r{called(1), among, 3, t0, 0};
    auto calls = all<send_call>(r.start(t0));
    for (auto i : {37, 38, 39})
      CHECK(std::any_of(calls.begin(), calls.end(),
                        [&](const send_call& x) { return x.to == node(i); }));
    CHECK(std::none_of(calls.begin(), calls.end(),
                       [&](const send_call& x) { return x.to == node(40); }));
  }

  TEST_CASE("equal scores: the node with fewer replicas of this deployment wins") {
    placement::round r{called(1), zone(2), 1, t0, 0};
    r.start(t0);
    r.on_reply(node(1), offering(11, 1, 1), t0);
    auto effects = r.on_reply(node(2), offering(12, 1, 0), t0);
    auto end = end_of(effects);
    REQUIRE(end.picks.size() == 1);
    CHECK(end.picks[0].node == node(2));
    auto released = all<placement::send_release>(effects);
    REQUIRE(released.size() == 1);
    CHECK(released[0].to == node(1));
    CHECK(released[0].what.offer() == 11);
    CHECK(end.record.decided().find("legion-2: fewest replicas (0)") == 0);
  }

  TEST_CASE("replicas that are about to go count only where those that stay are as many") {
    auto among = zone(3);
    among[0].replicas = 1; // node 1 has the new one, nodes 2 and 3 have old ones
    placement::round r{called(1), among, 1, t0, 0};
    r.start(t0);
    r.on_reply(node(1), offering(11, 1, 1, 900), t0);
    r.on_reply(node(2), offering(12, 1, 2, 900), t0);
    auto end = end_of(r.on_reply(node(3), offering(13, 1, 1, 400), t0));
    REQUIRE(end.picks.size() == 1);
    CHECK(end.picks[0].node == node(3));
  }

  TEST_CASE("as many replicas: the node that stays freer wins") {
    placement::round r{called(1), zone(2), 1, t0, 0};
    r.start(t0);
    r.on_reply(node(1), offering(11, 1, 0, 400), t0);
    CHECK(end_of(r.on_reply(node(2), offering(12, 1, 0, 900), t0)).picks[0].node == node(2));
  }

  TEST_CASE("equal grades: what asks for nothing goes where fewest pods of all resources are") {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      auto what = called(2);
      what.mutable_template_()->mutable_spec()->clear_containers();
      placement::round r{what, zone(3), seed, t0, 5};
      r.start(t0);
      auto reply = [](std::uint64_t id, int pods) {
        auto x = offering(id, 2);
        x.mutable_offer()->mutable_total()->set_pods(10);
        x.mutable_offer()->mutable_free()->set_pods(10 - pods);
        return x;
      };
      r.on_reply(node(1), reply(11, 4), t0);
      r.on_reply(node(2), reply(12, 3), t0);
      auto end = end_of(r.on_reply(node(3), reply(13, 5), t0));
      REQUIRE(end.picks.size() == 2);
      // Node 2 first, then node 1: node 2 has one of the resource by then.
      for (const auto& x : end.picks)
        CHECK(x.node != node(3));
      CHECK(end.record.decided().find("pods 3") != std::string::npos);
    }
  }

  TEST_CASE("ties are broken at random, the same way for the same seed") {
    std::map<node_id, int> wins;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      auto winner = [&] {
        placement::round r{called(1), zone(3), seed, t0, 0};
        r.start(t0);
        r.on_reply(node(1), offering(11, 1), t0);
        r.on_reply(node(2), offering(12, 1), t0);
        auto end = end_of(r.on_reply(node(3), offering(13, 1), t0));
        CHECK(end.record.decided().find("tie of 3 broken at random") != std::string::npos);
        return end.picks[0].node;
      };
      auto first = winner();
      CHECK(first == winner());
      ++wins[first];
    }
    CHECK(wins.size() == 3);
    for (const auto& [id, n] : wins)
      CHECK(n > 40);
  }

  TEST_CASE("declined: twice as many are asked next, until all were; then the note has numbers") {
    placement::round r{called(1), zone(12), 1, t0, 0};
    auto first = all<send_call>(r.start(t0));
    REQUIRE(first.size() == 6);
    auto why = declining(decline_cpu, "cpu: needs 2000m, free 300m of 1000m");
    std::vector<effect> last;
    for (const auto& x : first)
      last = r.on_reply(x.to, why, t0);
    auto second = all<send_call>(last);
    REQUIRE(second.size() == 6);
    for (const auto& x : second)
      last = r.on_reply(x.to, why, t0);
    auto end = end_of(last);
    CHECK(end.missing == 1);
    CHECK(end.note == "12 nodes declined: cpu: needs 2000m, free 300m of 1000m");
    CHECK(end.record.decided() == end.note);
  }

  TEST_CASE("several reasons are counted apart, the silent too") {
    placement::round r{called(1), zone(3), 1, t0, 0};
    r.start(t0);
    r.on_reply(node(1), declining(decline_cpu, "cpu: full"), t0);
    r.on_reply(node(2), declining(decline_taint, "taint: gpu"), t0);
    auto end = end_of(r.on_failure(node(3), {errc::deadline, ""}, t0));
    CHECK(end.note == "2 nodes declined: 1 for cpu: full; 1 for taint: gpu; 1 node did not answer");
  }

  TEST_CASE("what comes after the decision is noted as late, with its numbers") {
    placement::round r{called(1), zone(3), 1, t0, 0};
    r.start(t0);
    r.on_reply(node(1), offering(11, 1), t0);
    r.on_tick(t0 + milliseconds{150});
    REQUIRE(r.decided());
    auto offers = all<note_late>(r.on_reply(node(2), offering(12, 1, 0, 700), t0));
    REQUIRE(offers.size() == 1);
    CHECK(offers[0].call == 9);
    CHECK(node_id::from_bytes(offers[0].what.node()) == node(2));
    CHECK(offers[0].what.late());
    CHECK(offers[0].what.offer().free().cpu_millis() == 700);
    CHECK(offers[0].what.score() > 0);
    auto declines = all<note_late>(
        r.on_reply(node(3), declining(decline_cpu, "cpu: needs 100m, free 0m of 1000m"), t0));
    REQUIRE(declines.size() == 1);
    CHECK(declines[0].what.decline().reason() == decline_cpu);
    CHECK(r.over());
  }

  TEST_CASE("once enough is offered, the silent have 150 ms left; their late offers are released") {
    placement::round r{called(1), zone(3), 1, t0, 0};
    r.start(t0);
    CHECK(r.on_reply(node(1), offering(11, 1), t0).empty());
    CHECK(r.due() == t0 + milliseconds{150});
    CHECK(r.on_tick(t0 + milliseconds{149}).empty());
    CHECK(end_of(r.on_tick(t0 + milliseconds{150})).picks[0].node == node(1));
    CHECK(!r.over());
    auto late = all<placement::send_release>(r.on_reply(node(2), offering(12, 1), t0));
    REQUIRE(late.size() == 1);
    CHECK(late[0].what.offer() == 12);
    r.on_failure(node(3), {errc::deadline, ""}, t0);
    CHECK(r.over());
  }

  TEST_CASE("a silent wave is left after 1 s, the round after 3 s") {
    placement::round r{called(1), zone(60), 1, t0, 0};
    auto first = all<send_call>(r.start(t0)).size();
    CHECK(all<send_call>(r.on_tick(t0 + seconds{1})).size() == 2 * first);
    CHECK(all<send_call>(r.on_tick(t0 + seconds{2})).size() == 60 - 3 * first);
    auto end = end_of(r.on_tick(t0 + seconds{3}));
    CHECK(end.missing == 1);
    CHECK(end.note == "60 nodes did not answer");
  }

  TEST_CASE("nobody to ask: decided at once, and said") {
    placement::round r{called(1), {}, 1, t0, 0};
    CHECK(end_of(r.start(t0)).note == "no node of the zone is known to be alive");
    CHECK(r.over());
  }

  TEST_CASE("a stranger's answer and a second one are not heard") {
    placement::round r{called(1), zone(2), 1, t0, 0};
    r.start(t0);
    CHECK(r.on_reply(node(77), offering(1, 1), t0).empty());
    r.on_reply(node(1), offering(11, 1), t0);
    CHECK(r.on_reply(node(1), offering(12, 1), t0).empty());
    CHECK(end_of(r.on_reply(node(2), declining(decline_cpu, ""), t0)).picks[0].offer == 11);
  }

  TEST_CASE("a counter-offer is used as far as it goes") {
    placement::round r{called(4), zone(2), 1, t0, 0};
    r.start(t0);
    r.on_reply(node(1), offering(11, 1), t0);
    auto end = end_of(r.on_reply(node(2), offering(12, 2), t0));
    CHECK(end.missing == 1);
    CHECK(end.picks.size() == 2);
    CHECK(end.note == "the nodes that were asked offered too little");
  }

  TEST_CASE("1,000 replicas in a zone of 125 nodes spread evenly") {
    placement::round r{called(1000), zone(125), 1, t0, 0};
    std::vector<effect> last;
    auto calls = all<send_call>(r.start(t0));
    for (const auto& x : calls)
      last = r.on_reply(x.to, offering(1, x.what.count()), t0);
    auto end = end_of(last);
    CHECK(end.missing == 0);
    REQUIRE(end.picks.size() == 125);
    for (const auto& x : end.picks)
      CHECK(x.count == 8);
  }

} // TEST_SUITE

TEST_SUITE("placement/score") {

  TEST_CASE("points come from what stays free, preference and soft taints") {
    struct row {
      int cpu_free, preference;
      unsigned taints;
      std::uint32_t replicas;
      int points;
    };
    capacity demand;
    demand.set_cpu_millis(100);
    for (auto [cpu_free, preference, taints, replicas, points] : {row{1000, 0, 0, 1, 770},
                                                                  {1000, 0, 0, 2, 740},
                                                                  {1000, 100, 0, 1, 970},
                                                                  {1000, 400, 0, 1, 970},
                                                                  {1000, -5, 0, 1, 770},
                                                                  {1000, 0, 1, 1, 670},
                                                                  {1000, 0, 9, 1, 570},
                                                                  {50, 0, 0, 1, 500}}) {
      auto x = offering(1, 1, 0, cpu_free).offer();
      x.set_preference(preference);
      x.set_untolerated_soft_taints(taints);
      CHECK(points_of(x, demand, replicas) == points);
      CHECK(grade_of(x, demand, replicas).points == points);
    }
  }

  TEST_CASE("hostile numbers give a score within bounds") {
    offer x;
    x.mutable_total()->set_cpu_millis(1);
    x.mutable_free()->set_cpu_millis(INT64_MAX);
    x.mutable_total()->set_memory_bytes(-5);
    capacity demand;
    demand.set_cpu_millis(INT64_MAX);
    auto points = points_of(x, demand, 4'000'000'000u);
    CHECK(points >= 0);
    CHECK(points <= 1000);
  }

  TEST_CASE("a demand is the sum of requests; a limit alone is a request") {
    pod_template x;
    auto& a = *x.mutable_spec()->add_containers();
    a.mutable_requests()->set_cpu_millis(100);
    a.mutable_limits()->set_cpu_millis(500);
    a.add_ports();
    auto& b = *x.mutable_spec()->add_containers();
    b.mutable_limits()->set_cpu_millis(50);
    b.mutable_limits()->set_memory_bytes(7);
    CHECK(demand_of(x).cpu_millis() == 150);
    a.mutable_requests()->set_memory_bytes(INT64_MAX);
    CHECK(demand_of(x).memory_bytes() == INT64_MAX);
    a.mutable_requests()->clear_memory_bytes();
    CHECK(demand_of(x).memory_bytes() == 7);
    CHECK(demand_of(x).ports() == 1);
    CHECK(demand_of(x).pods() == 1);
  }

} // TEST_SUITE

} // namespace legion::round_test
