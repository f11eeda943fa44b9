#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <optional>

#include "tests/simulation/membership/zone_model.hpp"

namespace legion::zone_test {

using simulation::zone_model;

namespace {

zone_model::setting zone_of(std::size_t nodes, std::uint64_t seed, double loss = 0.01) {
  zone_model::setting x;
  x.nodes = nodes;
  x.seed = seed;
  x.loss = loss;
  return x;
}

bool all_see(const zone_model& zone, std::size_t subject, member_state state) {
  for (std::size_t i = 0; i < zone.size(); ++i)
    if (i != subject && (!zone.knows(i, subject) || zone.seen(i, subject) != state))
      return false;
  return true;
}

/// --seed N: the only one that is run, in the cases that draw from several.
std::optional<std::uint64_t> only_seed;

std::vector<std::uint64_t> seeds(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> result;
  for (auto seed = only_seed.value_or(first); seed <= only_seed.value_or(last); ++seed)
    result.push_back(seed);
  return result;
}

/// The one command that replays this case with this seed. A comma parts two of doctest's filters.
std::string replay(std::uint64_t seed, std::string name = {}) {
  if (name.empty())
    name = doctest::getContextOptions()->currentTest->m_name;
  std::replace(name.begin(), name.end(), ',', '?');
  return "build/tests/simulation/membership/zone --seed " + std::to_string(seed) + " -tc=\"" + name
         + "\"";
}

#define LEGION_SEEDED(what, seed) CHECK_MESSAGE(what, "replay: ", replay(seed))

} // namespace

TEST_SUITE("membership/zone") {

  TEST_CASE("a seed that fails is printed as the one command that replays it") {
    CHECK(replay(7, "killed, with its connections closed")
          == "build/tests/simulation/membership/zone --seed 7 "
             "-tc=\"killed? with its connections closed\"");
    CHECK(replay(7).find("-tc=\"a seed that fails is printed") != std::string::npos);
  }

  TEST_CASE("nodes that join through one member all come to know all, and agree") {
    for (auto seed : seeds(1, 3)) {
      zone_model zone{zone_of(128, seed, 0.05)};
      auto all_alive = [&] {
        return zone.now() > time_point{} + std::chrono::hours{1} + seconds{7}
               && zone.all_see_all_alive();
      };
      LEGION_SEEDED(zone.run_until(all_alive, seconds{60}), seed);
      auto agree = [&] {
        for (std::size_t i = 1; i < zone.size(); ++i)
          if (zone.rules(i).members().digest() != zone.rules(0).members().digest())
            return false;
        return true;
      };
      LEGION_SEEDED(zone.run_until(agree, seconds{90}), seed);
    }
  }

  TEST_CASE("the last of 64 knows of a silent one within 5 s") {
    for (auto seed : seeds(1, 20)) {
      zone_model zone{zone_of(64, seed)};
      zone.run_for(seconds{30});
      zone.silence(seed);
      LEGION_SEEDED(zone.run_until([&] { return all_see(zone, seed, member_dead); }, seconds{5}),
                    seed);
    }
  }

  TEST_CASE("killed, with its connections closed: the other two know within 2.5 s") {
    for (auto seed : seeds(1, 50)) {
      zone_model zone{zone_of(3, seed)};
      zone.run_for(seconds{10} + milliseconds{37 * seed});
      zone.silence(1);
      zone.hint(0, 1);
      zone.hint(2, 1);
      LEGION_SEEDED(
          zone.run_until([&] { return all_see(zone, 1, member_dead); }, milliseconds{2500}), seed);
    }
  }

  TEST_CASE("no false death in 10^5 node-seconds at 1% loss") {
    zone_model zone{zone_of(64, 42)};
    zone.run_for(seconds{30});
    std::size_t deaths = 0;
    zone.listener = [&](const zone_model::told& t) { deaths += t.state == member_dead; };
    zone.run_for(seconds{100'000 / 64});
    CHECK(deaths == 0);
  }

  TEST_CASE("a partition is two zones of living and dead; once healed all are "
            "alive again") {
    for (std::size_t left : {1, 2, 20}) {
      zone_model zone{zone_of(left == 20 ? 40 : 3, left)};
      zone.run_for(seconds{20});
      zone.cut([&](std::size_t a, std::size_t b) { return (a < left) != (b < left); });
      zone.run_for(seconds{60});
      CHECK(zone.seen(0, zone.size() - 1) == member_dead);
      CHECK(zone.seen(zone.size() - 1, 0) == member_dead);
      CHECK(zone.seen(zone.size() - 1, zone.size() - 2)
            == (left == 2 ? member_dead : member_alive));
      zone.cut({});
      CAPTURE(left);
      CHECK(zone.run_until([&] { return zone.all_see_all_alive(); }, seconds{15}));
    }
  }

  TEST_CASE("stopped for 20 s and woken: it learns that it was called dead, "
            "and is back in 2 s") {
    for (auto seed : seeds(1, 20)) {
      zone_model zone{zone_of(3, seed)};
      zone.run_for(seconds{20} + milliseconds{53 * seed});
      zone.pause(1);
      zone.run_for(seconds{20});
      LEGION_SEEDED(zone.seen(0, 1) == member_dead, seed);
      std::size_t accused = 0;
      zone.listener = [&](const zone_model::told& t) {
        accused += t.observer == 1 && t.subject != 1 && t.state == member_dead;
      };
      zone.resume(1);
      LEGION_SEEDED(zone.run_until([&] { return zone.all_see_all_alive(); }, seconds{2}), seed);
      zone.run_for(seconds{10});
      LEGION_SEEDED(accused == 0, seed);
    }
  }

  TEST_CASE("a node that starts again is reborn, before and after it was "
            "called dead") {
    for (bool dead : {false, true}) {
      zone_model zone{zone_of(5, 9)};
      zone.run_for(seconds{20});
      zone.silence(3);
      zone.run_for(dead ? seconds{10} : milliseconds{200});
      CHECK((zone.seen(0, 3) == member_dead) == dead);
      std::vector<std::size_t> births(5);
      zone.listener = [&](const zone_model::told& t) {
        if (t.subject == 3 && t.start == 2 && t.state == member_alive)
          ++births[t.observer];
      };
      zone.restart(3, 0);
      CHECK(zone.run_until([&] { return zone.all_see_all_alive(); }, seconds{5}));
      zone.run_for(seconds{5});
      for (std::size_t i : {0, 1, 2, 4})
        CHECK(births[i] == 1);
    }
  }

  TEST_CASE("a third of the zone falls silent at once: they are all known, and "
            "nobody else") {
    zone_model zone{zone_of(60, 4)};
    zone.run_for(seconds{30});
    for (std::size_t i = 1; i <= 20; ++i)
      zone.silence(i);
    zone.run_for(seconds{20});
    for (std::size_t i = 0; i < 60; ++i)
      for (std::size_t k = 21; i == 0 || i > 20 ? k < 60 : false; ++k)
        CHECK(zone.seen(i, k) == member_alive);
    for (std::size_t k = 1; k <= 20; ++k)
      for (std::size_t i = 21; i < 60; ++i)
        CHECK(zone.seen(i, k) == member_dead);
  }

  TEST_CASE("the same seed, the same run") {
    std::string runs[2];
    for (auto& run : runs) {
      zone_model zone{zone_of(20, 5, 0.1)};
      zone.listener = [&](const zone_model::told& t) {
        run += std::to_string(t.at.time_since_epoch().count()) + " " + std::to_string(t.observer)
               + " " + std::to_string(t.subject) + " " + std::to_string(t.state) + "\n";
      };
      zone.run_for(seconds{30});
      zone.silence(7);
      zone.run_for(seconds{30});
    }
    CHECK(runs[0] == runs[1]);
    CHECK(runs[0].size() > 1000);
  }

} // TEST_SUITE

} // namespace legion::zone_test

int main(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i)
    if (std::strcmp(argv[i], "--seed") == 0)
      legion::zone_test::only_seed = std::strtoull(argv[i + 1], nullptr, 10);
  return doctest::Context{argc, argv}.run();
}
