#include <doctest/doctest.h>

#include "actors/group/whereabouts.hpp"
#include "messages/envelope.pb.h"
#include "messages/vocabulary.hpp"
#include "runtime/simulator/cluster.hpp"

namespace legion::authors_test {

/// What authors are promised, from the gateway to the log and back, on three whole nodes.
namespace {

using namespace legion::simulator;

std::string manifest_of(int replicas, const std::string& meta = {},
                        const std::string& command = "a") {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n" + meta
         + "spec:\n  replicas: " + std::to_string(replicas)
         + "\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n"
           "      terminationGracePeriodSeconds: 1\n      containers:\n"
           "        - name: main\n          command: ["
         + command + "]\n";
}

struct zone {
  zone() {
    cluster_options options;
    options.seed = 5;
    all.emplace(options);
    all->start_all();
    all->run_for(seconds{15});
  }
  ~zone() { all->set_watcher({}); }

  api_request apply_of(const std::string& text, const std::string& id = {}) {
    api_request x;
    x.set_version(1);
    x.set_request_id(id);
    auto& file = *x.mutable_apply()->add_files();
    file.set_name("web.yaml");
    file.set_text(text);
    x.mutable_apply()->set_namespace_("default");
    return x;
  }
  api_request scale_of(int replicas, std::uint64_t version = 0) {
    api_request x;
    x.set_version(1);
    *x.mutable_scale()->mutable_name() = web();
    x.mutable_scale()->set_replicas(replicas);
    x.mutable_scale()->set_expected_version(version);
    return x;
  }
  api_request delete_of() {
    api_request x;
    x.set_version(1);
    *x.mutable_delete_()->add_names() = web();
    return x;
  }
  static resource_name web() {
    resource_name x;
    x.set_kind("Deployment");
    x.set_namespace_("default");
    x.set_name("web");
    return x;
  }

  api_reply ask(std::uint32_t node, api_request x) {
    auto answer = all->ask(node, std::move(x), seconds{40});
    REQUIRE(answer);
    return *answer;
  }
  put_result done(std::uint32_t node, api_request x) {
    auto reply = ask(node, std::move(x));
    INFO(reply.refused().detail());
    REQUIRE(!reply.has_refused());
    REQUIRE(reply.results_size() == 1);
    return reply.results(0);
  }
  /// As its group has it.
  std::optional<kept_resource> kept(std::uint32_t node = 1) {
    api_request x;
    x.set_version(1);
    x.mutable_backup()->add_groups(value(group::group_of(web())));
    auto reply = ask(node, std::move(x));
    for (const auto& state : reply.backup().states())
      for (const auto& y : state.resources())
        if (y.what().metadata().name() == "web")
          return y;
    return {};
  }
  metadata meta() {
    auto x = kept();
    REQUIRE(x);
    return x->what().metadata();
  }
  bool settle(int replicas) {
    return all->run_until(
        [&] {
          int running = 0;
          for (std::uint32_t i = 0; i < all->size(); ++i)
            for (auto& p : all->node(i).machine->processes())
              running += p.status.state() == "running";
          return running == replicas;
        },
        seconds{30});
  }

