#include "tests/unit/keeper/rollout_world.hpp"

namespace legion::rollout_paused_test {

using namespace legion::keeper;
using namespace legion::rollout_world;

namespace {

resource paused(resource x) {
  x.mutable_deployment()->set_paused(true);
  return x;
}

/// Of which template, in whatever state but ending.
int count(const world& w, const std::string& image) {
  auto result = 0;
  for (const auto& x : w.pods("bound"))
    result += x.slot().revision() == revision_of(deployment(1, image)) ? 1 : 0;
  return result;
}

std::vector<std::string> reasons(const world& w) {
  std::vector<std::string> result;
  for (const auto& x : w.journal)
    if (x.has_ended())
      result.push_back(x.ended().reason());
  return result;
}

/// So many of "a" are ready, and one of "b", which took its place, never is.
struct stuck : world {
  explicit stuck(int replicas) : world{deployment(replicas)} {
    all_ready();
    put(deployment(replicas, "b"));
    unready();
    REQUIRE(count(*this, "a") == replicas);
    REQUIRE(count(*this, "b") == 1);
  }

  /// All that is of "a" is ready, nothing of "b" is.
  void unready() {
    for (int i = 0; i < 10; ++i) {
      for (const auto& x : pods("bound"))
        ready(x, x.slot().revision() == revision_of(deployment(1)));
      pass(seconds{1});
    }
  }
};

} // namespace

TEST_SUITE("keeper/rollout paused") {

  TEST_CASE("paused in the middle of a rollout: nothing ends, and a scale makes what serves") {
    stuck w{2};
    w.put(paused(deployment(2, "b")));
    w.unready();
    CHECK(count(w, "a") == 2);
    CHECK(count(w, "b") == 1);
    CHECK(reasons(w).empty());
    SUBCASE("its keeper hears of them") {}
    SUBCASE("another keeper has not heard of any yet") {
      auto kept = w.rules->kept();
      w.rules.emplace(kept, group_id{1}, node(0), 2, 8, w.at());
      w.act(w.rules->on_members(w.members, w.at()));
    }
    w.put(paused(deployment(4, "b")));
    w.unready();
    CHECK(count(w, "a") == 4);
    CHECK(count(w, "b") == 1);
    CHECK(reasons(w).empty());
    CHECK(w.calls.back().what.template_().spec().containers(0).image() == "a");
    CHECK(w.accepts.back().what.what().deployment().template_().spec().containers(0).image()
          == "a");
    CHECK(w.view().updated() == 1);
    CHECK(w.view().ready() == 4);
    CHECK(w.view().revision() == revision_of(deployment(1, "b")));
    CHECK(!w.rules->due(w.now)); // at rest
    // It goes on where it was.
    w.put(deployment(4, "b"));
    w.unready();
    CHECK(count(w, "a") == 4);
    CHECK(count(w, "b") == 1);
    for (int i = 0; i < 6; ++i) {
      w.all_ready();
      w.pass(seconds{10});
    }
    CHECK(count(w, "a") == 0);
    CHECK(count(w, "b") == 4);
    for (const auto& x : reasons(w))
      CHECK(x == "replaced by a newer template");
  }

  TEST_CASE("paused in the middle of a rollout and scaled down: what does not serve goes first") {
    stuck w{4};
    w.put(paused(deployment(2, "b")));
    w.unready();
    CHECK(count(w, "a") == 2);
    CHECK(count(w, "b") == 0);
    for (const auto& x : reasons(w))
      CHECK(x == "scaled down");
    w.put(paused(deployment(3, "b"))); // what is left is of "a"
    w.unready();
    CHECK(count(w, "a") == 3);
    CHECK(count(w, "b") == 0);
    // What is lost comes back once, though there is room for what would surge.
    auto named = [&] {
      auto result = 0;
      for (const auto& x : w.journal)
        result += x.named().slots_size();
      return result;
    };
    auto before = named();
    auto lost = static_cast<int>(w.on(1).size());
    REQUIRE(lost > 0);
    w.member(1, member_dead);
    w.unready();
    CHECK(count(w, "a") == 3);
    CHECK(named() == before + lost);
    w.put(deployment(3, "b"));
    w.unready();
    CHECK(count(w, "a") == 3);
    CHECK(count(w, "b") == 1);
  }

  TEST_CASE("paused in the middle of a rollout: what is lost comes back as it was") {
    stuck w{3};
    w.put(paused(deployment(3, "b")));
    w.member(2, member_dead);
    w.unready();
    CHECK(count(w, "a") == 3);
    CHECK(count(w, "b") <= 1);
    CHECK(w.view().ready() == 3);
  }

  TEST_CASE("a rollout that is stuck, scaled up and down: at most its surge above") {
    stuck w{4};
    w.put(deployment(6, "b"));
    w.unready();
    CHECK(count(w, "a") == 4);
    CHECK(count(w, "b") == 3);
    w.put(deployment(2, "b"));
    w.unready();
    CHECK(count(w, "a") == 2);
    CHECK(count(w, "b") == 1);
    CHECK(!w.rules->due(w.now));
    std::vector<std::string> told;
    auto view = w.view();
    for (const auto& x : view.events())
      if (x.reason() == "Ended")
        told.push_back(x.message());
    CHECK(std::count(told.begin(), told.end(), "scaled down") == 2);
    CHECK(std::count(told.begin(), told.end(), "replaced by a newer template") == 2);
  }

} // TEST_SUITE

} // namespace legion::rollout_paused_test
