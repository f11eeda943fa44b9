#include <doctest/doctest.h>

#include "tests/simulation/trial.hpp"

namespace legion::trial_test {

namespace {

using namespace legion::simulator;
using legion::broken_rule;

trial_options options_of(std::uint64_t seed) {
  trial_options result;
  result.seed = seed;
  result.nodes = static_cast<std::uint32_t>(3 + seed % 5);
  return result;
}

std::string text_of(const trial_options& options, const trial_outcome& x) {
  std::string result = "replay: " + command_of(options) + " --log\n";
  for (auto& v : x.violations)
    result += time_text(v.time) + " " + v.checker + ": " + v.what + "\n";
  for (auto& e : x.errors)
    result += e + "\n";
  return result;
}

bool caught_by(const trial_outcome& x, const char* checker) {
  for (auto& v : x.violations)
    if (v.checker == checker)
      return true;
  return false;
}

TEST_SUITE("simulation") {
  TEST_CASE("seeds that gate every change") {
    // Some were chosen because they once failed.
    for (std::uint64_t seed : {1, 2, 3, 4, 5, 10, 31, 48, 50, 54, 58}) {
      auto options = options_of(seed);
      auto x = run_trial(options);
      CHECK_MESSAGE(x.good(), text_of(options, x));
      CHECK(x.promises > 0);
    }
  }

  TEST_CASE("the same seed gives the same event log, byte for byte") {
    auto log_of = [](std::uint64_t seed) {
      auto options = options_of(seed);
      std::string log;
      options.log = [&](std::string_view line) { log += std::string(line) + "\n"; };
      auto x = run_trial(options);
      return log + std::to_string(x.digest); // of every frame, too
    };
    CHECK(log_of(11) == log_of(11));
    CHECK(log_of(11) != log_of(12));
  }

  TEST_CASE("the command that replays a trial names all that decided it") {
    trial_options x;
    x.seed = 9;
    x.nodes = 4;
    x.trouble = std::chrono::seconds{11};
    x.incidents = 2;
    x.settling = std::chrono::seconds{40};
    x.away = std::chrono::seconds{5};
    x.blackouts = 3;
    x.old_copies = 1;
    x.sabotage = sabotage::silent_kill;
    CHECK(command_of(x)
          == "build/tests/simulation/simulation --seed 9 --nodes 4 --virtual-seconds 11"
             " --incidents 2 --settling 40 --blackouts 3 --old-copies 1 --away 5 --sabotage "
                 + std::string{to_string(sabotage::silent_kill)});
  }

  TEST_CASE("two of five nodes that were away for an hour come back, and all is as wanted") {
    auto options = options_of(2);
    options.trouble = std::chrono::seconds{0};
    options.away = std::chrono::hours{1};
    auto x = run_trial(options);
    CHECK_MESSAGE(x.good(), text_of(options, x));
    CHECK(x.took > std::chrono::hours{1});
  }

  // Found by seed 1: each refused connection to a dead member caused the next ping to it.
  TEST_CASE("a dead member causes no storm of frames") {
    cluster_options options;
    options.nodes = 5;
    cluster x{options};
    x.start_all();
    x.run_for(std::chrono::seconds{10});
    x.crash(1);
    x.run_for(std::chrono::seconds{10});
    auto before = x.network().counts().frames;
    x.run_for(std::chrono::seconds{20});
    CHECK(x.network().counts().frames - before < 1000); // 4 nodes; 50,000 when it was broken
  }

  // The rules of consensus are broken in consensus_faults; these are the keeper's, the group's and
  // the node's.
  TEST_CASE("each rule that is broken in keepers, groups and nodes is caught") {
    struct row {
      broken_rule what;
      sabotage occasion; // good by itself: the rule holds against it
      const char* checker;
    };
    for (auto& x : {row{broken_rule::silence_is_no_answer, sabotage::lost_answers, "slots"},
                    row{broken_rule::highest_order_holds, sabotage::stale_orders, "order"},
                    row{broken_rule::requests_count_once, sabotage::late_copies, "acknowledged"}}) {
      auto options = options_of(2);
      options.trouble = std::chrono::seconds{0};
      options.settling = std::chrono::seconds{40};
      options.sabotage = x.occasion;
      auto held = run_trial(options);
      CHECK_MESSAGE(held.good(), text_of(options, held));
      options.broken = x.what;
      auto outcome = run_trial(options);
      CHECK_MESSAGE(caught_by(outcome, x.checker), to_string(x.occasion), ": ",
                    text_of(options, outcome));
    }
  }

  TEST_CASE("a slot that is called anew on silence is caught in common trouble, too") {
    auto caught = 0;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      auto options = options_of(seed);
      options.broken = broken_rule::silence_is_no_answer;
      caught += caught_by(run_trial(options), "slots") ? 1 : 0;
    }
    CHECK(caught > 0);
  }

