#include <doctest/doctest.h>

#include <functional>
#include <map>

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/bridge/directory.hpp"
#include "actors/census/census.hpp"
#include "actors/gateway/gateway_actor.hpp"
#include "actors/group/whereabouts.hpp"
#include "actors/node/node_actor.hpp"
#include "runtime/simulator/virtual_system.hpp"
#include "tests/scenario/played_membership.hpp"

namespace legion::gateway_test {

// A gateway as it is, on legion-1. The nodes that it asks and membership are played by the test.
// Time is virtual.

using std::chrono::microseconds;

namespace {

/// How a played node answers. Nothing: it never does.
struct part {
  std::string name;
  node_id id;
  member_state state = member_alive;
  std::uint64_t keeps = 0;
  std::function<std::optional<group_reply>(const group_request&)> groups;
  node_view view;
};

struct play {
  std::vector<std::string> transcript;
  std::vector<std::string> request_ids;
  std::map<int, part> nodes; // by number
};
using play_ptr = std::shared_ptr<play>;

node_id id_of(int node) {
  return node_id::from_bytes(std::string(15, 'n') + static_cast<char>('0' + node));
}

const char* word_of(const group_request& x) {
  return x.has_put() ? "put" : x.has_read() ? "read" : "other";
}

node_handle::behavior_type node_actor(node_handle::pointer self, play_ptr play, int number) {
  return {
      [](const call&) { return call_reply{}; },
      [](const accept&) { return accept_reply{}; },
      [](const release&) { return release_reply{}; },
      [](const report&) { return report_reply{}; },
      [](const lease_ask&) { return lease_answer{}; },
      [=](const group_request& x) -> caf::result<group_reply> {
        auto& me = play->nodes[number];
        play->transcript.push_back(me.name + " " + word_of(x));
        play->request_ids.push_back(x.request_id());
        auto answer = me.groups(x);
        if (!answer)
          return self->make_response_promise<group_reply>(); // never kept
        answer->set_request_id(x.request_id());
        return *answer;
      },
      [=](const node_request&) { return play->nodes[number].view; },
      [](const logs_request&) { return log_lines{}; },
      [](const member_change&) {},
      [](const group_claimed&) {},
      [](const roster_known&) {},
      [](const group_mail&) {},
      [](const group_let_go&) {},
      [](drain) { return drained{}; },
  };
}

membership_handle::behavior_type membership_actor(membership_handle::pointer, play_ptr play) {
  return membership_that_knows([play] {
    members_known result;
    result.cluster = "cluster-of-16-by";
    for (const auto& [number, x] : play->nodes)
      add_member(result, x.id, x.name, x.keeps, x.state);
    return result;
  });
}

class played_directory : public directory {
public:
  void publish(std::string, caf::strong_actor_ptr) override {}
  void withdraw(std::string_view) override {}
  caf::strong_actor_ptr find(const node_id& node, std::string_view) override { return nodes[node]; }
  std::map<node_id, caf::strong_actor_ptr> nodes;
};

resource_name named(const std::string& name) {
  resource_name x;
  x.set_kind("Deployment");
  x.set_namespace_("default");
  x.set_name(name);
  return x;
}

std::uint64_t bit_of(const std::string& name) {
  return std::uint64_t{1} << value(group::group_of(named(name)));
}

resource deployment(const std::string& name) {
  resource x;
  x.set_api_version("apps/v1");
  x.set_kind("Deployment");
  x.mutable_metadata()->set_name(name);
  x.mutable_metadata()->set_namespace_("default");
  x.mutable_deployment()->set_replicas(1);
  x.mutable_deployment()->mutable_template_()->mutable_spec()->add_containers()->set_name("main");
  return x;
}

group_reply done(const std::string& action) {
  group_reply x;
  x.mutable_done()->set_action(action);
  return x;
}

group_reply elsewhere(int node) {
  group_reply x;
  x.mutable_refused()->set_code(refusal_elsewhere);
  x.mutable_refused()->set_node(id_of(node).bytes());
  return x;
}

group_reply view_of(const std::string& name) {
  group_reply x;
  *x.mutable_views()->add_views()->mutable_what() = deployment(name);
  return x;
}

/// A client of the gateway's socket.
struct played_client {
  std::vector<api_reply> heard;
  api::sink* gateway = nullptr;

