#include <vector>

#include <caf/typed_response_promise.hpp>

#include "messages/vocabulary.hpp"
#include "tests/unit/bridge/bridge_nodes.hpp"

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

} // namespace

TEST_SUITE("bridge/answers") {
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