  // Chosen because each once failed: zones that stayed apart, a copy that lived on beside its zone, a
  // promise that came back on disk after its end. Not every seed can hold with an old copy: whose last
  // vote nobody else knows may give it again (legion-node has journal.mark against that).
  TEST_CASE("all nodes killed at once, and journals that are old copies") {
    auto check = [](std::uint64_t seed, std::uint32_t blackouts, std::uint32_t old_copies) {
      auto options = options_of(seed);
      options.blackouts = blackouts;
      options.old_copies = old_copies;
      auto x = run_trial(options);
      CHECK_MESSAGE(x.good(), text_of(options, x));
    };
    for (std::uint64_t seed : {51, 58, 9})
      check(seed, 2, 0);
    for (std::uint64_t seed : {14, 25, 46, 48, 51, 55, 81, 216})
      check(seed, 0, 1);
    check(1, 1, 1);
  }

  TEST_CASE(
      "nodes that all start again on two sides of a cut find together once it heals, and would "
      "not by their first joins alone") {
    auto apart = [](std::uint64_t seed, broken_rule broken) {
      cluster_options options;
      options.seed = seed;
      options.nodes = 6;
      options.broken = broken;
      cluster x{options};
      x.start_all();
      x.run_for(std::chrono::seconds{10});
      for (std::uint32_t i = 0; i < 6; ++i)
        x.crash(i);
      disturbance cut;
      cut.what = disturbance::kind::partition;
      cut.sides = {{0, 1, 2}, {3, 4, 5}};
      x.apply(cut);
      for (std::uint32_t i = 0; i < 6; ++i)
        x.start(i);
      x.run_for(std::chrono::seconds{20});
      cut.what = disturbance::kind::heal;
      cut.sides.clear();
      x.apply(cut);
      x.run_for(std::chrono::seconds{100});
      for (std::uint32_t i = 0; i < 6; ++i)
        if (auto known = x.members(i); !known || known->members.size() < 6)
          return true;
      return false;
    };
    auto islands = 0;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      CHECK_FALSE(apart(seed, broken_rule::none));
      islands += apart(seed, broken_rule::contacts_are_sought) ? 1 : 0;
    }
    CHECK(islands == 8);
  }

  // Each checker is shown what it is for. A sabotage that is not caught means that it sees nothing.
  TEST_CASE("each checker catches the fault that is seeded for it") {
    struct row {
      sabotage what;
      const char* checker;
    };
    for (auto& x :
         {row{sabotage::double_booking, "capacity"}, row{sabotage::second_accept, "order"},
          row{sabotage::swallowed_accept, "accepts"}, row{sabotage::silent_kill, "replicas"},
          row{sabotage::deaf_member, "members"}, row{sabotage::forged_roster, "roster"},
          row{sabotage::undone_change, "acknowledged"}}) {
      auto options = options_of(2);
      options.trouble = std::chrono::seconds{0};
      options.settling = std::chrono::seconds{40};
      auto quiet = run_trial(options);
      CHECK_MESSAGE(quiet.good(), text_of(options, quiet));
      options.sabotage = x.what;
      auto outcome = run_trial(options);
      CHECK_MESSAGE(caught_by(outcome, x.checker), to_string(x.what), ": ",
                    text_of(options, outcome));
    }
  }
}

} // namespace

} // namespace legion::trial_test
