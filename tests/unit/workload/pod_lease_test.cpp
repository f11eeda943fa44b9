#include "tests/unit/workload/pod_world.hpp"

namespace legion::pod_lease_test {

using namespace legion::pod_world;

namespace {

std::shared_ptr<promise_record> leased(const char* policy = "Always") {
  auto result = a_promise(policy);
  result->mutable_slot()->set_lease_ms(10'000);
  return result;
}

process_status ended(std::uint32_t life, int signal, const char* reason = "") {
  auto x = process(life, "exited");
  x.set_signal(signal);
  x.set_reason(reason);
  return x;
}

} // namespace

TEST_SUITE("workload/pod_lifecycle leases") {

  TEST_CASE("a leased pod starts nothing before its first lease, and launches with its deadline") {
    pod_lifecycle x{leased(), {"n1", "127.0.0.1"}};
    CHECK_FALSE(find<start_process>(x.begin({}, at(0s))));
    CHECK(x.status().reason() == "WaitingForLease");
    CHECK_FALSE(find<start_process>(x.on_tick(at(1s))));
    auto out = x.on_lease(77'000, at(2s));
    auto* start = find<start_process>(out);
    REQUIRE(start);
    CHECK(start->what.lease_until_ms() == 77'000);
    CHECK(start->what.lease_grace_ms() == 5'000); // of 30 s, no more than half a lease
    CHECK_FALSE(find<extend_lease>(out));
    out = x.on_lease(78'500, at(3s));
    REQUIRE(find<extend_lease>(out)); // it is being started, under the earlier deadline
    CHECK(find<extend_lease>(out)->what.until_ms() == 78'500);
    CHECK_FALSE(find<start_process>(out));
    CHECK(x.on_lease(78'000, at(3s)).empty()); // never back
    x.on_started(0, process(0), at(3s));
    out = x.on_exit(ended(0, 11), at(4s));
    REQUIRE(find<start_process>(out));
    CHECK(find<start_process>(out)->what.lease_until_ms() == 78'500);
  }

  TEST_CASE("what was ended because its lease ran out is not begun again, and its node is told") {
    for (auto policy : {"Always", "Never"}) {
      pod_lifecycle x{leased(policy), {"n1", "127.0.0.1"}};
      x.begin({}, at(0s));
      x.on_lease(10'000, at(0s));
      x.on_started(0, process(0), at(0s));
      auto out = x.on_exit(ended(0, 15, "lease_expired"), at(10s));
      CHECK(find<lease_lost>(out));
      CHECK_FALSE(find<start_process>(out));
      CHECK(x.status().reason() == "LeaseExpired");
      CHECK(x.on_lease(30'000, at(11s)).empty()); // too late
      CHECK_FALSE(find<start_process>(x.on_tick(at(60s))));
      CHECK(find<remove_files>(x.end(at(61s))));
    }
  }

  TEST_CASE("a node that comes back after the lease ran out does not begin it again either") {
    pod_lifecycle x{leased(), {"n1", "127.0.0.1"}};
    auto out = x.begin({ended(3, 9, "lease_expired")}, at(0s));
    CHECK(find<lease_lost>(out));
    CHECK_FALSE(find<start_process>(out));
  }

  TEST_CASE("what is adopted goes on under its lease; a restart waits for a renewal") {
    pod_lifecycle x{leased(), {"n1", "127.0.0.1"}};
    x.begin({process(3)}, at(0s));
    CHECK_FALSE(find<start_process>(x.on_exit(ended(3, 9), at(1s))));
    auto out = x.on_lease(90'000, at(11s));
    REQUIRE(find<start_process>(out));
    CHECK(find<start_process>(out)->what.life() == 4);
  }

  TEST_CASE("what is not leased has no deadline, whatever is said") {
    auto what = leased();
    what->mutable_slot()->clear_lease_ms();
    pod_lifecycle x{what, {"n1", "127.0.0.1"}};
    auto out = x.begin({}, at(0s));
    REQUIRE(find<start_process>(out));
    CHECK(find<start_process>(out)->what.lease_until_ms() == 0);
    CHECK(x.on_lease(5, at(1s)).empty());
  }

} // TEST_SUITE

} // namespace legion::pod_lease_test
