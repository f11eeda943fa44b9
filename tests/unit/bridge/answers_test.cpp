#include <vector>

#include <caf/typed_response_promise.hpp>
#include <google/protobuf/unknown_field_set.h>

#include "messages/vocabulary.hpp"
#include "tests/unit/bridge/bridge_nodes.hpp"
#include "tests/unit/transport/contract.hpp"

namespace legion::bridge::answers_test {
namespace {

using namespace bridge_nodes;

using lines_handle = caf::typed_actor<caf::replies_to<logs_request>::with<log_lines>>;

constexpr int together = 20;

/// Answers when so many have asked, all of them at once.
lines_handle::behavior_type answering_together(lines_handle::pointer self) {
  auto waiting = std::make_shared<std::vector<caf::typed_response_promise<log_lines>>>();
  return {[self, waiting](const logs_request&) -> caf::result<log_lines> {
    waiting->push_back(self->make_response_promise<log_lines>());
    auto last = waiting->back();
    if (waiting->size() == together)
      for (auto& x : std::exchange(*waiting, {})) {
        log_lines lines;
        lines.set_text("text");
        x.deliver(std::move(lines));
      }
    return last;
  }};
}

constexpr auto later_field = 9999; // of a version that is yet to come

/// Tells what of a later version came with the question.
lines_handle::behavior_type telling(lines_handle::pointer) {
  return {[](const logs_request& x) {
    log_lines lines;
    const auto& later = x.GetReflection()->GetUnknownFields(x);
    lines.set_text(later.empty() ? "nothing" : std::to_string(later.field(0).number()));
    return lines;
  }};
}

/// Passes the question on.
lines_handle::behavior_type passing_on(lines_handle::pointer self, lines_handle whom) {
  return {[self, whom](const logs_request& x) { return self->delegate(whom, x); }};
}

/// What speaks to a bridge and is none: it says what it likes.
class raw_peer {
public:
  explicit raw_peer(const node& to) : to_(to.keys.who) {
    auto made = transport::zeromq::make(
        {keys_.who.endpoint, keys_.who.public_key, keys_.secret_key})(ears_);
    REQUIRE_MESSAGE(made, made.why().detail);
    carrier_ = std::move(*made);
    carrier_->introduce(to_);
  }

  const node_id& id() const { return keys_.who.id; }

  void say(envelope_view x) {
    std::string frame;
    append_header(frame, cluster_a, 1, 0);
    append_envelope(frame, x);
    REQUIRE(carrier_->send(to_.id, frame) == transport::sent::queued);
  }

