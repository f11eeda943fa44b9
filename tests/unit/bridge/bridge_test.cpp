#include "actors/bridge/bridge_actor.hpp"

#include <atomic>

#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

#include "actors/bridge/exchange_actor.hpp"
#include "messages/vocabulary.hpp"
#include "tests/unit/bridge/bridge_nodes.hpp"

namespace legion::bridge::bridge_test {
namespace {

namespace nodes = transport::zeromq_nodes;
using std::chrono::seconds;
using namespace bridge_nodes;

using answering_handle = caf::typed_actor<caf::replies_to<group_request>::with<group_reply>, //
                                          caf::replies_to<logs_request>::with<log_lines>,    //
                                          caf::replies_to<call>::with<call_reply>,           //
                                          caf::replies_to<accept>::with<accept_reply>,       //
                                          caf::replies_to<release>::with<release_reply>,     //
                                          caf::reacts_to<swim_packet>>;

struct heard {
  std::atomic<int> packets = 0;
  std::atomic<bool> from_is_proved = true;
  node_id expected;
};

answering_handle::behavior_type answering(answering_handle::pointer self,
                                          std::shared_ptr<heard> notes) {
  self->set_default_handler(
      [](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
        return caf::sec::unexpected_message;
      });
  return {
      [](const group_request& x) {
        group_reply y;
        y.set_request_id(x.request_id());
        return y;
      },
      [self](const logs_request& x) -> caf::result<log_lines> {
        if (x.offset() == 1)
          return make_error(fault{errc::disk_full, "no space on the disk"});
        return self->make_response_promise<log_lines>(); // and never keep it
      },
      [](const call&) { return call_reply{}; },
      [](const accept&) { return accept_reply{}; },
      [](const release&) { return release_reply{}; },
      [notes](const swim_packet& x) {
        if (node_id::from_bytes(x.from()) != notes->expected)
          notes->from_is_proved = false;
        ++notes->packets;
      },
  };
}

result<group_reply> ask_group(caf::actor_system& system, const answering_handle& whom) {
  group_request x;
  x.set_request_id("77");
  return ask<group_reply>(system, whom, x);
}

result<log_lines> ask_logs(caf::actor_system& system, const answering_handle& whom,
                           std::int64_t offset) {
  logs_request x;
  x.set_offset(offset);
  return ask<log_lines>(system, whom, x);
}

/// Two nodes that know each other; an actor that answers lives on b.
struct pair : world {
  explicit pair(limits most = {}) : a{system, cluster_a, 1, most}, b{system, cluster_a} {
    notes->expected = a.keys.who.id;
    server = system.spawn(answering, notes);
    b.directory->publish("server", caf::actor_cast<caf::strong_actor_ptr>(server));
    a.knows(b);
    b.knows(a);
    remote = a.directory->at<answering_handle>(b.keys.who.id, "server");
  }
  ~pair() { caf::anon_send_exit(server, caf::exit_reason::kill); }

