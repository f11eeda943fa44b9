#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "runtime/simulator/cluster.hpp"

namespace legion::full_disk_test {

// The disk of who leads fills: it steps down, another leads, and who writes notices next to nothing.

namespace {

constexpr auto soon = seconds{5};

using namespace legion::simulator;

struct zone : cluster {
  explicit zone(std::uint64_t seed) : cluster(options_of(seed)) {
    start_all();
    run_for(seconds{20});
    api_request x;
    x.set_version(1);
    auto& file = *x.mutable_apply()->add_files();
    x.mutable_apply()->set_namespace_("default");
    file.set_name("web.yaml");
    file.set_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n"
                  "  replicas: 1\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n"
                  "      containers: [{name: main, command: [server]}]\n");
    auto reply = ask(0, std::move(x));
    REQUIRE((reply && !reply->has_refused()));
    run_for(seconds{10});
  }
  static cluster_options options_of(std::uint64_t seed) {
    cluster_options result;
    result.seed = seed;
    return result;
  }

  /// Empty: it is done.
  std::string scale(std::uint32_t at, int replicas, seconds patience) {
    api_request x;
    x.set_version(1);
    auto& name = *x.mutable_scale()->mutable_name();
    name.set_kind("Deployment");
    name.set_namespace_("default");
    name.set_name("web");
    x.mutable_scale()->set_replicas(replicas);
    return why_not(ask(at, std::move(x), patience));
  }
  std::string cordon(std::uint32_t at, std::uint32_t whom, bool yes, seconds patience) {
    api_request x;
    x.set_version(1);
    x.mutable_cordon()->set_node(node(whom).self.name);
    x.mutable_cordon()->set_cordoned(yes);
    return why_not(ask(at, std::move(x), patience));
  }
  static std::string why_not(const result<api_reply>& x) {
    if (!x)
      return x.why().detail;
    if (x->has_refused())
      return x->refused().detail();
    if (x->results_size() > 0 && x->results(0).has_refused())
      return x->results(0).refused().detail();
    return {};
  }

  /// Tried again and again: what is wrong after so long.
  template <class Try>
  std::string within(seconds most, Try what) {
    std::string wrong;
    run_until([&] { return (wrong = what(most)).empty(); }, most, milliseconds{100});
    return wrong;
  }

  /// Who keeps the resource, by name.
  std::string keeper(std::uint32_t asked) {
    api_request x;
    x.set_version(1);
    x.mutable_get()->set_kind("deployments");
    auto reply = ask(asked, std::move(x), seconds{5});
    return reply && reply->resources_size() == 1 ? reply->resources(0).keeper_name()
                                                 : std::string{};
  }
  std::string charter_leader(std::uint32_t asked) {
    api_request x;
    x.set_version(1);
    x.mutable_charter();
    auto reply = ask(asked, std::move(x), seconds{5});
    if (reply)
      for (const auto& y : reply->charter().members())
        if (y.leads())
          return node(*index_of(node_id::from_bytes(y.node()))).self.name;
    return {};
  }
  std::optional<std::uint32_t> named(const std::string& name) const {
    for (std::uint32_t i = 0; i < size(); ++i)
      if (node(i).self.name == name)
        return i;
    return std::nullopt;
  }

  std::size_t running() {
    std::size_t result = 0;
    for (std::uint32_t i = 0; i < size(); ++i)
      for (const auto& x : node(i).machine->processes())
        result += x.status.state() != "exited" ? 1 : 0;
    return result;
  }
};

} // namespace

TEST_SUITE("simulation/full disk") {
  TEST_CASE("another leads where the leader's disk fills, what is written is accepted, and with "
            "room it serves again") {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      CAPTURE(seed);
      zone z{seed};
      auto full = z.named(z.keeper(0));
      REQUIRE(full);
      auto other = (*full + 1) % 3;
      z.apply({{}, disturbance::kind::disk_full, {*full}, {}, 0, {}, {}});
      CHECK(z.within(soon, [&](seconds left) { return z.scale(other, 4, left); }) == "");
      CHECK(z.within(soon, [&](seconds left) { return z.scale(*full, 5, left); }) == "");
      auto now = z.named(z.keeper(other));
      REQUIRE(now);
      REQUIRE(*now != *full);
      CHECK(z.run_until([&] { return z.running() == 5; }, seconds{30}));

      // One of two that are up: without it nothing would be committed.
      z.apply({{}, disturbance::kind::disk_free, {*full}, {}, 0, {}, {}});
      z.run_for(seconds{5});
      z.crash(*now);
      auto left = 3 - *full - *now;
      CHECK(z.within(seconds{10}, [&](seconds x) { return z.scale(left, 6, x); }) == "");
      CHECK(z.within(soon, [&](seconds x) { return z.scale(*full, 3, x); }) == "");
      CHECK(z.errors().empty());
    }
  }

  TEST_CASE("another leads the charter where its leader's disk fills") {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      CAPTURE(seed);
      zone z{seed};
      auto full = z.named(z.charter_leader(0));
      REQUIRE(full);
      auto other = (*full + 1) % 3, third = (*full + 2) % 3;
      z.apply({{}, disturbance::kind::disk_full, {*full}, {}, 0, {}, {}});
      CHECK(z.within(soon, [&](seconds left) { return z.cordon(other, third, true, left); }) == "");
      auto now = z.named(z.charter_leader(other));
      REQUIRE(now);
      REQUIRE(*now != *full);

      z.apply({{}, disturbance::kind::disk_free, {*full}, {}, 0, {}, {}});
      z.run_for(seconds{5});
      z.crash(*now);
      auto left = 3 - *full - *now;
      CHECK(z.within(seconds{10}, [&](seconds x) { return z.cordon(left, third, false, x); })
            == "");
      CHECK(z.errors().empty());
    }
  }
}

} // namespace legion::full_disk_test