  /// The answer to the request of this number.
  envelope ask(std::uint64_t number, std::uint32_t kind) {
    envelope_view x;
    x.sequence = x.request = number;
    x.to = "server";
    x.kind = kind;
    auto before = ears_.count();
    say(x);
    REQUIRE(nodes::until([&] { return ears_.count() > before; }));
    legion::frame answer;
    REQUIRE(answer.ParseFromString(ears_.frames().back().second));
    REQUIRE(answer.messages_size() == 1);
    REQUIRE(answer.messages(0).reply_to() == number);
    return answer.messages(0);
  }

private:
  nodes::keys keys_;
  transport::peer to_;
  transport::contract::listener ears_;
  std::unique_ptr<transport::transport> carrier_; // ends before what it tells
};

} // namespace

TEST_SUITE("bridge/answers") {
  TEST_CASE("what a peer sent and never came is counted by the receiver") {
    world x;
    node b{x.system, cluster_a};
    raw_peer peer{b};
    for (std::uint64_t number : {1, 2, 6}) {
      envelope_view one_way;
      one_way.sequence = number;
      one_way.to = "nobody";
      one_way.kind = message_kind<swim_packet>;
      peer.say(one_way);
    }
    CHECK(nodes::until([&] { return b.losses(peer.id(), failure_unknown_actor) == 3; }));
    CHECK(b.losses(peer.id(), failure_none) == 3);
  }

  TEST_CASE("an unknown kind of message is refused with a reason, and what comes next is heard") {
    world x;
    node b{x.system, cluster_a};
    auto server = x.system.spawn(telling);
    b.directory->publish("server", caf::actor_cast<caf::strong_actor_ptr>(server));
    raw_peer peer{b};
    auto refused = peer.ask(1, 9999);
    CHECK(refused.failure() == failure_unknown_message);
    CHECK(refused.detail().find("9999") != std::string::npos);
    CHECK(b.losses(peer.id(), failure_unknown_message) == 1);
    auto answered = peer.ask(2, message_kind<logs_request>);
    CHECK(answered.failure() == failure_none);
    CHECK(answered.kind() == message_kind<log_lines>);
    caf::anon_send_exit(server, caf::exit_reason::kill);
  }

  TEST_CASE("a field that this version does not know is kept by a node that passes it on") {
    world x;
    node a{x.system, cluster_a};
    node b{x.system, cluster_a};
    auto server = x.system.spawn(telling);
    a.directory->publish("server", caf::actor_cast<caf::strong_actor_ptr>(server));
    a.knows(b);
    b.knows(a);
    auto relay = x.system.spawn(passing_on, b.directory->at<lines_handle>(a.keys.who.id, "server"));
    b.directory->publish("relay", caf::actor_cast<caf::strong_actor_ptr>(relay));
    logs_request question;
    question.GetReflection()->MutableUnknownFields(&question)->AddVarint(later_field, 1);
    auto answer =
        ask<log_lines>(x.system, a.directory->at<lines_handle>(b.keys.who.id, "relay"), question);
    REQUIRE_MESSAGE(answer, answer.why().detail);
    CHECK(answer->text() == std::to_string(later_field));
    caf::anon_send_exit(relay, caf::exit_reason::kill);
    caf::anon_send_exit(server, caf::exit_reason::kill);
  }

  TEST_CASE("an answer that finds no room to wait in is counted as lost") {
    limits most;
    most.waiting_bytes = 8;
    most.frame_bytes = 8; // so much more has room that has no body
    world x;
    node b{x.system, nodes::keys{}, cluster_a, 1, most};
    auto asker = nodes::keys{}.who.id;
    auto here = x.system.spawn(joining);
    b.directory->publish("here", caf::actor_cast<caf::strong_actor_ptr>(here));
    std::string frame;
    append_header(frame, cluster_a, 1, 0);
    for (std::uint64_t i = 1; i <= 20; ++i) {
      envelope_view y;
      y.sequence = i;
      y.request = i;
      y.to = i <= 10 ? "nobody" : "here";
      y.kind = i <= 10 ? message_kind<group_request> : kind_watch;
      append_envelope(frame, y);
    }
    static_cast<exchange&>(*b.directory).frame_arrived(asker, frame);
    CHECK(nodes::until([&] { return b.losses(asker, failure_unknown_actor) == 10; }));
    CHECK(b.losses(asker, failure_overloaded) == 19); // the first answer waits alone
    caf::anon_send_exit(here, caf::exit_reason::kill);
  }

  TEST_CASE("whoever asked hears of an answer that found no room, and does not wait in vain") {
    limits most;
    most.waiting_bytes = 1;
    world x;
    node a{x.system, cluster_a};
    node b{x.system, nodes::keys{}, cluster_a, 1, most};
    auto server = x.system.spawn(answering_together);
    b.directory->publish("server", caf::actor_cast<caf::strong_actor_ptr>(server));
    a.knows(b);
    b.knows(a);
    auto remote = a.directory->at<lines_handle>(b.keys.who.id, "server");
    auto refused = 0;
    for (int round = 0; refused == 0 && round < 100; ++round) { // until two answers met
      caf::scoped_actor self{x.system};
      using asked = decltype(self->request(remote, seconds{8}, logs_request{}));
      std::vector<asked> all;
      for (int i = 0; i < together; ++i)
        all.push_back(self->request(remote, seconds{8}, logs_request{}));
      for (auto& one : all)
        one.receive([](const log_lines&) {},
                    [&](const caf::error& why) {
                      ++refused;
                      CHECK(fault_of(why).code == errc::unreachable);
                      CHECK(fault_of(why).detail.find("found no room") != std::string::npos);
                    });
    }
    CHECK(refused > 0);
    CHECK(b.losses(a.keys.who.id, failure_overloaded) == static_cast<std::uint64_t>(refused));
    caf::anon_send_exit(server, caf::exit_reason::kill);
  }
}

} // namespace legion::bridge::answers_test
