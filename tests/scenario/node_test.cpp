#include "tests/scenario/node_world.hpp"

namespace legion::node_test {

using namespace legion::node_world;

TEST_SUITE("scenario/node") {

  TEST_CASE("call, offer, accept, bound, running, ready: and the keeper hears of it") {
    stage s;
    auto reply = s.call_for(web("Always", true), 3);
    REQUIRE(reply.has_offer());
    CHECK(reply.offer().count() == 3);
    CHECK(s.view().free().cpu_millis() == 500);
    auto bound = s.take(reply.offer(), web("Always", true), {a_slot("a", 5), a_slot("b", 5)});
    REQUIRE(bound.slots_size() == 2);
    CHECK(bound.slots(0).bound());
    CHECK(bound.slots(1).bound());
    CHECK(s.disk.records().contains("promise/a"));
    CHECK(s.view().free().cpu_millis() == 1000); // the third hold is free again
    s.pass(seconds{1});
    CHECK(s.running() == 2);
    CHECK(s.last("a").ready());
    CHECK(s.last("a").verdict() == verdict_kept);
    CHECK(s.last("a").ports(0).host_port() != s.last("b").ports(0).host_port());
    CHECK(s.last("a").slot().order().index() == 5);
    CHECK(s.told->transcript.front()
          != "Running ready"); // what comes before is told too, as far as it lasts
    CHECK(s.told->transcript.back() == "Running ready");
    CHECK(s.told->reports < 10); // batched
    // The same accept again is answered the same again, without an offer.
    auto again = s.take(reply.offer(), web("Always", true), {a_slot("a", 5), a_slot("b", 5)});
    CHECK(again.slots(0).bound());
    CHECK(again.slots(1).bound());
    CHECK(s.running() == 2);
  }

  TEST_CASE("what is leased runs once its lease is granted, and for as long as it is renewed") {
    stage s;
    s.told->renews = false;
    auto slot = a_slot("a", 5);
    slot.set_lease_ms(10'000);
    auto bound = s.take(s.call_for(web(), 1).offer(), web(), {slot});
    REQUIRE(bound.slots(0).bound());
    s.pass(seconds{5});
    CHECK(s.running() == 0);
    CHECK(s.last("a").reason() == "WaitingForLease");
    s.told->renews = true;
    s.pass(seconds{3});
    CHECK(s.running() == 1);
    s.pass(seconds{60});
    CHECK(s.running() == 1);
    CHECK(s.told->leases > 30);
    CHECK(s.told->leases < 60);
    s.stop(); // whether or not the node lives
    s.pass(seconds{8});
    CHECK(s.running() == 1);
    s.start();
    s.pass(seconds{30}); // it adopts, and asks
    CHECK(s.running() == 1);
    CHECK(s.last("a").restarts() == 0);
    s.told->renews = false;
    s.pass(seconds{8});
    CHECK(s.running() == 1);
    s.pass(milliseconds{2500});
    CHECK(s.running() == 0);
    s.told->renews = true;
    s.pass(seconds{30});
    CHECK(s.running() == 0); // never begun again
    CHECK(s.last("a").withdrawn());
    // Its end was seen here: the keeper need not wait for the lease.
    auto reply = s.give_back(slot);
    CHECK(reply.ended_size() == 1);
    auto stranger = s.give_back(a_slot("z", 1));
    CHECK(stranger.released_size() == 1);
    CHECK(stranger.ended().empty());
  }

  TEST_CASE("on a full disk a node says so, promises nothing new, and ends what it must") {
    stage s;
    auto bound = s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    REQUIRE(bound.slots(0).bound());
    REQUIRE(s.view().conditions_size() == 1);
    CHECK_FALSE(s.view().conditions(0).status());
    s.disk.set_full(true);
    s.pass(milliseconds{10});
    CHECK(s.view().conditions(0).type() == "DiskPressure");
    CHECK(s.view().conditions(0).status());
    CHECK(s.view().conditions(0).since_ms() > 0);
    CHECK(s.call_for(web(), 1).decline().reason() == decline_disk);
    s.give_back(a_slot("a", 5));
    s.pass(seconds{60});
    CHECK_FALSE(s.disk.records().contains("promise/a")); // from the ballast
    s.disk.set_full(false);
    s.pass(milliseconds{10});
    CHECK_FALSE(s.view().conditions(0).status());
    CHECK(s.call_for(web(), 1).has_offer());
  }

  TEST_CASE("a node tells what happened to its promises, and whose output it still has") {
    stage s;
    auto offer = s.call_for(web(), 1).offer();
    s.take(offer, web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    node_request with_events;
    with_events.set_events(true);
    auto told = s.ask<node_view>(with_events);
    REQUIRE(told.events_size() > 0);
    CHECK(told.events(0).object() == "web-abc-a");
    CHECK(s.view().events().empty());
    logs_request where;
    where.set_namespace_("default");
    where.set_pod("web-abc-a");
    where.set_find_gone(true);
    CHECK(s.ask<log_lines>(where).gone_ms() == 0);
    s.give_back(a_slot("a", 6));
    s.pass(seconds{10});
    CHECK(s.running() == 0);
    CHECK(s.disk.records().contains("gone/1"));
    auto gone = s.ask<log_lines>(where).gone_ms();
    CHECK(gone > 0);
    s.stop();
    s.start();
    s.pass(seconds{1});
    CHECK(s.ask<log_lines>(where).gone_ms() == gone);
    where.set_find_gone(false);
    CHECK(s.ask<log_lines>(where).error() == "no output of a"); // the driver was asked by the uid
  }

  TEST_CASE("an offer that expired, was used, or is of an earlier life is regretted") {
    stage s;
    auto first = s.call_for(web(), 1).offer();
    s.pass(seconds{11});
    CHECK(s.view().free().cpu_millis() == 2000);
    CHECK(s.take(first, web(), {a_slot("a", 5)}).slots(0).regret() == regret_unknown_offer);
    auto second = s.call_for(web(), 1).offer();
    CHECK(s.take(second, web(), {a_slot("a", 6)}).slots(0).bound());
    CHECK(s.take(second, web(), {a_slot("b", 7)}).slots(0).regret() == regret_unknown_offer);
    auto third = s.call_for(web(), 1).offer();
    third.set_start(third.start() + 1);
    CHECK(s.take(third, web(), {a_slot("c", 8)}).slots(0).regret() == regret_unknown_offer);
    CHECK(s.running() <= 1);
  }

  TEST_CASE("what does not fit is declined with numbers") {
    stage s;
    auto big = web();
    big.mutable_deployment()
        ->mutable_template_()
        ->mutable_spec()
        ->mutable_containers(0)
        ->mutable_requests()
        ->set_cpu_millis(3000);
    auto reply = s.call_for(big, 1);
    CHECK(reply.decline().reason() == decline_cpu);
    CHECK(reply.decline().detail() == "cpu: needs 3000m, free 2000m of 2000m");
  }

  TEST_CASE("a full disk regrets, and holds nothing") {
    stage s;
    auto offer = s.call_for(web(), 1).offer();
    s.disk.set_full(true);
    auto answer = s.take(offer, web(), {a_slot("a", 5)}).slots(0);
    CHECK(!answer.bound());
    CHECK(answer.regret() == regret_disk);
    CHECK(s.view().free().cpu_millis() == 2000);
    CHECK(s.view().free().ports() == 10);
    s.pass(seconds{1});
    CHECK(s.running() == 0);
  }

  TEST_CASE("a crash: not kept, restarted at once, repaired; the next with back-off") {
    stage s;
    s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    auto pid = s.last("a").containers(0).pid();
    s.machine.kill("a");
    s.pass(seconds{1});
    CHECK(s.running() == 1);
    CHECK(s.last("a").verdict() == verdict_repaired);
    CHECK(s.last("a").containers(0).pid() != pid);
    CHECK(s.last("a").containers(0).last_exit_code() == 137);
    s.machine.kill("a");
    s.pass(seconds{1});
    CHECK(s.running() == 0);
    CHECK(s.last("a").reason() == "CrashLoopBackOff");
    CHECK(s.last("a").verdict() == verdict_not_kept);
    s.pass(seconds{10});
    CHECK(s.running() == 1);
    CHECK(s.last("a").restarts() == 2);
  }

  TEST_CASE("release: stopping counts until the workload is gone, then released, off the disk") {
    stage s;
    s.take(s.call_for(web(), 4).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    CHECK(s.give_back(a_slot("a", 4)).stopping().empty()); // an older order ends nothing
    CHECK(s.running() == 1);
    auto reply = s.give_back(a_slot("a", 6));
    CHECK(reply.released().empty());
    CHECK(reply.stopping_size() == 1);
    CHECK(s.view().free().cpu_millis() == 1500);
    s.pass(seconds{1});
    CHECK(s.running() == 0);
    CHECK(s.machine.processes().empty());
    CHECK(s.view().free().cpu_millis() == 2000);
    CHECK(!s.disk.records().contains("promise/a"));
    CHECK(s.give_back(a_slot("a", 6)).released_size() == 1);
    // A late accept of what was released does not revive it, whatever it offers.
    auto late = s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    CHECK(late.slots(0).regret() == regret_stale_order);
  }

  TEST_CASE("what the bridge knows to be lost is part of what the node says of itself") {
    stage s;
    auto view = s.view();
    REQUIRE(view.lost_size() == 2);
    CHECK(node_id::from_bytes(view.lost(0).peer()) == keeper_id);
    CHECK(view.lost(0).reason() == "unreachable");
    CHECK(view.lost(0).messages() == 7);
    caf::anon_send_exit(s.bridge, caf::exit_reason::kill);
    CHECK(s.view().lost().empty()); // and it answers all the same
    CHECK(s.view().total().cpu_millis() == 2000);
  }

  TEST_CASE("limits that nothing enforces here are said once at the start, and shown") {
    stage s;
    s.stop();
    s.machine.set_features({.name = "process",
                            .root = false,
                            .namespaces = false,
                            .limits = {"pids"},
                            .note = "cpu and memory limits are not enforced: no cgroup"});
    log_lines_of log;
    s.start();
    s.pass(seconds{5});
    CHECK(log.count("note=\"cpu and memory limits are not enforced: no cgroup\"") == 1);
    CHECK(log.count("limits=pids") == 1);
    CHECK(s.view().limits_size() == 1);
    CHECK(s.view().notes(0) == "cpu and memory limits are not enforced: no cgroup");
  }

  TEST_CASE("a keeper that does not answer is told again, and what came meanwhile with it") {
    stage s;
    s.told->deaf = true;
    s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{2});
    CHECK(s.told->latest.empty());
    s.told->deaf = false;
    s.pass(seconds{12});
    CHECK(s.last("a").ready());
  }

  TEST_CASE("drain: nothing new, everything ends and is withdrawn, then drained") {
    stage s;
    s.take(s.call_for(web(), 2).offer(), web(), {a_slot("a", 5), a_slot("b", 6)});
    s.pass(seconds{1});
    auto held = s.call_for(web(), 1).offer();
    auto done = std::make_shared<bool>(false);
    s.system.actors().spawn([=, to = s.node](caf::event_based_actor* self) {
      self->request(to, seconds{60}, drain{}).then([=](const drained& x) {
        *done = x.note.empty();
      });
    });
    s.pass(milliseconds{30});
    CHECK(!*done);
    CHECK(s.call_for(web(), 1).decline().reason() == decline_draining);
    CHECK(s.take(held, web(), {a_slot("c", 7)}).slots(0).regret() == regret_draining);
    CHECK(s.last("a").withdrawn());
    s.pass(seconds{2});
    CHECK(*done);
    CHECK(s.running() == 0);
    CHECK(s.view().promises() == 0);
  }

  TEST_CASE("drain: what nobody takes over within 10 s is left behind, and that is said") {
    stage s;
    for (const auto& id : {keeper_id, self_id}) {
      member who;
      who.set_id(id.bytes());
      who.set_start(1);
      who.set_journal(std::string(16, id == self_id ? 'c' : 'j')); // a node that never learns
      s.zone_has->members.push_back({who, member_alive, {}});
    }
    s.stop();
    s.start();
    s.pass(seconds{1});
    auto said = std::make_shared<std::optional<drained>>();
    s.system.actors().spawn([=, to = s.node](caf::event_based_actor* self) {
      self->request(to, seconds{60}, drain{}).then([=](const drained& x) { *said = x; });
    });
    s.pass(seconds{9});
    CHECK(!*said);
    s.pass(seconds{2});
    REQUIRE(*said);
    CHECK((*said)->note.find("what 64 keeper groups keep is not repaired or changed until")
          != std::string::npos);
  }

  TEST_CASE(
      "a keeper group whose actor fails goes on from the disk; after 5 times it is given up") {
    stage s;
    group_request request;
    *request.mutable_put()->mutable_what() = web();
    auto of = request.put().what();
    auto group = group::group_of(group::name_of(of));
    request.set_group(value(group));
    CHECK(s.ask<group_reply>(request).done().action() == "created");
    group_request read;
    read.set_group(value(group));
    read.mutable_read()->set_all_namespaces(true);
    auto path = "group/" + std::to_string(value(group));
    for (int i = 0; i < 5; ++i) {
      s.kill(path);
      CHECK(s.ask<group_reply>(read).views().views_size() == 1);
    }
    s.kill(path);
    auto reply = s.ask<group_reply>(read);
    CHECK(reply.refused().code() == refusal_unreachable);
    CHECK(reply.refused().detail().find("restart that node") != std::string::npos);
    s.stop();
    s.start();
    s.pass(seconds{1});
    CHECK(s.ask<group_reply>(read).views().views_size() == 1);
  }
}

} // namespace legion::node_test
