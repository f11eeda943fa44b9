#include "tests/scenario/keeping_world.hpp"

namespace legion::keeping_test {

using namespace legion::keeping_world;

TEST_SUITE("scenario/keeping") {

  TEST_CASE("apply: put, named, calls, accepted on disk, then accepts, bound, ready") {
    stage s;
    auto reply = s.put(deployment(3));
    CHECK(reply.done().action() == "created");
    CHECK(reply.done().resource_version() == 3); // after the founding and the leader's own entry
    CHECK(s.act->count("written put") == 1);     // before the author was answered
    s.pass(seconds{1});
    CHECK(s.act->first("written put") < s.act->first("written named"));
    CHECK(s.act->first("written named") < s.act->first("call "));
    CHECK(s.act->first("call ") < s.act->first("written accepted"));
    CHECK(s.act->first("written accepted") < s.act->first("accept "));
    CHECK(s.act->count("accept ") == 3);
    for (const auto& x : s.act->nodes)
      CHECK(x.holds.size() == 1);
    CHECK(s.pods("bound").size() == 3);
    CHECK(s.read().ready() == 0);
    s.report_all();
    CHECK(s.read().ready() == 3);
    CHECK(s.read().keeper_name() == "legion-0");
    auto before = s.act->transcript.size();
    s.pass(seconds{60});
    CHECK(s.act->transcript.size() == before); // nothing is left to say
    CHECK(s.put(deployment(3)).done().action() == "unchanged");
  }

  TEST_CASE("a node dies: replaced elsewhere; it returns: released there") {
    stage s;
    s.put(deployment(3));
    s.pass(seconds{1});
    s.report_all();
    s.member(2, member_dead);
    s.pass(seconds{2});
    CHECK(s.pods("bound").size() == 3);
    CHECK(s.pods("replaced").size() == 1);
    CHECK(s.act->nodes[0].holds.size() + s.act->nodes[1].holds.size() == 3);
    CHECK(s.act->nodes[2].holds.size() == 1);
    s.pass(seconds{60});
    s.member(2, member_alive);
    s.pass(seconds{2});
    CHECK(s.act->nodes[2].holds.empty());
    CHECK(s.pods("replaced").empty());
    CHECK(s.read().pods_size() == 3);
  }

  TEST_CASE("a member whose part of the journal does not read speaks for itself only") {
    stage s;
    s.put(deployment(3));
    for (auto& [key, value] : s.act->journal)
      if (key.find("/log/") != key.npos)
        value = "torn";
    s.restart();
    auto reply = s.put(deployment(4)).refused();
    CHECK(reply.code() == refusal_elsewhere); // others may lead: they are asked
    CHECK(reply.absent());
    CHECK(reply.detail().find("/log/") != std::string::npos);
  }

  TEST_CASE("a node that is killed while it is asked does not hold the others up") {
    stage s;
    s.act->nodes[1].silent = true;
    s.put(deployment(2));
    s.pass(milliseconds{1500});
    CHECK(s.pods("bound").size() == 2);
  }

  TEST_CASE("regret: called anew at once, under the same name") {
    stage s{1};
    s.act->nodes[0].regrets = 1;
    s.put(deployment(1));
    s.pass(seconds{2});
    CHECK(s.act->count("accept ") == 2);
    REQUIRE(s.pods("bound").size() == 1);
    CHECK(s.held() == 1);
  }

  TEST_CASE("all nodes are full: the pod waits with a note, and why tells who declined") {
    stage s;
    for (auto& x : s.act->nodes)
      x.full = true;
    s.put(deployment(1));
    s.pass(seconds{30});
    auto waiting = s.pods("missing");
    REQUIRE(waiting.size() == 1);
    CHECK(waiting[0].note() == "3 nodes declined: cpu: needs 100m, free 0m of 1000m");
    group_request request;
    request.mutable_explain()->set_namespace_("default");
    request.mutable_explain()->set_pod(waiting[0].slot().pod());
    auto reply = s.ask(request);
    REQUIRE(reply.explanation().rounds_size() == 1);
    CHECK(reply.explanation().rounds(0).candidates_size() == 3);
    for (auto& x : s.act->nodes)
      x.full = false;
    s.pass(seconds{11});
    CHECK(s.pods("bound").size() == 1);
    reply = s.ask(request);
    CHECK(reply.explanation().rounds_size() == 2);
    CHECK(reply.explanation().view().state() == "bound");
  }

  TEST_CASE("deleted: released everywhere, then forgotten; a second delete finds nothing") {
    stage s;
    s.put(deployment(3));
    s.pass(seconds{1});
    for (auto& x : s.act->nodes)
      x.slow = true;
    CHECK(s.remove().done().action() == "deleted");
    s.pass(seconds{5});
    CHECK(s.read().deleting());
    for (auto& x : s.act->nodes)
      x.slow = false;
    s.pass(seconds{3});
    CHECK(s.held() == 0);
    CHECK(s.read().pods_size() == 0);
    CHECK(!s.read().deleting());
    CHECK(s.remove().refused().code() == refusal_not_found);
  }

  TEST_CASE("a changed template: new ready before old stops") {
    stage s;
    s.put(deployment(3));
    s.pass(seconds{1});
    s.report_all();
    CHECK(s.put(deployment(3, "b")).done().action() == "configured");
    for (int i = 0; i < 6; ++i) {
      s.pass(seconds{1});
      CHECK(s.held() >= 3);
      CHECK(s.held() <= 4);
      s.report_all();
      CHECK(s.read().ready() >= 3);
    }
    s.pass(seconds{3});
    CHECK(s.held() == 3);
    CHECK(s.read().updated() == 3);
  }

  TEST_CASE(
      "the keeper's node is killed and starts again: what it committed is kept, to the letter") {
    stage s;
    s.put(deployment(3));
    s.pass(milliseconds{35}); // somewhere in the middle
    s.restart();
    s.pass(seconds{5});
    CHECK(s.pods("bound").size() == 3);
    std::set<std::string> bound;
    for (const auto& x : s.pods("bound"))
      bound.insert(x.slot().uid());
    for (const auto& x : s.act->nodes)
      for (const auto& [uid, slot] : x.holds)
        CHECK(bound.contains(uid)); // nothing runs that no keeper knows
    CHECK(s.put(deployment(3)).done().action() == "unchanged");
  }

  TEST_CASE("a full disk: refused, nothing changed; room again: taken") {
    stage s;
    auto before = s.act->journal;
    caf::anon_send(s.group, store::health{true, "0 bytes free"});
    auto reply = s.put(deployment(3));
    CHECK(reply.refused().code() == refusal_disk_full);
    CHECK(s.act->journal == before);
    CHECK(s.read().what().kind().empty()); // it can still say so
    caf::anon_send(s.group, store::health{});
    CHECK(s.put(deployment(3)).done().action() == "created");
    s.pass(seconds{1});
    CHECK(s.pods("bound").size() == 3);
    caf::anon_send(s.group, store::health{true, "0 bytes free"});
    CHECK(s.put(deployment(3)).done().action() == "unchanged"); // nothing has to be written
    CHECK(s.put(deployment(2)).refused().code() == refusal_disk_full);
    group_request trying;
    *trying.mutable_put()->mutable_what() = deployment(2);
    trying.mutable_put()->set_dry_run(true);
    CHECK(s.ask(trying).refused().code() == refusal_disk_full); // what is only tried, too
    *trying.mutable_put()->mutable_what() = deployment(3);
    CHECK(s.ask(trying).done().action() == "unchanged");
  }

  TEST_CASE("what was accepted when the disk turned out to be full takes the ballast") {
    stage s;
    s.act->disk_full = true;
    CHECK(s.put(deployment(1)).done().action() == "created");
    CHECK(s.act->count("written put") == 1);
  }

  TEST_CASE("a group's actor that fails while it writes: the next one finishes that, and goes on") {
    stage s;
    group_request request;
    request.set_request_id("once");
    *request.mutable_put()->mutable_what() = deployment(2);
    caf::anon_send(s.group, request);
    s.pass(milliseconds{5});
    REQUIRE(s.act->count("written put") == 0); // not on disk yet
    s.fail();
    auto again = s.ask(request); // as its author tries again
    CHECK(again.done().action() == "created");
    s.pass(seconds{1});
    s.report_all();
    CHECK(s.read().ready() == 2);
    CHECK(s.held() == 2);
    s.fail();
    s.pass(seconds{1});
    CHECK(s.held() == 2);
    CHECK(s.pods("bound").size() == 2);
    CHECK(s.act->count("written put") == 2); // the same record, twice
    s.restart();                             // and the disk says the same
    s.pass(seconds{1});
    CHECK(s.held() == 2);
    CHECK(s.pods("bound").size() == 2);
  }

  TEST_CASE("keepers end with the actor that owns them: a failed one leaves nobody behind") {
    stage s;
    s.put(deployment(1));
    s.pass(seconds{1});
    s.fail();
    s.fail();
    s.pass(seconds{1});
    auto keepers = 0;
    for (const auto& row : s.context->census->rows())
      keepers += row.path.find("/keeper/") != std::string::npos;
    CHECK(keepers == 1);
  }

  TEST_CASE("a node that is not in the group sends authors elsewhere, and does not say where") {
    stage s{3, false};
    auto reply = s.put(deployment(1));
    CHECK(reply.refused().code() == refusal_elsewhere);
    CHECK(reply.refused().node().empty());
    CHECK(s.act->count("claimed") == 0);
  }

} // TEST_SUITE

} // namespace legion::keeping_test