  std::optional<cluster> all;
};

const std::string id = "0123456789abcdef";

TEST_SUITE("simulation/authors") {

  TEST_CASE("a request that is tried again through another node is applied once") {
    zone it;
    auto first = it.done(0, it.apply_of(manifest_of(2), id));
    CHECK(first.action() == "created");
    auto scaled = it.done(1, it.scale_of(3)); // somebody else, meanwhile
    auto again = it.done(2, it.apply_of(manifest_of(2), id));
    CHECK(again.action() == "created");
    CHECK(again.resource_version() == first.resource_version());
    CHECK(it.meta().resource_version() == scaled.resource_version());
    CHECK(it.kept()->what().deployment().replicas() == 3);
    // Under another id it is another request.
    CHECK(it.done(2, it.apply_of(manifest_of(2))).action() == "configured");
  }

  TEST_CASE("answers are lost: the author tries again elsewhere, and it was applied once") {
    zone it;
    it.done(0, it.apply_of(manifest_of(2)));
    auto before = it.meta();
    auto lossy = true;
    watch_cluster hooks;
    hooks.sent = [&](std::uint32_t, std::uint32_t, std::string& bytes) {
      frame what;
      if (!lossy || !what.ParseFromString(bytes))
        return true;
      auto* all = what.mutable_messages();
      for (int i = 0; i < all->size();)
        if (all->Get(i).kind() == message_kind<group_reply>)
          all->DeleteSubrange(i, 1);
        else
          ++i;
      bytes = what.SerializeAsString();
      return all->size() > 0;
    };
    it.all->set_watcher(hooks);
    // At most one of the three leads the group: through the others no answer comes.
    auto unknown = 0;
    for (std::uint32_t node = 0; node < 3; ++node) {
      auto reply = it.ask(node, it.apply_of(manifest_of(4), id));
      unknown += reply.refused().code() == refusal_deadline;
    }
    CHECK(unknown == 2);
    lossy = false;
    it.done(0, it.scale_of(1));
    auto again = it.done(2, it.apply_of(manifest_of(4), id));
    CHECK(again.action() == "configured");
    CHECK(again.generation() == before.generation() + 1);
    CHECK(it.meta().generation() == before.generation() + 2);
    CHECK(it.kept()->what().deployment().replicas() == 1);
  }

  TEST_CASE("the leader dies after it has committed: who asks again is answered by the next") {
    zone it;
    auto first = it.done(0, it.apply_of(manifest_of(2), id));
    for (std::uint32_t node = 0; node < 3; ++node) {
      it.all->crash(node);
      it.all->run_for(seconds{5});
      auto again = it.done((node + 1) % 3, it.apply_of(manifest_of(2), id));
      CHECK(again.resource_version() == first.resource_version());
      it.all->start(node);
      it.all->run_for(seconds{5});
    }
    CHECK(it.meta().generation() == 1);
  }

  TEST_CASE("what a leader could not commit may be done yet: it is not said that nothing changed") {
    auto act = [](zone& it, disturbance::kind what, std::uint32_t node) {
      disturbance x;
      x.what = what;
      x.nodes = {node};
      it.all->apply(x);
    };
    auto doubtful = 0;
    for (std::uint32_t asked = 0; asked < 3; ++asked) {
      zone it;
      it.done(0, it.apply_of(manifest_of(1)));
      auto [other, third] = std::pair{(asked + 1) % 3, (asked + 2) % 3};
      it.all->crash(third);
      it.all->run_for(seconds{14});
      act(it, disturbance::kind::wipe, other);
      if (!it.all->node(other).actors)
        it.all->start(other);
      it.all->run_for(milliseconds{500});
      auto reply = it.ask(asked, it.scale_of(2));
      REQUIRE(reply.has_refused());
      auto unknown = reply.refused().code() == refusal_deadline;
      INFO(reply.refused().detail());
      CHECK(unknown == (reply.refused().detail().find("is unknown") != std::string::npos));
      doubtful += unknown;
      it.all->start(third);
      it.all->run_for(seconds{20});
      CHECK((unknown || it.kept(asked)->what().deployment().replicas() == 1));
    }
    CHECK(doubtful > 0);
  }

  TEST_CASE("a stale update is a conflict that names both versions, through any node") {
    zone it;
    auto first = it.done(0, it.apply_of(manifest_of(1)));
    auto old = std::to_string(first.resource_version());
    auto now_it = it.done(1, it.scale_of(2, first.resource_version()));
    CHECK(now_it.resource_version() > first.resource_version());
    auto expected = "Deployment default/web is at version "
                    + std::to_string(now_it.resource_version()) + ", the request expected version "
                    + old;
    for (std::uint32_t node = 0; node < 3; ++node) {
      auto stale = "  resourceVersion: \"" + old + "\"\n";
      auto reply = it.ask(node, it.apply_of(manifest_of(5, stale)));
      CHECK(reply.refused().code() == refusal_conflict);
      CHECK(reply.refused().detail().starts_with(expected));
      reply = it.ask(node, it.scale_of(5, first.resource_version()));
      CHECK(reply.refused().code() == refusal_conflict);
      CHECK(reply.refused().detail().starts_with(expected));
    }
    auto fresh = "  resourceVersion: \"" + std::to_string(now_it.resource_version()) + "\"\n";
    CHECK(it.done(2, it.apply_of(manifest_of(5, fresh))).action() == "configured");
    CHECK(it.kept()->what().document().find("resourceVersion") == std::string::npos);
    it.done(0, it.delete_of());
    it.all->run_for(seconds{10});
    auto gone = it.ask(0, it.apply_of(manifest_of(5, fresh)));
    CHECK(gone.refused().code() == refusal_conflict);
    CHECK(gone.refused().detail().find("does not exist, the request expected version")
          != std::string::npos);
  }

  TEST_CASE("generation rises with the specification only, the version with any change") {
    zone it;
    it.done(0, it.apply_of(manifest_of(1)));
    auto first = it.meta();
    CHECK(first.generation() == 1);
    CHECK(it.done(1, it.apply_of(manifest_of(1))).action() == "unchanged");
    CHECK(it.meta().resource_version() == first.resource_version());
    it.done(1, it.apply_of(manifest_of(1, "  labels: {tier: front}\n")));
    auto second = it.meta();
    CHECK(second.generation() == 1);
    CHECK(second.resource_version() > first.resource_version());
    it.done(2, it.apply_of(manifest_of(1, "  labels: {tier: front}\n", "b")));
    auto third = it.meta();
    CHECK(third.generation() == 2);
    CHECK(third.uid() == first.uid());
    CHECK(third.created_ms() == first.created_ms());
    it.done(0, it.delete_of());
    it.all->run_for(seconds{10});
    it.done(0, it.apply_of(manifest_of(1)));
    CHECK(it.meta().generation() == 1);
    CHECK(it.meta().uid() != first.uid());
    CHECK(it.meta().resource_version() > third.resource_version());
  }

  TEST_CASE("a deletion leaves a tombstone until every holder has released") {
    zone it;
    it.done(0, it.apply_of(manifest_of(6)));
    REQUIRE(it.settle(6));
    std::uint32_t holder = 2;
    REQUIRE(it.all->node(holder).machine->processes().size() > 0);
    it.all->crash(holder); // what it runs goes on
    it.all->run_for(seconds{1});
    CHECK(it.done(0, it.delete_of()).action() == "deleted");
    it.all->run_for(seconds{20});
    auto tombstone = it.kept();
    REQUIRE(tombstone);
    CHECK(tombstone->deleting());
    REQUIRE(tombstone->slots_size() > 0);
    for (const auto& x : tombstone->slots())
      CHECK(x.node() == it.all->node(holder).self.id.bytes());
    CHECK(it.all->node(holder).machine->processes().size() > 0);
    it.all->start(holder);
    CHECK(it.settle(0));
    it.all->run_for(seconds{10});
    CHECK(!it.kept());
    CHECK(it.all->errors().empty());
  }

} // TEST_SUITE

} // namespace

} // namespace legion::authors_test
