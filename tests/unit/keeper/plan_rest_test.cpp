#include <algorithm>

#include <doctest/doctest.h>

#include "actors/keeper/plan.hpp"

// What a plan leads to: its steps are taken until nothing is left to do.

namespace legion::plan_rest_test {

using namespace legion::keeper;

namespace {

struct counts {
  int ready = 0;
  int unready = 0;

  friend bool operator==(const counts&, const counts&) = default;
};

resource deployment(int replicas, int surge, int unavailable) {
  resource x;
  x.mutable_deployment()->set_replicas(replicas);
  x.mutable_deployment()->mutable_max_surge()->set_number(surge);
  x.mutable_deployment()->mutable_max_unavailable()->set_number(unavailable);
  return x;
}

/// Replicas of an earlier template, which gets ready, and of the newest, which may never.
struct played {
  resource what;
  bool serves = false; // the newest
  std::vector<replica> all = {};
  int steps = 0;
  int next = 0;
  int fewest = 0; // were available at any time

  void add(bool current, bool ready, bool missing = false, const std::string& earlier = "a") {
    replica x;
    x.uid = std::to_string(next++);
    x.current = current;
    x.missing = x.recalled = missing;
    x.assessed = !missing;
    x.ready = x.available = ready;
    x.created_ms = next;
    if (!current)
      x.earlier = earlier;
    if (!missing)
      x.node = node_id::from_bytes(std::string(15, 'n') + static_cast<char>('0' + next % 3));
    all.push_back(x);
  }

  void have(counts old, counts current) {
    for (int i = 0; i < old.ready + old.unready; ++i)
      add(false, i < old.ready);
    for (int i = 0; i < current.ready + current.unready; ++i)
      add(true, i < current.ready);
  }

  int available() const {
    return static_cast<int>(
        std::count_if(all.begin(), all.end(), [](const replica& x) { return x.available; }));
  }

  counts of(bool current) const {
    counts result;
    for (const auto& x : all)
      if (x.current == current)
        ++(x.ready ? result.ready : result.unready);
    return result;
  }

  /// Who was named is placed, heard of, and ready if its template ever is, each a step later.
  bool goes_on() {
    for (auto& x : all) {
      auto ready = x.assessed && !x.ready && x.recalled && (!x.current || serves);
      auto moves = x.missing || !x.assessed || ready;
      if (!moves)
        continue;
      if (!x.missing && !x.assessed)
        x.assessed = true;
      else if (ready)
        x.ready = x.available = true;
      x.missing = false;
      return true;
    }
    return false;
  }