  struct server final : api::server {
    explicit server(played_client& to) : to_(to) {}
    bool reply(std::uint64_t, std::string frame, bool) override {
      to_.heard.emplace_back().ParseFromString(frame);
      return true;
    }
    played_client& to_;
  };

  api::factory factory() {
    return [this](api::sink& x) -> result<std::unique_ptr<api::server>> {
      gateway = &x;
      return std::unique_ptr<api::server>{new server{*this}};
    };
  }
  void ask(const api_request& x) { gateway->request_arrived(1, x.SerializeAsString()); }
};

struct stage {
  explicit stage(int size = 4, played_client* client = nullptr) {
    for (int i = 1; i <= size; ++i) {
      auto& x = act->nodes[i];
      x.name = "legion-" + std::to_string(i);
      x.id = id_of(i);
      x.groups = [](const group_request&) { return std::nullopt; };
      handles.push_back(system.actors().spawn(node_actor, act, i));
      addresses->nodes[x.id] = caf::actor_cast<caf::strong_actor_ptr>(handles.back());
    }
    membership = system.actors().spawn(membership_actor, act);
    node_context made;
    made.self.id = id_of(1);
    made.self.name = "legion-1";
    made.seed = 3;
    made.wall_clock = [this] { return wall_ms{1'000'000} + system.now().count() / 1000; };
    made.directory = addresses;
    made.census = std::make_shared<census>();
    if (client)
      made.make_api = client->factory();
    auto spawned =
        spawn_gateway(system.actors(), std::make_shared<const node_context>(made), membership);
    REQUIRE(spawned);
    gateway = *spawned;
  }

  ~stage() {
    caf::anon_send_exit(gateway, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(membership, caf::exit_reason::user_shutdown);
    for (auto& x : handles)
      caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    pass(milliseconds{1});
    addresses->nodes.clear();
  }

  void pass(microseconds x) { system.run_until(system.now() + x); }

  api_reply ask(api_request x) {
    auto answer = std::make_shared<std::optional<api_reply>>();
    x.set_version(1);
    system.actors().spawn([=, to = gateway](caf::event_based_actor* self) {
      self->request(to, seconds{60}, x)
          .then([=](api_reply& y) { *answer = std::move(y); }, [](caf::error&) {});
    });
    auto begin = system.now();
    while (!*answer && system.now() < begin + seconds{60})
      pass(milliseconds{1});
    took = std::chrono::duration_cast<milliseconds>(system.now() - begin);
    REQUIRE(*answer);
    return **answer;
  }

  api_reply apply(const std::string& name) {
    api_request x;
    auto& file = *x.mutable_apply()->add_files();
    file.set_name("web.yaml");
    file.set_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name
                  + "}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: " + name
                  + "}}\n  template:\n    metadata: {labels: {app: " + name
                  + "}}\n    spec:\n      containers:\n      - {name: main, image: a, "
                    "command: [sleep]}\n");
    return ask(x);
  }

  api_reply get() {
    api_request x;
    x.mutable_get()->set_kind("deployments");
    x.mutable_get()->set_namespace_("default");
    return ask(x);
  }

