#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/bridge/bridge_actor.hpp"
#include "actors/bridge/directory.hpp"
#include "actors/census/census.hpp"
#include "actors/membership/membership_actor.hpp"
#include "runtime/simulator/virtual_system.hpp"

namespace legion::membership_test {

// Three membership actors as they are. Between each two a wire, played by the test: it says who
// sends, as the bridge does, and loses what goes to or comes from a silent node. Time is virtual.

using std::chrono::microseconds;

namespace {

constexpr int size = 3;

struct play {
  std::map<int, membership_handle> running; // by number
  std::map<int, bool> silent;
  std::vector<std::string> transcript; // "1 sees 3 dead, start 1"
};
using play_ptr = std::shared_ptr<play>;

node_id id_of(int node) {
  return node_id::from_bytes(std::string(15, 'n') + static_cast<char>('0' + node));
}

int number_of(const std::string& id) {
  return id.back() - '0';
}

membership_handle::behavior_type wire_actor(membership_handle::pointer self, play_ptr play,
                                            int from, int to) {
  auto cut = [=] { return play->silent[from] || play->silent[to] || !play->running[to]; };
  auto no = [] { return make_error(fault{errc::unreachable, "the wire is cut"}); };
  return {
      [=](swim_packet x) {
        x.set_from(id_of(from).bytes());
        if (!cut())
          self->send(play->running[to], std::move(x));
      },
      [=](const join_request& x) -> caf::result<join_reply> {
        if (cut())
          return no();
        return self->delegate(play->running[to], x);
      },
      [=](const member_list& x) -> caf::result<member_list> {
        if (cut())
          return no();
        return self->delegate(play->running[to], x);
      },
      [](const list_members&) { return members_known{}; },
      [](await_trust) { return journal_trusted{}; },
      [](const subscribe_members&) {},
      [](const follow_members&) { return members_known{}; },
      [](const unfollow_members&) {},
      [](const describe_self&) {},
      [](const connection_hint&) {},
      [](const peer_heard&) {},
      [](const admit_through&) {},
      [](const leave_zone&) {},
  };
}

bridge_handle::behavior_type bridge_actor(bridge_handle::pointer) {
  return {
      [](const member_change&) {},
      [](const cluster_known&) {},
      [](const introduce_contact&) {},
      [](const list_losses&) { return losses{}; },
  };
}

/// One node's view of who is where.
class wires : public directory {
public:
  void publish(std::string, caf::strong_actor_ptr) override {}
  void withdraw(std::string_view) override {}
  caf::strong_actor_ptr find(const node_id& node, std::string_view path) override {
    return path == "bridge" ? bridge : to[number_of(node.bytes())];
  }
  caf::strong_actor_ptr bridge;
  std::map<int, caf::strong_actor_ptr> to;
};

using listener_handle = caf::typed_actor<caf::reacts_to<member_change>>;

listener_handle::behavior_type listener_actor(listener_handle::pointer, play_ptr play, int who) {
  return {[=](const member_change& x) {
    static constexpr const char* words[] = {"alive", "suspect", "dead", "left"};
    play->transcript.push_back(std::to_string(who) + " sees "
                               + std::to_string(number_of(x.who.id())) + " " + words[x.state]
                               + ", start " + std::to_string(x.who.start()));
  }};
}

struct stage {
  stage() {
    auto& actors = system.actors();
    for (int i = 1; i <= size; ++i) {
      auto made = std::make_shared<wires>();
      made->bridge = keep(actors.spawn(bridge_actor));
      for (int to = 1; to <= size; ++to)
        made->to[to] = keep(actors.spawn(wire_actor, act, i, to));
      directories[i] = made;
      start(i, 1);
      pass(milliseconds{200});
    }
  }

  ~stage() {
    for (int i = 1; i <= size; ++i)
      stop(i);
    for (auto& x : props)
      caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    pass(milliseconds{1});
    for (auto& [i, x] : directories) {
      x->bridge = nullptr;
      x->to.clear();
    }
  }

  template <class Handle>
  caf::strong_actor_ptr keep(const Handle& x) {
    props.push_back(caf::actor_cast<caf::strong_actor_ptr>(x));
    return props.back();
  }

  void start(int i, std::uint64_t number) {
    node_context x;
    x.self.id = id_of(i);
    x.self.start = start_number{number};
    x.self.name = "legion-" + std::to_string(i);
    x.self.endpoint = "127.0.0.1:771" + std::to_string(i);
    x.self.public_key = std::string(32, static_cast<char>('0' + i));
    x.self.zone = "local";
    x.seed = static_cast<std::uint64_t>(i);
    x.directory = directories[i];
    x.census = std::make_shared<census>();
    if (i == 1 && number == 1)
      x.cluster = std::string(16, 'c'); // the founder
    else
      x.join.push_back({id_of(i == 1 ? 2 : 1), "127.0.0.1:7711", std::string(32, '1')});
    auto member = spawn_membership(system.actors(), std::make_shared<const node_context>(x));
    act->running[i] = member;
    act->silent[i] = false;
    auto ears = keep(system.actors().spawn(listener_actor, act, i));
    caf::anon_send(member, subscribe_members{ears});
  }

