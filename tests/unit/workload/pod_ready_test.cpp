#include "tests/unit/workload/pod_world.hpp"

namespace legion::pod_ready_test {

using namespace legion::pod_world;

TEST_SUITE("workload/pod_lifecycle ready") {

  TEST_CASE("ready follows the probe, and says since when") {
    auto what = a_promise();
    auto& spec = readiness(*what);
    spec.set_period_seconds(2);
    spec.set_failure_threshold(1);
    auto x = running(what);
    CHECK(!x.status().ready());
    CHECK(x.next_tick() == start + 100ms);
    auto out = x.on_tick(at(100ms));
    auto* tried = find<try_probe>(out);
    REQUIRE(tried);
    CHECK(tried->port == 8080);
    CHECK(tried->host == "127.0.0.1");
    CHECK(!tried->http);
    CHECK(!x.next_tick()); // one at a time
    x.on_probe(0, 0, true, "open", at(150ms));
    CHECK(x.status().ready());
    CHECK(x.status().ready_since_ms() == at(150ms).wall);
    x.on_tick(at(3s));
    auto lost = x.on_probe(0, 0, false, "refused", at(3s));
    CHECK(find<tell>(lost)->what.reason() == "Unhealthy");
    CHECK(!x.status().ready());
    CHECK(x.status().ready_since_ms() == 0);
    CHECK(x.status().message() == "Readiness probe failed: refused");
  }

  TEST_CASE("one that never was ready says why not") {
    auto what = a_promise();
    readiness(*what).set_failure_threshold(1);
    auto x = running(what);
    x.on_tick(at(100ms));
    auto failed = x.on_probe(0, 0, false, "Connection refused", at(150ms));
    CHECK(find<say_status>(failed));
    CHECK(x.status().message() == "Readiness probe failed: Connection refused");
  }

  TEST_CASE("a probe's answer for an earlier life is not heard") {
    auto what = a_promise();
    readiness(*what).set_period_seconds(10);
    auto x = running(what);
    x.on_tick(at(100ms));
    x.on_exit(exited(0, 1), at(150ms));
    x.on_started(0, process(1), at(160ms));
    x.on_probe(0, 0, true, "open", at(170ms));
    CHECK(!x.status().ready());
    CHECK(x.next_tick() == start + 260ms); // the new life's own first try
  }

  TEST_CASE("the pod is ready when every container is") {
    pod_lifecycle x{a_promise("Always", 2), {"n1", ""}};
    x.begin({}, at(0s));
    x.on_started(0, process(0), at(0s));
    CHECK(!x.status().ready());
    CHECK(x.status().phase() == "Pending");
    x.on_started(1, process(0, "running", "b"), at(1s));
    CHECK(x.status().ready());
    CHECK(x.status().ready_since_ms() == at(1s).wall);
  }

} // TEST_SUITE

} // namespace legion::pod_ready_test
