#include "tests/scenario/node_world.hpp"

namespace legion::node_recovery_test {

using namespace legion::node_world;

TEST_SUITE("scenario/node") {

  TEST_CASE("kill -9 of the node: it adopts what runs, says so, and recovers what died") {
    stage s;
    auto offer = s.call_for(web(), 2).offer();
    s.take(offer, web(), {a_slot("a", 5), a_slot("b", 6)});
    s.pass(seconds{1});
    auto pid = s.last("a").containers(0).pid();
    auto port = s.last("a").ports(0).host_port();
    s.stop();
    s.machine.kill("b");
    CHECK(s.running() == 1);
    s.told->latest.clear();
    s.start();
    CHECK(s.call_for(web(), 1).decline().reason() == decline_recovering);
    s.pass(seconds{1});
    CHECK(s.running() == 2);
    CHECK(s.last("a").containers(0).pid() == pid);
    CHECK(s.last("a").ports(0).host_port() == port);
    CHECK(s.last("a").ready());
    CHECK(s.last("b").restarts() == 1);
    CHECK(s.told->full >= 1);
    CHECK(s.view().free().cpu_millis() == 1000);
    // The keeper resends: bound again, from the journal.
    CHECK(s.take(offer, web(), {a_slot("a", 5)}).slots(0).bound());
  }

  TEST_CASE("a release is not forgotten by a restart") {
    stage s;
    s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    s.give_back(a_slot("a", 5));
    s.pass(milliseconds{20}); // on disk as ending, still running
    REQUIRE(s.running() == 1);
    s.stop();
    s.start();
    s.pass(seconds{2});
    CHECK(s.running() == 0);
    CHECK(s.give_back(a_slot("a", 5)).released_size() == 1);
  }

  TEST_CASE("a workload that no promise knows is ended at the start") {
    stage s;
    s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    s.lose_journal();
    s.start();
    s.pass(seconds{2});
    CHECK(s.machine.processes().empty());
    CHECK(s.view().promises() == 0);
  }

  TEST_CASE("a promise that a damaged journal lost comes back from who runs it") {
    stage s;
    s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    auto pid = s.last("a").containers(0).pid();
    s.lose_journal();
    s.damaged = true;
    s.start();
    s.pass(seconds{2});
    CHECK(s.running() == 1);
    CHECK(s.last("a").containers(0).pid() == pid);
    CHECK(s.view().promises() == 1);
    s.stop(); // it was written, too
    s.damaged = false;
    s.start();
    s.pass(seconds{2});
    CHECK(s.running() == 1);
    s.give_back(a_slot("a", 5));
    s.pass(seconds{2});
    CHECK(s.running() == 0);
  }

  TEST_CASE(
      "a salvaged promise is begun again only once its keeper has said that it relies on it") {
    stage s;
    SUBCASE("it has") {
      s.told->relies = true;
    }
    SUBCASE("it has not") {}
    s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    s.lose_journal();
    s.damaged = true;
    s.start();
    s.pass(seconds{2});
    CHECK(s.last("a").salvaged());
    s.stop();
    s.machine.kill("a");
    s.damaged = false;
    s.start();
    s.pass(seconds{3});
    CHECK(s.running() == (s.told->relies ? 1 : 0));
    CHECK(s.last("a").withdrawn() == !s.told->relies);
  }

  TEST_CASE("a node that starts with a taint NoExecute ends what does not tolerate it") {
    stage s;
    s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    auto tolerant = web();
    tolerant.mutable_deployment()
        ->mutable_template_()
        ->mutable_spec()
        ->add_tolerations()
        ->set_operator_("Exists");
    s.take(s.call_for(tolerant, 1).offer(), tolerant, {a_slot("b", 6)});
    s.pass(seconds{1});
    REQUIRE(s.running() == 2);
    s.stop();
    auto& x = s.taints.emplace_back();
    x.set_key("k");
    x.set_effect("NoExecute");
    s.start();
    s.pass(seconds{3});
    CHECK(s.running() == 1);
    CHECK(s.last("a").withdrawn());
    CHECK_FALSE(s.last("b").withdrawn());
  }

  TEST_CASE("a promise whose actor fails adopts what runs; one that goes on failing has to wait") {
    stage s;
    s.take(s.call_for(web(), 1).offer(), web(), {a_slot("a", 5)});
    s.pass(seconds{1});
    auto pid = s.last("a").containers(0).pid();
    for (int i = 0; i < 5; ++i) {
      s.kill("promise/a");
      s.pass(milliseconds{500});
      CHECK(s.lives("promise/a"));
    }
    s.kill("promise/a");
    s.pass(seconds{50});
    CHECK(!s.lives("promise/a"));
    CHECK(s.running() == 1);
    s.pass(seconds{15});
    CHECK(s.lives("promise/a"));
    s.pass(seconds{1});
    CHECK(s.last("a").containers(0).pid() == pid);
    CHECK(s.last("a").ready());
  }

  TEST_CASE("when one of a node's own actors ends unasked, the process is told, once") {
    stage s;
    cluster_node whole;
    whole.context = s.context;
    whole.bridge = s.bridge;
    whole.store = s.store;
    whole.membership = s.zone;
    whole.runtime = s.runtime;
    whole.beats = s.beats;
    whole.charter =
        spawn_charter(s.system.actors(), s.context, {s.store, s.zone, s.beats}, {}, true);
    whole.node = s.node;
    auto gateway = spawn_gateway(s.system.actors(), s.context, s.zone);
    REQUIRE(gateway);
    whole.gateway = *gateway;
    auto told = std::make_shared<std::vector<std::string>>();
    watch_node(s.system.actors(), whole, [=](std::string why) { told->push_back(why); });
    s.pass(seconds{1});
    caf::anon_send_exit(whole.gateway, caf::exit_reason::user_shutdown); // as stop_node does
    s.pass(seconds{1});
    CHECK(told->empty());
    s.kill("store");
    s.kill("runtime");
    s.pass(seconds{1});
    REQUIRE(told->size() == 1);
    CHECK(told->front().starts_with("store: "));
  }

  TEST_CASE("the supervisor is lost: everything starts again") {
    stage s;
    s.take(s.call_for(web(), 2).offer(), web(), {a_slot("a", 5), a_slot("b", 6)});
    s.pass(seconds{1});
    s.machine.lose_supervisor();
    s.pass(seconds{3});
    CHECK(s.running() == 2);
    CHECK(s.last("a").restarts() == 1);
    CHECK(s.last("a").ready());
  }
}

} // namespace legion::node_recovery_test
