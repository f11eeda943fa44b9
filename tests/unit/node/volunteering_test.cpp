#include "actors/node/volunteering.hpp"

#include <doctest/doctest.h>

namespace legion::volunteering_test {

using namespace legion::node;
using namespace std::chrono_literals;

namespace {

const time_point start{};

struct played {
  played() {
    self.id = node_id::from_bytes(std::string(16, 'n'));
    self.start = start_number{3};
    self.describes.name = "n1";
    self.describes.drivers = {"process"};
    self.recovering = false;
    capacity total;
    total.set_cpu_millis(1000);
    total.set_pods(10);
    books = ledger{total, 20000, 20000};
    what.set_id(4);
    what.set_count(5);
    what.mutable_template_()->mutable_spec()->add_containers()->mutable_requests()->set_cpu_millis(
        300);
  }
  call_reply ask() { return answer_call(what, self, 7, books, promises, start); }
  /// Declined, and nothing is held.
  decline_reason declines() {
    auto answer = ask();
    CHECK(!answer.has_offer());
    CHECK(answer.decline().node() == self.id.bytes());
    CHECK(answer.decline().node_name() == "n1");
    CHECK(!answer.decline().detail().empty());
    CHECK(books.held(7) == nullptr);
    CHECK(books.free().cpu_millis() == 1000);
    return answer.decline().reason();
  }

  volunteer self;
  ledger books{{}, 0, 0};
  commitments promises;
  call what;
};

} // namespace

TEST_SUITE("node/volunteering") {

  TEST_CASE("an offer holds what it offers, and offers no more than fits") {
    played x;
    auto answer = x.ask();
    REQUIRE(answer.has_offer());
    CHECK(answer.call() == 4);
    CHECK(answer.offer().id() == 7);
    CHECK(answer.offer().start() == 3);
    CHECK(answer.offer().count() == 3);                // of 5
    CHECK(answer.offer().free().cpu_millis() == 1000); // before this hold
    CHECK(answer.offer().expires_ms() == 10'000);
    CHECK(x.books.free().cpu_millis() == 100);
  }

  TEST_CASE("until its ledger is rebuilt a node offers nothing") {
    played x;
    x.self.recovering = true;
    CHECK(x.declines() == decline_recovering);
  }

  TEST_CASE("on a full disk a node offers nothing, for a promise must be on disk") {
    played x;
    x.self.disk_full = true;
    CHECK(x.declines() == decline_disk);
  }

  TEST_CASE("who is cordoned or drains declines before it holds anything") {
    played x;
    x.self.describes.cordoned = true;
    CHECK(x.declines() == decline_cordoned);
    played y;
    y.self.describes.draining = true;
    CHECK(y.declines() == decline_draining);
  }

  TEST_CASE("what does not fit is declined with numbers") {
    played x;
    x.what.mutable_template_()
        ->mutable_spec()
        ->mutable_containers(0)
        ->mutable_requests()
        ->set_cpu_millis(1001);
    CHECK(x.declines() == decline_cpu);
    CHECK(x.ask().decline().detail() == "cpu: needs 1001m, free 1000m of 1000m");
  }

  TEST_CASE("a port that another promise has is told with the name of its pod") {
    played x;
    promise_record other;
    other.mutable_slot()->set_uid("6f1c");
    other.mutable_slot()->set_pod("web-1");
    x.promises.add(other, node::phase::bound);
    x.books.restore("6f1c", {}, {9090});
    x.what.mutable_template_()->mutable_spec()->mutable_containers(0)->add_ports()->set_host_port(
        9090);
    CHECK(x.declines() == decline_ports);
    CHECK(x.ask().decline().detail().ends_with("ports: hostPort 9090 is used by pod web-1"));
  }
}

} // namespace legion::volunteering_test
