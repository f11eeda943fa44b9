#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "tests/simulation/requests.hpp"

namespace legion::full_disk_test {

// The disk of who leads fills: it steps down, another leads, and who writes notices next to nothing.

namespace {

constexpr auto soon = seconds{5};

using namespace legion::simulator;

struct zone : cluster {
  explicit zone(std::uint64_t seed) : cluster(requests::sized(3, seed)) {
    start_all();
    run_for(seconds{20});
    REQUIRE(requests::all_done(ask(0, requests::apply(requests::deployment("web", 1))), 1));
    run_for(seconds{10});
  }
  /// Empty: it is done.
  std::string scale(std::uint32_t at, int replicas, seconds patience) {
    return why_not(ask(at, requests::scale("web", replicas), patience));
  }
  std::string cordon(std::uint32_t at, std::uint32_t whom, bool yes, seconds patience) {
    return why_not(ask(at, requests::cordon(node(whom).self.name, yes), patience));
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
    auto reply = ask(asked, requests::get("deployments"), seconds{5});
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