  simulator::virtual_system system{1};
  play_ptr act = std::make_shared<play>();
  std::shared_ptr<played_directory> addresses = std::make_shared<played_directory>();
  std::vector<node_handle> handles;
  membership_handle membership;
  gateway_handle gateway;
  milliseconds took{};
};

using lines = std::vector<std::string>;

} // namespace

TEST_SUITE("scenario/gateway") {

  TEST_CASE("apply goes to the node that says it keeps the group, and its word comes back") {
    stage s;
    s.act->nodes[2].keeps = bit_of("web");
    s.act->nodes[2].groups = [](const group_request&) { return done("created"); };
    auto reply = s.apply("web");
    CHECK(s.act->transcript == lines{"legion-2 put"});
    REQUIRE(reply.results_size() == 1);
    CHECK(reply.results(0).action() == "created");
    CHECK(!reply.has_refused());
  }

  TEST_CASE("who was asked points elsewhere: it goes there, with the same request") {
    stage s;
    s.act->nodes[2].keeps = bit_of("web");
    s.act->nodes[2].groups = [](const group_request&) { return elsewhere(3); };
    s.act->nodes[3].groups = [](const group_request&) { return elsewhere(4); };
    s.act->nodes[4].groups = [](const group_request&) { return done("created"); };
    auto reply = s.apply("web");
    CHECK(s.act->transcript == lines{"legion-2 put", "legion-3 put", "legion-4 put"});
    CHECK(reply.results(0).action() == "created");
    CHECK(s.act->request_ids[0].size() == 16);
    CHECK(s.act->request_ids == lines(3, s.act->request_ids[0]));
  }

  TEST_CASE("while nobody leads, all who keep it are asked in turn, until one does") {
    stage s;
    auto tries = std::make_shared<int>(0);
    for (int i : {2, 3}) {
      s.act->nodes[i].keeps = bit_of("web");
      s.act->nodes[i].groups = [=](const group_request&) {
        return ++*tries < 6 ? elsewhere(5 - i) : done("created"); // each points at the other
      };
    }
    auto reply = s.apply("web");
    CHECK(reply.results(0).action() == "created");
    CHECK(s.act->transcript.size() == 6);
    CHECK(s.act->request_ids == lines(6, s.act->request_ids[0]));
    CHECK(s.took >= milliseconds{400}); // two pauses
  }

  TEST_CASE("nobody ever leads: nothing was changed, and that is what it says") {
    stage s;
    s.act->nodes[2].keeps = bit_of("web");
    s.act->nodes[2].groups = [](const group_request&) { return elsewhere(2); };
    auto reply = s.apply("web");
    CHECK(reply.refused().code() == refusal_unreachable);
    CHECK(reply.refused().detail().find("nothing was changed") != std::string::npos);
    CHECK(s.took < milliseconds{14000});
  }

  TEST_CASE("the keeper is down: refused at once, in plain words, and nothing is sent") {
    stage s;
    s.act->nodes[2].keeps = bit_of("web");
    s.act->nodes[2].state = member_dead;
    auto reply = s.apply("web");
    CHECK(s.act->transcript.empty());
    CHECK(reply.refused().code() == refusal_unreachable);
    CHECK(reply.refused().detail().find("legion-2, down for") != std::string::npos);
    CHECK(reply.refused().detail().find("nothing was changed") != std::string::npos);
    CHECK(s.took < milliseconds{100});
  }

  TEST_CASE("no answer: tried again under the same request id; what it came to is said") {
    stage s;
    auto tries = std::make_shared<int>(0);
    s.act->nodes[2].keeps = bit_of("web");
    s.act->nodes[2].groups = [=](const group_request&) -> std::optional<group_reply> {
      if (++*tries == 1)
        return std::nullopt;
      return done("created");
    };
    auto reply = s.apply("web");
    CHECK(s.act->transcript == lines{"legion-2 put", "legion-2 put"});
    CHECK(s.act->request_ids[0] == s.act->request_ids[1]);
    CHECK(reply.results(0).action() == "created");
    CHECK(s.took >= milliseconds{1500});
    CHECK(s.took < milliseconds{2500});
  }

  TEST_CASE("never an answer: whether it was done is unknown, and that is what it says") {
    stage s;
    s.act->nodes[2].keeps = bit_of("web");
    auto reply = s.apply("web");
    CHECK(reply.refused().code() == refusal_deadline);
    CHECK(s.act->transcript.size() == 8);
    CHECK(s.took < milliseconds{14000});
  }

  TEST_CASE("get: what several keepers say is one answer, in order") {
    stage s;
    s.act->nodes[2].keeps = bit_of("web");
    s.act->nodes[2].groups = [](const group_request&) { return view_of("web"); };
    s.act->nodes[3].keeps = bit_of("api");
    s.act->nodes[3].groups = [](const group_request&) { return view_of("api"); };
    auto reply = s.get();
    REQUIRE(reply.resources_size() == 2);
    CHECK(reply.resources(0).what().metadata().name() == "api");
    CHECK(reply.resources(1).what().metadata().name() == "web");
    CHECK(reply.notes().empty());
    std::sort(s.act->transcript.begin(), s.act->transcript.end());
    CHECK(s.act->transcript == lines{"legion-2 read", "legion-3 read"});
  }

  TEST_CASE("a client that has no answer after a second hears that the gateway is at it, once") {
    played_client client;
    stage s{4, &client};
    s.act->nodes[2].keeps = bit_of("web"); // and never answers
    api_request x;
    x.set_version(1);
    x.mutable_get()->set_kind("deployments");
    s.pass(milliseconds{10});
    client.ask(x);
    s.pass(milliseconds{990});
    CHECK(client.heard.empty());
    s.pass(milliseconds{20});
    REQUIRE(client.heard.size() == 1);
    CHECK(!client.heard[0].last());
    CHECK(client.heard[0].answered_by() == "legion-1");
    s.pass(seconds{20});
    REQUIRE(client.heard.size() == 2);
    CHECK(client.heard[1].last());
    s.act->nodes[2].groups = [](const group_request&) { return view_of("web"); };
    client.ask(x);
    s.pass(seconds{5});
    CHECK(client.heard.size() == 3); // who is answered at once hears nothing else
  }

  TEST_CASE("who watches and hears no news hears every five seconds that the gateway lives") {
    played_client client;
    stage s{4, &client};
    s.act->nodes[2].keeps = bit_of("web");
    s.act->nodes[2].groups = [](const group_request&) { return view_of("web"); };
    api_request x;
    x.set_version(1);
    x.mutable_get()->set_kind("deployments");
    x.mutable_get()->set_watch(true);
    s.pass(milliseconds{10});
    client.ask(x);
    s.pass(seconds{2});
    REQUIRE(client.heard.size() == 1);
    CHECK(client.heard[0].resources_size() == 1);
    for (std::size_t n = 2; n < 10; ++n) {
      s.pass(seconds{5});
      REQUIRE(client.heard.size() >= n - 1);
      CHECK(client.heard.size() <= n);
      CHECK((n == 2 || client.heard.back().under_way()));
      CHECK(!client.heard.back().last());
    }
  }

  TEST_CASE("get with a dead keeper: put together from the promises that other nodes hold") {
    stage s;
    s.act->nodes[2].keeps = bit_of("web");
    s.act->nodes[2].state = member_dead;
    s.act->nodes[3].keeps = bit_of("api");
    s.act->nodes[3].groups = [](const group_request&) { return view_of("api"); };
    for (int holder : {1, 4}) {
      auto& view = s.act->nodes[holder].view;
      *view.add_resources() = deployment("web");
      auto& promise = *view.add_assessments();
      *promise.mutable_of() = named("web");
      promise.mutable_slot()->set_pod("web-abc-" + std::to_string(holder));
      promise.set_node(id_of(holder).bytes());
      promise.set_phase("Running");
      promise.set_ready(true);
    }
    auto reply = s.get();
    REQUIRE(reply.resources_size() == 2);
    CHECK(!reply.resources(0).keeper_dead());
    const auto& web = reply.resources(1);
    CHECK(web.keeper_dead());
    CHECK(web.keeper_name() == "legion-2");
    CHECK(web.ready() == 2);
    CHECK(web.pods_size() == 2);
    REQUIRE(!reply.notes().empty());
    CHECK(reply.notes(0).find("legion-2, down for") != std::string::npos);
    CHECK(s.act->transcript == lines{"legion-3 read"}); // nobody asks the dead
  }
}

} // namespace legion::gateway_test