  /// The process is gone, and nobody says so.
  void stop(int i) {
    act->silent[i] = true;
    caf::anon_send_exit(act->running[i], caf::exit_reason::kill);
    act->running[i] = nullptr;
    pass(milliseconds{1});
  }

  void pass(microseconds x) { system.run_until(system.now() + x); }

  bool heard(const std::string& line) const {
    return std::find(act->transcript.begin(), act->transcript.end(), line) != act->transcript.end();
  }

  simulator::virtual_system system{1};
  play_ptr act = std::make_shared<play>();
  std::map<int, std::shared_ptr<wires>> directories;
  std::vector<caf::strong_actor_ptr> props;
};

} // namespace

TEST_SUITE("scenario/membership") {

  TEST_CASE(
      "who follows is answered with all that is known, told each change once, and then none") {
    stage s;
    s.pass(seconds{3});
    auto ears = s.keep(s.system.actors().spawn(listener_actor, s.act, 9));
    std::size_t known = 0;
    for (int twice = 0; twice < 2; ++twice)
      s.system.actors().spawn(
          [&known, member = s.act->running[1], ears](caf::event_based_actor* self) {
            self->request(member, seconds{1}, follow_members{ears})
                .then([&known](const members_known& x) { known = x.members.size(); });
          });
    s.pass(milliseconds{10});
    CHECK(known == 3);
    CHECK(!s.heard("9 sees 3 alive, start 1")); // the answer said so
    s.stop(3);
    s.pass(seconds{10});
    auto told =
        std::count(s.act->transcript.begin(), s.act->transcript.end(), "9 sees 3 dead, start 1");
    CHECK(told == 1);
    caf::anon_send(s.act->running[1], unfollow_members{ears});
    s.start(3, 2);
    s.pass(seconds{5});
    CHECK(s.heard("1 sees 3 alive, start 2"));
    CHECK(!s.heard("9 sees 3 alive, start 2"));
  }

  TEST_CASE("three join through the first, and each tells its own of the others") {
    stage s;
    s.pass(seconds{3});
    for (int i = 1; i <= size; ++i)
      for (int k = 1; k <= size; ++k)
        CHECK(s.heard(std::to_string(i) + " sees " + std::to_string(k) + " alive, start 1"));
    for (const auto& line : s.act->transcript)
      CHECK_MESSAGE(line.find("alive") != std::string::npos, line);
  }

  TEST_CASE("a silent one is suspected, then dead for both others within 5 s; they stay") {
    stage s;
    s.pass(seconds{5});
    s.act->transcript.clear();
    s.act->silent[3] = true;
    s.pass(seconds{5});
    for (const char* line : {"1 sees 3 dead, start 1", "2 sees 3 dead, start 1"})
      CHECK(s.heard(line));
    auto suspected = std::find_if(s.act->transcript.begin(), s.act->transcript.end(),
                                  [](auto& x) { return x.find("3 suspect") != std::string::npos; });
    REQUIRE(suspected != s.act->transcript.end());
    CHECK(suspected->find("3 sees") != 0);
    CHECK(!s.heard("1 sees 2 dead, start 1"));
    CHECK(!s.heard("2 sees 1 dead, start 1"));
  }

  TEST_CASE("it was only cut off: it hears that it was called dead, and is alive again for all") {
    stage s;
    s.pass(seconds{5});
    s.act->silent[3] = true;
    s.pass(seconds{10});
    s.act->transcript.clear();
    s.act->silent[3] = false;
    s.pass(seconds{20});
    CHECK(s.heard("1 sees 3 alive, start 1"));
    CHECK(s.heard("2 sees 3 alive, start 1"));
  }

  TEST_CASE("it comes back with a higher start number: reborn, whatever was said of it before") {
    stage s;
    s.pass(seconds{5});
    s.stop(3);
    s.pass(seconds{10});
    CHECK(s.heard("1 sees 3 dead, start 1"));
    s.act->transcript.clear();
    s.start(3, 2);
    s.pass(seconds{3});
    CHECK(s.heard("1 sees 3 alive, start 2"));
    CHECK(s.heard("2 sees 3 alive, start 2"));
    CHECK(s.heard("3 sees 1 alive, start 1"));
    s.pass(seconds{30});
    CHECK(!s.heard("1 sees 3 dead, start 2"));
  }

  TEST_CASE("it starts again before anybody missed it: the new start is told all the same") {
    stage s;
    s.pass(seconds{5});
    s.act->transcript.clear();
    s.stop(3);
    s.start(3, 2);
    s.pass(seconds{5});
    CHECK(s.heard("1 sees 3 alive, start 2"));
    CHECK(s.heard("2 sees 3 alive, start 2"));
    CHECK(!s.heard("1 sees 3 dead, start 2"));
  }
}

} // namespace legion::membership_test
