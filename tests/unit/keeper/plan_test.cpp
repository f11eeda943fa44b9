#include <algorithm>

#include <doctest/doctest.h>

#include "actors/keeper/plan.hpp"

namespace legion::plan_test {

using namespace legion::keeper;

namespace {

node_id node(int n) {
  return node_id::from_bytes(std::string(15, 'n') + static_cast<char>('0' + n));
}

resource deployment(int replicas) {
  resource x;
  x.mutable_deployment()->set_replicas(replicas);
  return x;
}

} // namespace

TEST_SUITE("keeper/plan") {

  TEST_CASE("paused: the number of replicas is kept, whatever their templates; made so, none") {
    auto what = deployment(3);
    what.mutable_deployment()->set_paused(true);
    auto some = [](int current, int old) {
      std::vector<replica> result;
      for (int i = 0; i < current + old; ++i) {
        replica x;
        x.uid = std::to_string(i);
        x.current = i < current;
        x.assessed = x.ready = x.available = true;
        x.created_ms = 100 - i;
        x.node = node(i);
        result.push_back(x);
      }
      return result;
    };
    CHECK(plan_of(what, some(0, 3), false) == plan{});
    CHECK(plan_of(what, some(1, 2), false) == plan{});
    CHECK(plan_of(what, some(1, 1), false) == plan{{}, 1});
    CHECK(plan_of(what, some(4, 0), false) == plan{{"0"}, 0}); // the youngest
    CHECK(plan_of(what, some(2, 2), false) == plan{});         // what surged stays
    CHECK(plan_of(what, some(2, 3), false) == plan{{"2"}, 0}); // of those that are most
    auto recreate = what;
    recreate.mutable_deployment()->set_strategy("Recreate");
    CHECK(plan_of(recreate, some(0, 3), false) == plan{});
    what.mutable_deployment()->set_unstarted(true);
    CHECK(plan_of(what, {}, false) == plan{});
    what.mutable_deployment()->clear_unstarted();
    what.mutable_deployment()->set_paused(false);
    CHECK(plan_of(what, some(1, 2), false) != plan{});
  }

  TEST_CASE("surge rounds up, unavailable down, never both 0; one at a time if nothing is said") {
    struct row {
      int replicas;
      const char* surge;
      const char* unavailable;
      int expected_surge, expected_unavailable;
    };
    // Kubernetes: ResolveFenceposts.
    for (auto [replicas, surge, unavailable, s, u] : {row{3, "25%", "25%", 1, 0},
                                                      {4, "25%", "25%", 1, 1},
                                                      {10, "25%", "25%", 3, 2},
                                                      {1, "25%", "25%", 1, 0},
                                                      {0, "25%", "25%", 0, 1},
                                                      {10, "30%", "", 3, 2},
                                                      {10, "", "0%", 3, 0},
                                                      {10, "30%", "0%", 3, 0},
                                                      {10, "0%", "0%", 0, 1},
                                                      {7, "50%", "50%", 4, 3},
                                                      {10, "", "", 1, 0},
                                                      {0, "", "", 1, 0}}) {
      deployment_spec x;
      x.set_replicas(replicas);
      if (*surge)
        x.mutable_max_surge()->set_text(surge);
      if (*unavailable)
        x.mutable_max_unavailable()->set_text(unavailable);
      auto result = leeway_of(x);
      CHECK(result.surge == s);
      CHECK(result.unavailable == u);
    }
    deployment_spec x;
    x.set_replicas(10);
    x.mutable_max_surge()->set_number(2);
    x.mutable_max_unavailable()->set_number(5);
    CHECK(leeway_of(x).surge == 2);
    CHECK(leeway_of(x).unavailable == 5);
  }

  TEST_CASE("scaling down ends missing first, then unready, then on the fullest, then youngest") {
    auto one = [](const char* uid, bool missing, bool is_ready, wall_ms created, int at) {
      replica x;
      x.uid = uid;
      x.current = true;
      x.missing = missing;
      x.ready = x.available = is_ready;
      x.assessed = true;
      x.created_ms = created;
      x.node = node(at);
      return x;
    };
    std::vector<replica> xs{one("a", false, true, 1, 1),        one("b", false, true, 1, 2),
                            one("c", false, true, 1, 2),        one("young", false, true, 9, 3),
                            one("unready", false, false, 1, 3), one("missing", true, false, 1, 4)};
    std::vector<std::string> expected{"missing", "unready", "b", "young"};
    for (int n = 1; n <= 4; ++n) {
      auto next = plan_of(deployment(6 - n), xs, false);
      REQUIRE(next.end.size() == static_cast<std::size_t>(n));
      for (int i = 0; i < n; ++i)
        CHECK(next.end[static_cast<std::size_t>(i)] == expected[static_cast<std::size_t>(i)]);
    }
  }

  TEST_CASE("what ends leaves the others spread, whatever their templates") {
    auto one = [](const char* uid, bool current, wall_ms created, int at) {
      replica x;
      x.uid = uid;
      x.current = current;
      x.assessed = x.ready = x.available = true;
      x.created_ms = created;
      x.node = node(at);
      return x;
    };
    // Six as 2, 2, 2, the youngest of all on two nodes: three are to stay, one on each.
    std::vector<replica> six{one("a", true, 1, 1), one("b", true, 1, 2), one("c", true, 1, 3),
                             one("d", true, 2, 1), one("e", true, 3, 2), one("f", true, 0, 3)};
    auto ends = plan_of(deployment(3), six, false).end;
    std::sort(ends.begin(), ends.end());
    CHECK(ends == std::vector<std::string>{"c", "d", "e"});
    // A rollout: where the new one is ready, the old one goes, however old it is.
    std::vector<replica> four{one("old-a", false, 3, 1), one("old-b", false, 1, 2),
                              one("old-c", false, 2, 3), one("new", true, 9, 2)};
    CHECK(plan_of(deployment(3), four, false) == plan{{"old-b"}, 0});
  }

  TEST_CASE("unready old replicas go before ready ones, as far as enough stay available") {
    // Kubernetes: 10 wanted, 2 may be missing: of 8 ready and 2 broken old ones the broken go.
    std::vector<replica> xs;
    for (int i = 0; i < 10; ++i) {
      replica x;
      x.uid = std::to_string(i);
      x.assessed = true;
      x.ready = x.available = i < 8;
      xs.push_back(x);
    }
    auto what = deployment(10);
    what.mutable_deployment()->mutable_max_surge()->set_text("25%");
    what.mutable_deployment()->mutable_max_unavailable()->set_text("25%");
    auto next = plan_of(what, xs, false);
    CHECK(next.name == 3);
    CHECK(next.end == std::vector<std::string>{"8", "9"});
  }

  TEST_CASE("a missing old replica goes at once, unless it stands in for one that was lost") {
    auto what = deployment(2);
    auto of = [](bool current, bool missing, bool ready) {
      replica x;
      x.current = current;
      x.missing = missing;
      x.assessed = x.ready = x.available = ready;
      x.node = missing ? node_id{} : node(1);
      return x;
    };
    std::vector<replica> all{of(true, false, false), of(false, false, true),
                             of(false, true, false)};
    all[0].uid = "new";
    all[1].uid = "old";
    all[2].uid = "lost";
    CHECK(plan_of(what, all, 0) == plan{{"lost"}, 1});
    all[2].recalled = true;
    CHECK(plan_of(what, all, 0) == plan{});
    all[0].assessed = all[0].ready = all[0].available = true; // then nobody needs it
    CHECK(plan_of(what, all, 0) == plan{{"lost"}, 0});
  }

  TEST_CASE("of what is exclusive no new one is named while an old one may run") {
    auto what = deployment(2);
    auto& said =
        *what.mutable_deployment()->mutable_template_()->mutable_metadata()->add_annotations();
    said.set_key("legion.dev/exclusive");
    said.set_value("true");
    replica old;
    old.ready = old.available = old.assessed = true;
    old.node = node(1);
    auto second = old;
    old.uid = "a";
    second.uid = "b";
    CHECK(plan_of(what, {old, second}, 0) == plan{{"a", "b"}, 0});
    CHECK(plan_of(what, {}, 2) == plan{{}, 0});
    CHECK(plan_of(what, {}, 1) == plan{{}, 1});
    CHECK(plan_of(what, {}, 3) == plan{{}, 0});
    old.current = true;
    CHECK(plan_of(what, {old}, 0) == plan{{}, 1});
    CHECK(plan_of(what, {old}, 1) == plan{{}, 0});
    CHECK(plan_of(what, {old, second}, 0) == plan{{"b"}, 0});
  }

  TEST_CASE("without a strategy one at a time is replaced, the new one ready before the old goes") {
    auto what = deployment(8);
    std::vector<replica> xs(8);
    for (int i = 0; i < 8; ++i) {
      xs[static_cast<std::size_t>(i)].uid = std::to_string(i);
      xs[static_cast<std::size_t>(i)].assessed = true;
      xs[static_cast<std::size_t>(i)].ready = xs[static_cast<std::size_t>(i)].available = true;
    }
    auto next = plan_of(what, xs, false);
    CHECK(next.name == 1);
    CHECK(next.end.empty());
    replica fresh;
    fresh.uid = "new";
    fresh.current = fresh.assessed = true;
    xs.push_back(fresh);
    CHECK(plan_of(what, xs, false) == plan{});
    xs.back().ready = xs.back().available = true;
    next = plan_of(what, xs, false);
    CHECK(next.name == 0);
    CHECK(next.end.size() == 1);
  }

} // TEST_SUITE

} // namespace legion::plan_test
