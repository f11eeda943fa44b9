#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/simulation/requests.hpp"

/// One disk goes back in time, and those who could tell were started again since.
namespace legion::old_journal_test {

namespace {

using namespace legion::simulator;
using std::chrono::microseconds;

void act(cluster& z, disturbance::kind what, std::uint32_t node) {
  disturbance x;
  x.what = what;
  x.nodes = {node};
  z.apply(x);
}

constexpr int names = 24; // of as many groups, nearly: each elects for itself

bool apply(cluster& z, std::uint32_t at, const std::string& version) {
  std::string text;
  for (int i = 0; i < names; ++i)
    text += requests::deployment("x" + std::to_string(i), 0, {}, "server, \"" + version + "\"");
  return requests::all_done(z.ask(at, requests::apply(text), seconds{20}), names);
}

/// The version that is answered; of several the older. Empty: none is, or not of all.
std::string read(cluster& z, std::uint32_t at, microseconds patience = seconds{20}) {
  auto reply = z.ask(at, requests::get("deployments"), patience);
  if (!reply)
    return {};
  std::string result;
  for (const auto& y : reply->resources())
    if (auto version = y.what().deployment().template_().spec().containers(0).command(1);
        result != "old")
      result = version;
  return result == "old" || (!reply->incomplete() && reply->resources_size() == names)
             ? result
             : std::string{};
}

/// Three nodes that keep all names, in their old version.
struct zone : cluster {
  explicit zone(std::uint64_t seed) : cluster(requests::sized(3, seed)) {
    start_all();
    run_for(seconds{20});
    REQUIRE(old_journal_test::apply(*this, 0, "old"));
  }
};

} // namespace

TEST_SUITE("simulation/old journal") {

  TEST_CASE("a journal that was put back is known by who was started again since") {
    zone z{5};
    z.run_for(seconds{20});
    act(z, disturbance::kind::copy, 0);
    for (int i = 0; i < 3; ++i) {
      z.crash(0);
      z.start(0);
      z.run_for(seconds{20});
    }
    z.crash(1);
    z.start(1);
    z.run_for(seconds{20});
    z.crash(1);
    REQUIRE(apply(z, 0, "new")); // by the first and the third
    z.run_for(seconds{5});
    z.crash(0);
    z.crash(2);
    act(z, disturbance::kind::put_back, 0);
    z.start(0);
    z.start(1);
    z.run_for(seconds{30});
    for (std::uint32_t i : {0, 1})
      CHECK(read(z, i) != "old"); // two of three that know less are no quorum
    z.start(2);
    z.run_for(seconds{60});
    for (std::uint32_t i : {0, 1, 2})
      CHECK(read(z, i) == "new");
  }

  TEST_CASE("two disks that were put back together are no quorum beside a third that knows more") {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      CAPTURE(seed);
      zone z{seed};
      z.run_for(seconds{20});
      act(z, disturbance::kind::copy, 0);
      act(z, disturbance::kind::copy, 1);
      if (seed % 2 == 0) // else the copies are of this very life
        for (std::uint32_t i : {0, 1}) {
          z.crash(i);
          z.start(i);
          z.run_for(seconds{10});
        }
      REQUIRE(apply(z, 2, "new"));
      z.run_for(seconds{5});
      z.crash(0);
      z.crash(1);
      act(z, disturbance::kind::put_back, 0);
      act(z, disturbance::kind::put_back, 1);
      z.start(0);
      z.start(1);
      for (int i = 0; i < 40; ++i) {
        for (std::uint32_t at : {0, 1, 2})
          CHECK(read(z, at, milliseconds{200}) != "old");
        z.run_for(milliseconds{100});
      }
      // Two of three disks are lost, and so each says; what the third has is all there is.
      z.run_for(seconds{15});
      api_request x;
      x.set_version(1);
      x.mutable_rebuild_charter();
      REQUIRE(z.ask(2, x, seconds{60}));
      x.mutable_rebuild();
      REQUIRE(z.ask(2, x, seconds{90}));
      CHECK(z.run_until([&] { return read(z, 0, seconds{1}) == "new"; }, seconds{60}));
    }
  }

  TEST_CASE("a copy of the very life that it is put back to is known by how far its journal was") {
    zone z{3};
    z.run_for(seconds{20});
    act(z, disturbance::kind::copy, 0);
    REQUIRE(apply(z, 2, "new"));
    z.run_for(seconds{5});
    auto before = z.node(0).disk->id();
    auto told = 0;
    z.log().write_to([&](std::string_view line) {
      told += line.find("rows before what was said from it") != line.npos;
    });
    z.crash(0);
    act(z, disturbance::kind::put_back, 0);
    z.start(0);
    CHECK(z.run_until([&] { return z.node(0).disk->id() != before; }, seconds{20}));
    CHECK(told > 0); // no start or life is told twice, and no leader had to notice
    z.log().write_to(nullptr);
    CHECK(z.run_until([&] { return read(z, 0, seconds{1}) == "new"; }, seconds{60}));
  }

  TEST_CASE(
      "after all nodes were killed the zone goes on at once, and so it does with two of three") {
    for (std::uint32_t back : {2u, 3u}) {
      CAPTURE(back);
      zone z{7};
      for (std::uint32_t i : {0, 1, 2})
        z.crash(i);
      for (std::uint32_t i = 0; i < back; ++i)
        z.start(i);
      CHECK(z.run_until([&] { return read(z, 0) == "old"; }, seconds{6}, milliseconds{100}));
    }
  }

} // TEST_SUITE

} // namespace legion::old_journal_test
