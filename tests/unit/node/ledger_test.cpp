#include <doctest/doctest.h>

#include <random>

#include "actors/node/ledger.hpp"

namespace legion::ledger_test {

using legion::node::ledger;
using legion::node::need;

namespace {

using namespace std::chrono_literals;

constexpr auto Mi = std::int64_t{1024} * 1024;
const time_point start{};

capacity total_of(std::int64_t cpu, std::int64_t memory, int ports, int pods) {
  capacity result;
  result.set_cpu_millis(cpu);
  result.set_memory_bytes(memory);
  result.set_ports(ports);
  result.set_pods(pods);
  return result;
}

need needing(std::int64_t cpu, std::int64_t memory = 0, int ports = 0) {
  return {cpu, memory, ports, 1, {}};
}

ledger a_ledger() {
  return {total_of(2000, 512 * Mi, 4, 10), 20000, 20003};
}

} // namespace

TEST_SUITE("node/ledger") {

  TEST_CASE("a replica needs the sum of its containers' requests, and a port for each") {
    pod_spec spec;
    auto* first = spec.add_containers();
    first->mutable_requests()->set_cpu_millis(250);
    first->mutable_requests()->set_memory_bytes(64 * Mi);
    first->add_ports()->set_container_port(80);
    first->add_ports()->set_host_port(9090);
    auto* second = spec.add_containers();
    second->mutable_requests()->set_cpu_millis(100);
    spec.add_containers();
    auto x = legion::node::need_of(spec);
    CHECK(x.cpu_millis == 350);
    CHECK(x.memory_bytes == 64 * Mi);
    CHECK(x.ports == 2);
    CHECK(x.pods == 1);
    CHECK(x.fixed_ports == std::vector{9090});
    auto* again = spec.mutable_containers(2)->add_ports(); // the same port of another protocol
    again->set_host_port(9090);
    again->set_protocol("UDP");
    CHECK(legion::node::need_of(spec).fixed_ports == std::vector{9090});
  }

  TEST_CASE("requests that are too large together never fit, and leave what is free as it was") {
    legion::pod_spec spec;
    for (auto i = 0; i < 2; ++i) {
      spec.add_containers()->mutable_requests()->set_memory_bytes(INT64_MAX);
      spec.mutable_containers(i)->mutable_requests()->set_cpu_millis(INT64_MAX / 2 + 1);
    }
    auto each = legion::node::need_of(spec);
    CHECK(each.memory_bytes == INT64_MAX);
    CHECK(each.cpu_millis == INT64_MAX);
    auto x = a_ledger();
    CHECK(x.hold_some(1, each, 1, start, start + 5s)->reason == decline_cpu);
    CHECK(x.free().cpu_millis() == 2000);
    spec.mutable_containers(0)->mutable_requests()->set_cpu_millis(-5); // of a peer
    CHECK(legion::node::need_of(spec).cpu_millis == INT64_MAX / 2 + 1);
  }

  TEST_CASE("what is held is not free, and what does not fit is declined with numbers") {
    auto x = a_ledger();
    REQUIRE(!x.hold_some(1, needing(500, 100 * Mi), 3, start, start + 5s));
    CHECK(x.held(1)->count == 3);
    CHECK(x.free().cpu_millis() == 500);
    CHECK(x.free().memory_bytes() == 212 * Mi);
    CHECK(x.free().pods() == 7);
    auto why = x.hold_some(2, needing(501), 1, start, start + 5s);
    REQUIRE(why);
    CHECK(why->reason == decline_cpu);
    CHECK(why->detail == "cpu: needs 501m, free 500m of 2000m");
    why = x.hold_some(2, needing(0, 256 * Mi), 1, start, start + 5s);
    REQUIRE(why);
    CHECK(why->reason == decline_memory);
    CHECK(why->detail == "memory: needs 256Mi, free 212Mi of 512Mi");
    why = x.hold_some(2, needing(0, 0, 5), 1, start, start + 5s);
    REQUIRE(why);
    CHECK(why->detail == "ports: needs 5, free 4 of 4");
  }

  TEST_CASE("replicas that ask for nothing still count as pods") {
    auto x = a_ledger();
    REQUIRE(!x.hold_some(1, needing(0), 10, start, start + 5s));
    CHECK(x.hold_some(2, needing(0), 1, start, start + 5s)->detail
          == "pods: needs 1, free 0 of 10");
  }

  TEST_CASE("a counter-offer holds fewer than were called for") {
    auto x = a_ledger();
    REQUIRE(!x.hold_some(1, needing(600), 5, start, start + 5s));
    CHECK(x.held(1)->count == 3);
  }

  TEST_CASE("an offer serves once") {
    auto x = a_ledger();
    REQUIRE(!x.hold_some(1, needing(500), 3, start, start + 5s));
    CHECK(x.bind(1, {"a", "b"}, start + 1s));
    CHECK(x.free().cpu_millis() == 1000); // the third is free again
    CHECK(!x.bind(1, {"c"}, start + 1s));
  }

  TEST_CASE("an offer binds no more than it holds") {
    auto x = a_ledger();
    REQUIRE(!x.hold_some(1, needing(500), 1, start, start + 5s));
    CHECK(!x.bind(1, {"a", "b"}, start));
    CHECK(x.held(1));
  }

  TEST_CASE("an expired offer is forgotten, and its capacity is free") {
    auto x = a_ledger();
    REQUIRE(!x.hold_some(1, needing(500), 3, start, start + 5s));
    REQUIRE(!x.hold_some(2, needing(500), 1, start, start + 3s));
    CHECK(x.next_expiry() == start + 3s);
    CHECK(x.expire(start + 3s));
    CHECK(x.next_expiry() == start + 5s);
    CHECK(!x.bind(1, {"a"}, start + 5s));
    CHECK(x.free().cpu_millis() == 2000);
  }

  TEST_CASE("a losing offer is given back once") {
    auto x = a_ledger();
    REQUIRE(!x.hold_some(1, needing(500), 3, start, start + 5s));
    x.give_back(1);
    x.give_back(1);
    CHECK(x.free().cpu_millis() == 2000);
  }

  TEST_CASE("stopping counts until the workload is gone") {
    auto x = a_ledger();
    REQUIRE(!x.hold_some(1, needing(2000), 1, start, start + 5s));
    REQUIRE(x.bind(1, {"a"}, start));
    CHECK(x.free().cpu_millis() == 0);
    x.gone("a");
    x.gone("a");
    CHECK(x.free().cpu_millis() == 2000);
  }

  TEST_CASE("what has completed by itself gives back all, its ports too") {
    auto x = a_ledger();
    auto each = needing(500, Mi, 1);
    each.fixed_ports = {9090};
    REQUIRE(!x.hold_some(1, each, 1, start, start + 5s));
    REQUIRE(x.bind(1, {"a"}, start));
    REQUIRE(x.claim_port("a", 9090));
    x.rest("a");
    x.rest("a");
    CHECK(x.free().cpu_millis() == 2000);
    CHECK(x.free().ports() == 4);
    REQUIRE(!x.hold_some(2, each, 1, start, start + 5s));
    REQUIRE(x.bind(2, {"b"}, start));
    CHECK(x.claim_port("b", 9090));
    x.gone("a");
    CHECK(x.free().cpu_millis() == 1500);
    CHECK(x.free().ports() == 3);
    CHECK(!x.claim_port("c", 9090));
  }

  TEST_CASE("a port of one that has completed is the next one's, also by the journal") {
    for (auto first : {"a", "b"}) {
      auto x = a_ledger();
      x.restore(first, needing(0, 0, 1), {20001});
      x.restore(std::string{first} == "a" ? "b" : "a", needing(0, 0, 1), {20001});
      x.restore("c", needing(0, 0, 1), {});
      x.rest("a");
      CHECK(!x.claim_port("c", 20001));
      x.gone("b");
      CHECK(x.claim_port("c", 20001));
    }
  }

  TEST_CASE("what the journal says counts, even if it is more than there is") {
    auto x = a_ledger();
    x.restore("a", needing(1500, 0, 1), {20001});
    x.restore("a", needing(1500, 0, 1), {20001});
    x.restore("b", needing(1500), {});
    CHECK(x.free().cpu_millis() == 0);
    CHECK(x.hold_some(1, needing(1), 1, start, start + 5s));
    x.gone("b");
    CHECK(x.free().cpu_millis() == 500);
  }

  TEST_CASE(
      "a port that two promises of the journal claim is free once the one that has it is gone") {
    auto x = a_ledger();
    x.restore("a", needing(0, 0, 1), {20001});
    x.restore("b", needing(0, 0, 1), {20001});
    x.restore("c", needing(0, 0, 1), {});
    x.gone("b");
    CHECK(!x.claim_port("c", 20001));
    x.gone("a");
    CHECK(x.claim_port("c", 20001));
  }

  TEST_CASE("host ports go round, and a stranger's is left alone for a while") {
    auto x = a_ledger();
    x.restore("old", needing(0, 0, 1), {20001});
    REQUIRE(!x.hold_some(1, needing(0, 0, 1), 2, start, start + 5s));
    REQUIRE(x.bind(1, {"a", "b"}, start));
    CHECK(x.choose_port("a", start) == 20000);
    x.port_taken("a", 20000, start + 60s);
    CHECK(x.choose_port("a", start) == 20002);
    CHECK(x.choose_port("b", start) == 20003);
    CHECK(x.choose_port("b", start) == 0);
    CHECK(x.choose_port("b", start + 60s) == 20000);
    x.gone("a");
    CHECK(x.choose_port("b", start + 60s) == 20002);
    CHECK(x.choose_port("stranger", start) == 0);
  }

  TEST_CASE("a stranger's port is not free, nor offered, until it is tried again") {
    auto x = a_ledger(); // four ports
    auto named = needing(100, 0, 1);
    named.fixed_ports = {20001};
    REQUIRE(!x.hold_some(1, named, 1, start, start + 5s));
    REQUIRE(x.bind(1, {"a"}, start));
    REQUIRE(x.claim_port("a", 20001));
    x.port_taken("a", 20001, start + 10s);
    x.port_taken("a", 31000, start + 10s); // outside of the range it never counted
    x.gone("a");
    CHECK(x.free().ports() == 3);
    CHECK(x.next_expiry() == start + 10s);
    auto why = x.hold_some(2, named, 1, start + 9s, start + 15s);
    REQUIRE(why);
    CHECK(why->reason == decline_ports);
    CHECK(why->detail == "ports: hostPort 20001 is used by a process that is not of this cluster");
    CHECK(
        x.hold_some(3, needing(0, 0, 4), 1, start + 9s, start + 15s)->detail
        == "ports: needs 4, free 3 of 4, 1 used by processes that are not of this cluster: looked "
           "at again within a minute");
    CHECK(!x.hold_some(4, named, 1, start + 10s, start + 15s));
    CHECK(x.free().ports() == 3);
  }

  TEST_CASE("everything that is short is named, the first as the reason") {
    auto x = a_ledger();
    auto why = x.hold_some(1, needing(3000, 1024 * Mi, 5), 1, start, start + 5s);
    REQUIRE(why);
    CHECK(why->reason == decline_cpu);
    CHECK(why->detail
          == "cpu: needs 3000m, free 2000m of 2000m; memory: needs 1Gi, free 512Mi of 512Mi; "
             "ports: needs 5, free 4 of 4");
  }

  TEST_CASE("a fixed host port serves one replica, held or bound") {
    auto x = a_ledger();
    auto each = needing(0, 0, 1);
    each.fixed_ports = {9090};
    REQUIRE(!x.hold_some(1, each, 3, start, start + 5s));
    CHECK(x.held(1)->count == 1);
    CHECK(x.hold_some(2, each, 1, start, start + 5s)->detail
          == "ports: hostPort 9090 is used by an offer");
    REQUIRE(x.bind(1, {"a"}, start));
    CHECK(x.claim_port("a", 9090));
    CHECK(x.claim_port("a", 9090)); // for another protocol
    CHECK(!x.claim_port("b", 9090));
    CHECK(x.hold_some(2, each, 1, start, start + 5s)->detail
          == "ports: hostPort 9090 is used by a");
    x.gone("a");
    CHECK(!x.hold_some(2, each, 1, start, start + 5s));
  }

  TEST_CASE("offers are bounded") {
    ledger x{total_of(0, 0, 0, 1'000'000), 1, 0};
    for (std::uint64_t i = 0; i < ledger::max_holds; ++i)
      REQUIRE(!x.hold_some(i, needing(0), 1, start, start + 5s));
    CHECK(x.hold_some(9999, needing(0), 1, start, start + 5s)->reason == decline_overloaded);
    CHECK(!x.hold_some(9999, needing(0), 1, start + 5s, start + 9s));
  }

  TEST_CASE("whatever happens, held + bound + stopping never exceeds the total") {
    std::mt19937_64 random{7};
    for (int run = 0; run < 50; ++run) {
      auto x = a_ledger();
      auto now = start;
      std::map<std::uint64_t, std::pair<std::int64_t, std::uint32_t>> held;
      std::map<std::string, std::int64_t> bound;
      for (std::uint64_t i = 1; i < 200; ++i) {
        auto cpu = static_cast<std::int64_t>(random() % 900);
        switch (random() % 4) {
          case 0:
            if (!x.hold_some(i, needing(cpu), random() % 4 + 1, now, now + 1000s))
              held[i] = {cpu, x.held(i)->count};
            break;
          case 1:
            if (!held.empty()) {
              auto [offer, what] = *held.begin();
              REQUIRE(x.bind(offer, {std::to_string(i)}, now));
              bound[std::to_string(i)] = what.first;
              held.erase(offer);
            }
            break;
          case 2:
            if (!held.empty()) {
              x.give_back(held.begin()->first);
              held.erase(held.begin());
            }
            break;
          default:
            if (!bound.empty()) {
              x.gone(bound.begin()->first);
              bound.erase(bound.begin());
            }
        }
        std::int64_t used = 0;
        for (const auto& [offer, what] : held)
          used += what.first * what.second;
        for (const auto& [uid, what] : bound)
          used += what;
        REQUIRE(used <= 2000);
        REQUIRE(x.free().cpu_millis() == 2000 - used);
      }
    }
  }

} // TEST_SUITE

} // namespace legion::ledger_test