  /// Until nothing is left to do.
  void rest() {
    fewest = available();
    for (; steps < 200; ++steps) {
      auto then = plan_of(what, all, 0);
      auto ended = std::erase_if(all, [&](const replica& x) {
        return std::find(then.end.begin(), then.end.end(), x.uid) != then.end.end();
      });
      if (ended != then.end.size())
        FAIL_CHECK("one ends twice");
      for (int i = 0; i < then.name; ++i)
        add(then.of.empty(), false, true);
      fewest = std::min(fewest, available());
      if (!goes_on() && then == plan{})
        break;
    }
    CHECK(steps < 200);
  }
};

} // namespace

TEST_SUITE("keeper/plan at rest") {

  TEST_CASE("a rollout that is stuck and is scaled keeps to its surge, and what serves") {
    struct row {
      counts old, current;
      int wanted, surge, unavailable;
      counts then_old, then_current;
    };
    for (auto x : {
             row{{4, 0}, {0, 1}, 6, 1, 0, {4, 0}, {0, 3}},
             row{{4, 0}, {0, 3}, 2, 1, 0, {2, 0}, {0, 1}},
             row{{4, 0}, {0, 1}, 2, 1, 0, {2, 0}, {0, 1}},
             row{{4, 0}, {0, 3}, 2, 0, 1, {1, 0}, {0, 1}},
             row{{4, 0}, {0, 3}, 3, 2, 1, {2, 0}, {0, 3}},
             row{{4, 0}, {0, 3}, 0, 1, 0, {0, 0}, {0, 0}},
             row{{3, 1}, {0, 2}, 2, 1, 0, {2, 0}, {0, 1}},
             row{{4, 0}, {1, 3}, 3, 1, 0, {2, 0}, {1, 1}},
         }) {
      CAPTURE(x.wanted);
      CAPTURE(x.surge);
      played p{deployment(x.wanted, x.surge, x.unavailable)};
      p.have(x.old, x.current);
      p.rest();
      CHECK(p.of(false) == x.then_old);
      CHECK(p.of(true) == x.then_current);
    }
  }

  TEST_CASE("what is too many for the surge is the youngest that does not serve; who was not heard "
            "of may serve") {
    played p{deployment(2, 1, 0)};
    p.have({2, 0}, {0, 2});
    CHECK(plan_of(p.what, p.all, 0) == plan{{"3"}, 0});
    p.all[2].node = p.all[3].node;
    p.all[2].ready = true; // for a moment
    CHECK(plan_of(p.what, p.all, 0) == plan{{"3"}, 0});
    p.all[2].ready = false;
    p.all[2].assessed = p.all[3].assessed = false;
    CHECK(plan_of(p.what, p.all, 0) == plan{});
  }

  TEST_CASE("scaled down, who is available goes after who is only ready") {
    played p{deployment(1, 1, 0)};
    p.have({0, 0}, {2, 0});
    p.all[0].available = false;
    CHECK(plan_of(p.what, p.all, 0) == plan{{"0"}, 0});
  }

  TEST_CASE("paused in the middle of a rollout: both stay, and what is added serves") {
    struct row {
      counts old, current;
      int wanted, surge;
      int then_old, then_current;
    };
    for (auto x : {
             row{{2, 0}, {0, 1}, 2, 1, 2, 1}, // as the pause found them
             row{{3, 0}, {1, 0}, 4, 1, 3, 1},
             row{{3, 0}, {0, 1}, 4, 0, 3, 1},
             row{{2, 0}, {0, 1}, 4, 1, 4, 1}, // scaled up
             row{{2, 0}, {0, 1}, 4, 0, 3, 1},
             row{{2, 0}, {0, 0}, 4, 1, 4, 0},
             row{{1, 0}, {2, 0}, 4, 1, 1, 3},
             row{{2, 0}, {2, 0}, 5, 1, 2, 3}, // as many: the newer
             row{{0, 2}, {0, 1}, 4, 1, 2, 3}, // none is ready: the newest
             row{{0, 0}, {0, 1}, 3, 1, 0, 3},
             row{{2, 0}, {0, 1}, 1, 1, 1, 0}, // scaled down
             row{{4, 0}, {1, 0}, 3, 1, 3, 1}, // the few stay
             row{{4, 0}, {3, 0}, 2, 1, 1, 2},
             row{{3, 0}, {0, 2}, 0, 2, 0, 0},
         }) {
      CAPTURE(x.wanted);
      CAPTURE(x.then_old);
      CAPTURE(x.then_current);
      played p{deployment(x.wanted, x.surge, 1)};
      p.what.mutable_deployment()->set_paused(true);
      p.have(x.old, x.current);
      p.rest();
      CHECK(p.of(false).ready + p.of(false).unready == x.then_old);
      CHECK(p.of(true).ready + p.of(true).unready == x.then_current);
    }
  }

  TEST_CASE(
      "paused: a template that is not kept makes nothing; until one is heard of, most count") {
    played p{deployment(4, 1, 0)};
    p.what.mutable_deployment()->set_paused(true);
    p.have({2, 0}, {0, 1});
    CHECK(plan_of(p.what, p.all, 0) == plan{{}, 2, "a"});
    for (auto& x : p.all)
      x.assessed = x.ready = x.available = false;
    CHECK(plan_of(p.what, p.all, 0) == plan{{}, 1, "a"}); // after a change of keepers
    p.all[2].assessed = p.all[2].ready = true;
    CHECK(plan_of(p.what, p.all, 0) == plan{{}, 1, ""});
    p.all[2].ready = false;
    for (auto& x : p.all)
      x.earlier.clear();
    CHECK(plan_of(p.what, p.all, 0) == plan{{}, 1, ""});
  }

  TEST_CASE("paused, exclusive or with Recreate: never more than wanted") {
    for (auto exclusive : {false, true}) {
      played p{deployment(2, 1, 0)};
      auto& spec = *p.what.mutable_deployment();
      spec.set_paused(true);
      if (exclusive) {
        auto& said = *spec.mutable_template_()->mutable_metadata()->add_annotations();
        said.set_key("legion.dev/exclusive");
        said.set_value("true");
      } else {
        spec.set_strategy("Recreate");
      }
      CHECK(plan_of(p.what, {}, 1) == plan{{}, exclusive ? 1 : 0});
      p.have({2, 0}, {0, 1});
      CHECK(plan_of(p.what, p.all, 0) == plan{{"2"}, 0});
      p.all.pop_back();
      CHECK(plan_of(p.what, p.all, 1) == plan{});
      p.all.pop_back();
      CHECK(plan_of(p.what, p.all, 1) == plan{}); // until who ended is gone
      CHECK(plan_of(p.what, p.all, 0).name == 1);
    }
  }

  TEST_CASE("whatever is there and wanted, it comes to rest within the bounds") {
    auto cases = 0;
    for (int code = 0; code < 3 * 3 * 3 * 3 * 4 * 3 * 2 * 2 * 2 * 2; ++code) {
      auto left = code;
      auto digit = [&](int n) {
        auto result = left % n;
        left /= n;
        return result;
      };
      counts old{digit(3), digit(3)}, current{digit(3), digit(3)};
      auto wanted = digit(4);
      auto surge = digit(3);
      auto unavailable = digit(2);
      auto serves = digit(2) == 1;
      auto paused = digit(2) == 1;
      auto recreate = digit(2) == 1;
      if (surge + unavailable == 0)
        continue;
      played p{deployment(wanted, surge, unavailable), serves};
      p.what.mutable_deployment()->set_paused(paused);
      if (recreate)
        p.what.mutable_deployment()->set_strategy("Recreate");
      p.have(old, current);
      auto before = p.available();
      p.rest();
      auto have = static_cast<int>(p.all.size());
      auto most = wanted == 0 || recreate ? wanted : wanted + surge;
      auto enough = paused ? wanted : recreate ? 0 : wanted - unavailable;
      if (have < wanted || have > most || p.fewest < std::min(before, enough) || p.steps >= 200)
        FAIL_CHECK("old " << old.ready << "+" << old.unready << " current " << current.ready << "+"
                          << current.unready << " wanted " << wanted << " surge " << surge
                          << " unavailable " << unavailable << " serves " << serves << " paused "
                          << paused << " recreate " << recreate << ": have " << have << ", fewest "
                          << p.fewest << ", steps " << p.steps);
      ++cases;
    }
    CHECK(cases > 1000);
  }

} // TEST_SUITE

} // namespace legion::plan_rest_test
