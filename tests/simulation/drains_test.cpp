#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <random>

#include "tests/simulation/requests.hpp"

namespace legion::drains_test {

// Several nodes of a zone are drained at the same moment, as before its machines are serviced: those
// that stay have a quorum of everything, at once.

namespace {

using namespace legion::simulator;

constexpr int names = 150; // so that each of the 64 groups keeps some

/// Of all names, each asking for `replicas`.
std::string file_of(int replicas) {
  auto paused = std::string{"  paused: "} + (replicas == 2 ? "true" : "false") + "\n";
  std::string result;
  for (int i = 0; i < names; ++i)
    result += requests::deployment("app" + std::to_string(i), i % 30 == 0 ? replicas : 0, paused);
  return result;
}

struct zone {
  zone(std::uint32_t nodes, std::uint64_t seed) : all(requests::sized(nodes, seed)), random(seed) {
    all.start_all();
    all.run_for(seconds{20});
    REQUIRE(apply(0, 1, seconds{30}));
    all.run_for(seconds{100}); // the groups have moved to where they belong
  }

  /// All of it is committed.
  bool apply(std::uint32_t at, int replicas, std::chrono::microseconds patience) {
    return requests::all_done(all.ask(at, requests::apply(file_of(replicas)), patience), names);
  }

  bool cordon(std::uint32_t at, std::uint32_t what) {
    auto reply = all.ask(at, requests::cordon(all.node(what).self.name, true), seconds{10});
    return reply && !reply->has_refused();
  }

  /// `count` of them within `apart` of each other; those that stay. Their notes go to `notes`.
  std::vector<std::uint32_t> drain(std::size_t count, milliseconds apart) {
    std::vector<std::uint32_t> nodes(all.size());
    for (std::uint32_t i = 0; i < all.size(); ++i)
      nodes[i] = i;
    std::shuffle(nodes.begin(), nodes.end(), random);
    for (std::size_t i = 0; i < count; ++i) {
      all.drain(nodes[i], [this](const std::string& note) { notes.push_back(note); });
      all.run_for(apart);
    }
    nodes.erase(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(count));
    return nodes;
  }

  cluster all;
  std::mt19937_64 random;
  std::vector<std::string> notes;
};

TEST_SUITE("simulation/drains") {

  TEST_CASE("several nodes drained at the same moment leave the others with a quorum") {
    struct trial {
      std::uint32_t nodes;
      std::size_t drained;
      milliseconds apart;
    };
    for (auto t : {trial{5, 2, milliseconds{0}}, trial{5, 3, milliseconds{0}},
                   trial{6, 2, milliseconds{100}}, trial{7, 4, milliseconds{0}},
                   trial{4, 2, milliseconds{300}}, trial{3, 2, milliseconds{0}}})
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        CAPTURE(t.nodes);
        CAPTURE(t.drained);
        CAPTURE(seed);
        zone z{t.nodes, seed};
        auto stay = z.drain(t.drained, t.apart);
        REQUIRE(z.all.run_until([&] { return z.notes.size() == t.drained; }, seconds{60}));
        for (const auto& note : z.notes)
          CHECK(note == "");
        z.all.run_for(seconds{1});
        CHECK(z.apply(stay.front(), 2, seconds{15}));
        CHECK(z.cordon(stay.front(), stay.back()));
        z.all.run_for(seconds{20});
        auto pods = z.all.ask(stay.front(), requests::get("pods"));
        REQUIRE(pods);
        for (const auto& of : pods->resources()) // who left has ended what it ran
          for (const auto& pod : of.pods())
            CHECK_FALSE(pod.node_dead());
      }
  }

  TEST_CASE("where all are drained each says what stops with it") {
    zone z{3, 4};
    CHECK(z.drain(3, milliseconds{0}).empty());
    REQUIRE(z.all.run_until([&] { return z.notes.size() == 3; }, seconds{60}));
    // Who is first may be told that two stay, for so it was.
    auto said = [&](const char* what) {
      return std::count_if(z.notes.begin(), z.notes.end(),
                           [&](const std::string& x) { return x.find(what) != x.npos; });
    };
    CHECK(said("what 64 keeper groups keep is not repaired") >= 2);
    CHECK(said("The zone's charter needs this node") >= 2);
  }

} // TEST_SUITE

} // namespace

} // namespace legion::drains_test