  std::shared_ptr<heard> notes = std::make_shared<heard>();
  node a;
  node b;
  answering_handle server;
  answering_handle remote;
};

} // namespace

TEST_SUITE("bridge/bridge_actor") {
  TEST_CASE("a request through a proxy is answered by the actor behind it, also a second time") {
    pair x;
    for (int i = 0; i < 2; ++i) {
      auto answer = ask_group(x.system, x.remote);
      REQUIRE_MESSAGE(answer, answer.why().detail);
      CHECK(answer->request_id() == "77");
    }
  }

  TEST_CASE("an actor's own refusal arrives with its code and words") {
    pair x;
    auto answer = ask_logs(x.system, x.remote, 1);
    CHECK(code(answer) == errc::disk_full);
    CHECK(answer.why().detail == "no space on the disk");
  }

  TEST_CASE("no answer is a deadline") {
    limits most;
    most.deadline = milliseconds{300};
    pair x{most};
    CHECK(code(ask_logs(x.system, x.remote, 3)) == errc::deadline);
  }

  TEST_CASE("nobody under a path is an unknown actor; an unknown node is unreachable") {
    pair x;
    auto nobody = x.a.directory->at<answering_handle>(x.b.keys.who.id, "nobody");
    auto answer = ask_group(x.system, nobody);
    CHECK(code(answer) == errc::unknown_actor);
    CHECK(answer.why().detail.find("nobody") != std::string::npos);
    auto nowhere = x.a.directory->at<answering_handle>(nodes::keys{}.who.id, "server");
    CHECK(code(ask_group(x.system, nowhere)) == errc::unreachable);
  }

  TEST_CASE("a message that the actor does not accept is refused and hurts nobody") {
    pair x;
    auto wrong = x.a.directory->at<joining_handle>(x.b.keys.who.id, "server");
    join_request join;
    join.mutable_who()->set_id(x.a.keys.who.id.bytes());
    CHECK(code(ask<join_reply>(x.system, wrong, join)) == errc::refused);
    CHECK(code(ask_group(x.system, x.remote)) == errc::none);
  }

  TEST_CASE("a local path is the actor itself; one not there yet is found once it is") {
    pair x;
    auto id = x.b.keys.who.id;
    CHECK(x.b.directory->at<answering_handle>(id, "server") == x.server);
    auto early = x.b.directory->at<answering_handle>(id, "later");
    CHECK(code(ask_group(x.system, early)) == errc::unknown_actor);
    x.b.directory->publish("later", caf::actor_cast<caf::strong_actor_ptr>(x.server));
    CHECK(code(ask_group(x.system, early)) == errc::none);
  }

  TEST_CASE("another cluster is refused with the reason; a node without one may only join") {
    world x;
    node a{x.system, cluster_a};
    node b{x.system, cluster_b};
    node c{x.system, ""};
    auto server = x.system.spawn(answering, std::make_shared<heard>());
    auto host = x.system.spawn(joining);
    b.directory->publish("server", caf::actor_cast<caf::strong_actor_ptr>(server));
    b.directory->publish("membership", caf::actor_cast<caf::strong_actor_ptr>(host));
    a.knows(b);
    c.knows(b);
    auto from_a = a.directory->at<answering_handle>(b.keys.who.id, "server");
    auto answer = ask_group(x.system, from_a);
    CHECK(code(answer) == errc::refused);
    CHECK(answer.why().detail.find("another cluster") != std::string::npos);
    CHECK(b.losses(a.keys.who.id, failure_wrong_cluster) == 1);
    auto from_c = c.directory->at<answering_handle>(b.keys.who.id, "server");
    CHECK(code(ask_group(x.system, from_c)) == errc::unreachable);
    auto door = c.directory->at<joining_handle>(b.keys.who.id, "membership");
    join_request join;
    join.mutable_who()->set_id(c.keys.who.id.bytes());
    auto joined = ask<join_reply>(x.system, door, join);
    REQUIRE_MESSAGE(joined, joined.why().detail);
    CHECK(joined->refused() == "full");
    join.mutable_who()->set_id(a.keys.who.id.bytes()); // who speaks for another is refused
    CHECK(code(ask<join_reply>(x.system, door, join)) == errc::refused);
    caf::anon_send(c.handle, cluster_known{cluster_b});
    CHECK(nodes::until([&] { return code(ask_group(x.system, from_c)) == errc::none; }));
    caf::anon_send_exit(server, caf::exit_reason::kill);
    caf::anon_send_exit(host, caf::exit_reason::kill);
  }

  TEST_CASE("who has a lower start number than was seen is told so, and counted") {
    pair p;
    REQUIRE(code(ask_group(p.system, p.remote)) == errc::none);
    p.b.told(p.a, member_alive, 5);
    p.b.losses(p.a.keys.who.id, failure_refused); // once it answers, it has heard
    auto answer = ask_group(p.system, p.remote);
    REQUIRE(!answer);
    CHECK(answer.why().code == errc::outlived);
    CHECK(answer.why().detail.starts_with(
        "a later start of your node than 1, or another one of that number, is "
        "known here"));
    CHECK(p.b.losses(p.a.keys.who.id, failure_refused) > 0);
    // Once that life is over, the earlier one is a copy from before.
    p.b.told(p.a, member_dead, 5);
    p.b.losses(p.a.keys.who.id, failure_refused);
    CHECK(code(ask_group(p.system, p.remote)) == errc::conflict);
    p.b.told(p.a, member_alive, 6);
    p.b.losses(p.a.keys.who.id, failure_refused);
    CHECK(code(ask_group(p.system, p.remote)) == errc::outlived);
  }

  TEST_CASE("another life with a start number that was seen is of an old copy, and not heard") {
    pair p;
    REQUIRE(code(ask_group(p.system, p.remote)) == errc::none);
    auto judged = false;
    SUBCASE("while the membership has the other for alive") {
      judged = true;
      p.b.told(p.a, member_alive, 1);
      p.b.losses(p.a.keys.who.id, failure_refused); // once it answers, it has heard
    }
    SUBCASE("which has lost its connection, and no membership has told of it") {}
    p.a.stop();
    auto asked_by = [&](std::uint32_t life) {
      node again{p.system, p.a.keys, cluster_a, 1, {}, life};
      again.knows(p.b);
      auto remote = again.directory->at<answering_handle>(p.b.keys.who.id, "server");
      return code(ask_group(p.system, remote));
    };
    CHECK(asked_by(8) == (judged ? errc::outlived : errc::conflict));
    p.b.told(p.a, member_dead, 1);
    p.b.losses(p.a.keys.who.id, failure_refused); // once it answers, it has heard
    CHECK(asked_by(8) == errc::conflict);
  }

  TEST_CASE("one-way messages arrive with the sender that the connection proves") {
    pair x;
    swim_packet packet;
    packet.set_from("a liar's node id");
    for (int i = 0; i < 100; ++i)
      caf::anon_send(x.remote, packet);
    CHECK(nodes::until([&] { return x.notes->packets == 100; }));
    CHECK(x.notes->from_is_proved);
  }

  TEST_CASE("a call, an accept and a release speak for the keeper that sends them, and no other") {
    pair x;
    call calls;
    accept accepts;
    release releases;
    auto name_keeper = [&](const std::string& id) {
      calls.set_keeper(id);
      accepts.set_keeper(id);
      releases.set_keeper(id);
    };
    for (const auto& liar :
         {x.b.keys.who.id.bytes(), nodes::keys{}.who.id.bytes(), std::string{}}) {
      name_keeper(liar);
      CHECK(code(ask<call_reply>(x.system, x.remote, calls)) == errc::refused);
      CHECK(code(ask<accept_reply>(x.system, x.remote, accepts)) == errc::refused);
      CHECK(code(ask<release_reply>(x.system, x.remote, releases)) == errc::refused);
    }
    name_keeper(x.a.keys.who.id.bytes());
    CHECK(code(ask<call_reply>(x.system, x.remote, calls)) == errc::none);
    CHECK(code(ask<accept_reply>(x.system, x.remote, accepts)) == errc::none);
    CHECK(code(ask<release_reply>(x.system, x.remote, releases)) == errc::none);
  }

  TEST_CASE("lost one-way messages are counted where the sender knows") {
    pair x;
    auto stranger = nodes::keys{}.who.id;
    auto nowhere = x.a.directory->at<answering_handle>(stranger, "server");
    for (int i = 0; i < 3; ++i)
      caf::anon_send(nowhere, swim_packet{});
    CHECK(nodes::until([&] { return x.a.losses(stranger, failure_unreachable) == 3; }));
  }

  TEST_CASE("one-way messages to a handle that has ended are counted, too") {
    pair x;
    REQUIRE(code(ask_group(x.system, x.remote)) == errc::none);
    auto b = x.b.keys.who.id;
    x.a.told(x.b, member_dead, 1);
    CHECK(x.a.losses(b, failure_unreachable) == 0); // once it answers, it has heard
    REQUIRE(code(ask_group(x.system, x.remote)) == errc::unreachable);
    for (int i = 0; i < 3; ++i)
      caf::anon_send(x.remote, swim_packet{});
    CHECK(x.a.losses(b, failure_unreachable) == 3);
  }

  TEST_CASE("what the transport could not get rid of is counted, and its requests fail at once") {
    world x;
    node a{x.system, cluster_a};
    nodes::keys dead; // nothing listens there
    caf::anon_send(a.handle, introduce_contact{dead.who});
    auto nowhere = a.directory->at<answering_handle>(dead.who.id, "server");
    for (int i = 0; i < 3; ++i)
      caf::anon_send(nowhere, swim_packet{});
    CHECK(code(ask_group(x.system, nowhere)) == errc::unreachable);
    CHECK(nodes::until([&] { return a.losses(dead.who.id, failure_unreachable) == 3; }));
  }

  TEST_CASE("strangers beyond the limit push out those with whom nothing is under way") {
    limits most;
    most.peers = 3;
    pair x{most};
    for (int i = 0; i < 10; ++i)
      CHECK(code(ask_group(x.system,
                           x.a.directory->at<answering_handle>(nodes::keys{}.who.id, "server")))
            == errc::unreachable);
    for (int i = 0; i < 3; ++i)
      CHECK(code(ask_group(x.system, x.remote)) == errc::none);
  }

  TEST_CASE("what was lost with a member is told also after many strangers knocked") {
    limits most;
    most.peers = 3;
    pair x{most};
    REQUIRE(code(ask_group(x.system, x.remote)) == errc::none);
    auto b = x.b.keys.who.id;
    x.remote = nullptr; // nothing is under way with it
    x.a.told(x.b, member_alive, 1);
    auto knocks = [&](const node_id& who) {
      std::string frame;
      append_header(frame, cluster_b, 1, 7);
      envelope_view stray;
      stray.sequence = 1000;
      stray.to = "server";
      stray.kind = message_kind<swim_packet>;
      append_envelope(frame, stray);
      static_cast<exchange&>(*x.a.directory).frame_arrived(who, frame);
    };
    knocks(b);
    CHECK(x.a.losses(b, failure_wrong_cluster) == 1);
    auto last = node_id{};
    for (int i = 0; i < 10; ++i)
      knocks(last = nodes::keys{}.who.id);
    CHECK(x.a.losses(last, failure_wrong_cluster) == 1);
    CHECK(x.a.losses(b, failure_wrong_cluster) == 1);
  }

  TEST_CASE("more than may be in flight to one node is overloaded at once") {
    limits most;
    most.requests_per_peer = 4;
    pair x{most};
    caf::scoped_actor self{x.system};
    logs_request unanswered;
    unanswered.set_offset(3);
    for (int i = 0; i < 4; ++i)
      self->request(x.remote, seconds{8}, unanswered);
    auto answer = ask_group(x.system, x.remote);
    CHECK(code(answer) == errc::overloaded);
    CHECK(answer.why().detail.find("4") != std::string::npos);
  }

  TEST_CASE("monitors fire when the remote actor ends, and a later find gives a new proxy") {
    pair x;
    caf::scoped_actor self{x.system};
    self->monitor(x.remote);
    REQUIRE(code(ask_group(x.system, x.remote)) == errc::none);
    caf::anon_send_exit(x.server, caf::exit_reason::user_shutdown);
    errc why = errc::none;
    self->receive([&](const caf::down_msg& x) { why = fault_of(x.reason).code; },
                  caf::after(seconds{8}) >> [] {});
    CHECK(why == errc::unreachable);
    CHECK(code(ask_group(x.system, x.remote)) == errc::unreachable);
    auto next = x.system.spawn(answering, x.notes);
    x.b.directory->publish("server", caf::actor_cast<caf::strong_actor_ptr>(next));
    auto again = x.a.directory->at<answering_handle>(x.b.keys.who.id, "server");
    CHECK(again != x.remote);
    CHECK(code(ask_group(x.system, again)) == errc::none);
    caf::anon_send_exit(next, caf::exit_reason::kill);
  }

  TEST_CASE("a monitor of an actor that was never there fires") {
    pair x;
    caf::scoped_actor self{x.system};
    auto nobody = x.a.directory->at<answering_handle>(x.b.keys.who.id, "nobody");
    self->monitor(nobody);
    bool down = false;
    self->receive([&](const caf::down_msg&) { down = true; }, caf::after(seconds{8}) >> [] {});
    CHECK(down);
  }

  TEST_CASE("monitors fire when membership says that the node is dead, not for an earlier start") {
    pair x;
    caf::scoped_actor self{x.system};
    REQUIRE(code(ask_group(x.system, x.remote)) == errc::none);
    x.a.told(x.b, member_alive, 1);
    self->monitor(x.remote);
    x.a.told(x.b, member_dead, 0); // the death of an earlier start
    CHECK(code(ask_group(x.system, x.remote)) == errc::none);
    x.a.told(x.b, member_dead, 1);
    bool down = false;
    self->receive([&](const caf::down_msg&) { down = true; }, caf::after(seconds{8}) >> [] {});
    CHECK(down);
  }

  TEST_CASE("monitors fire when a new start number shows, and old handles stay dead") {
    world x;
    node a{x.system, cluster_a};
    auto b = std::make_unique<node>(x.system, cluster_a);
    auto keys = b->keys;
    auto server = x.system.spawn(answering, std::make_shared<heard>());
    b->directory->publish("server", caf::actor_cast<caf::strong_actor_ptr>(server));
    a.knows(*b);
    auto remote = a.directory->at<answering_handle>(keys.who.id, "server");
    REQUIRE(code(ask_group(x.system, remote)) == errc::none);
    caf::scoped_actor self{x.system};
    self->monitor(remote);
    b.reset();
    b = std::make_unique<node>(x.system, keys, cluster_a, 2, limits{});
    b->directory->publish("server", caf::actor_cast<caf::strong_actor_ptr>(server));
    b->knows(a);
    auto back = b->directory->at<answering_handle>(a.keys.who.id, "nobody");
    CHECK(code(ask_group(x.system, back)) == errc::unknown_actor); // a word of the new start
    bool down = false;
    self->receive([&](const caf::down_msg&) { down = true; }, caf::after(seconds{8}) >> [] {});
    CHECK(down);
    CHECK(code(ask_group(x.system, remote)) == errc::unreachable);
    auto again = a.directory->at<answering_handle>(keys.who.id, "server");
    CHECK(nodes::until([&] { return code(ask_group(x.system, again)) == errc::none; }));
    caf::anon_send_exit(server, caf::exit_reason::kill);
  }

  TEST_CASE("a node that ends leaves its askers unreachable, not waiting") {
    pair x;
    REQUIRE(code(ask_group(x.system, x.remote)) == errc::none);
    caf::scoped_actor self{x.system};
    logs_request unanswered;
    unanswered.set_offset(3);
    auto pending = self->request(x.remote, seconds{8}, unanswered);
    REQUIRE(code(ask_group(x.system, x.remote)) == errc::none); // it is there by now
    x.b.stop();
    errc why = errc::none;
    pending.receive([](const log_lines&) {}, [&](const caf::error& e) { why = fault_of(e).code; });
    CHECK(why == errc::unreachable);
  }
}

} // namespace legion::bridge::bridge_test
