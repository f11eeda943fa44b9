#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "actors/consensus/beats.hpp"
#include "tests/unit/consensus/few_members.hpp"

namespace legion::beats_test {

using namespace legion::consensus;

namespace {

struct node {
  explicit node(int i, std::uint64_t start = 1, int journal = 1)
      : who(nth_member(i, journal)), heart(beats::setting{who, start}) {}
  member_id who;
  beats heart;
};

/// What cores are told, one line each.
std::string told(const beats::effects& all) {
  std::string result;
  for (const auto& x : all) {
    if (auto* y = std::get_if<beats::tell_beat>(&x))
      result += "beat " + std::to_string(value(y->group)) + " term " + std::to_string(y->what.term)
                + " standing " + std::to_string(static_cast<int>(y->what.standing)) + "; ";
    if (auto* y = std::get_if<beats::tell_silence>(&x))
      result += "silence of " + std::to_string(y->groups.size()) + "; ";
    if (auto* y = std::get_if<beats::tell_refused>(&x))
      result += "refused " + std::to_string(y->groups.size()) + "; ";
  }
  return result;
}

struct pair_of_nodes {
  node a{0};
  node b{1};
  time_point now = time_point{} + std::chrono::hours{1};
  std::size_t bytes = 0;
  std::size_t items = 0;

  /// One interval: both beat; what each side's cores are told.
  std::pair<std::string, std::string> beat(bool ab = true, bool ba = true) {
    auto at_a = a.heart.on_tick(now);
    auto at_b = b.heart.on_tick(now);
    auto say_a = told(at_a);
    auto say_b = told(at_b);
    bytes = items = 0;
    auto carry = [&](const beats::effects& from, node& sender, node& to, std::string& say) {
      for (const auto& x : from)
        if (auto* y = std::get_if<beats::send_beat>(&x); y && y->to == to.who.node) {
          bytes += y->what.ByteSizeLong();
          items += static_cast<std::size_t>(y->what.items_size());
          say += told(to.heart.on_beat(sender.who.node, y->what, now));
        }
    };
    if (ab)
      carry(at_a, a, b, say_b);
    if (ba)
      carry(at_b, b, a, say_a);
    now += milliseconds{100};
    return {say_a, say_b};
  }
  void share(std::uint32_t groups) {
    std::vector<node_id> both{a.who.node, b.who.node};
    for (std::uint32_t g = 0; g < groups; ++g) {
      a.heart.describe(group_id{g}, {5, standing::leads}, both, now);
      b.heart.describe(group_id{g}, {5, standing::follows}, both, now);
    }
  }
};

} // namespace

TEST_SUITE("consensus/beats") {

  TEST_CASE("one beat for all groups; what is confirmed is not said again") {
    pair_of_nodes two;
    two.share(64);
    two.beat();
    CHECK(two.items == 128);
    two.beat();
    two.beat();
    CHECK(two.items == 0);
    CHECK(two.bytes < 120); // both ways
    auto [at_a, at_b] = two.beat();
    CHECK(at_a + at_b == ""); // in peace no core hears anything
  }

  TEST_CASE("who hears a beat when its own are due soon sends them at once, and is in step then") {
    auto beats_in = [](const beats::effects& all) {
      return std::count_if(all.begin(), all.end(),
                           [](auto& x) { return std::holds_alternative<beats::send_beat>(x); });
    };
    auto beat_of = [](const beats::effects& all) {
      return std::get<beats::send_beat>(all[0]).what;
    };
    for (auto [later, answers] : {std::pair{40, true}, {50, true}, {51, false}, {90, false}}) {
      CAPTURE(later);
      pair_of_nodes two;
      two.share(1);
      auto begin = two.now;
      (void)two.b.heart.on_tick(begin);
      CHECK(beats_in(two.b.heart.on_tick(begin)) == 0);
      auto said = beat_of(two.a.heart.on_tick(begin + milliseconds{100 - later}));
      auto at_b = two.b.heart.on_beat(two.a.who.node, said, begin + milliseconds{100 - later});
      CHECK(beats_in(at_b) == answers);
      auto due = begin + milliseconds{answers ? 200 - later : 100};
      CHECK(two.b.heart.wake_at() == due);
    }
  }

  TEST_CASE("a change is told once, though beats are lost") {
    pair_of_nodes two;
    two.share(3);
    for (int i = 0; i < 3; ++i)
      two.beat();
    two.a.heart.describe(group_id{1}, {6, standing::alone}, {two.a.who.node, two.b.who.node},
                         two.now);
    CHECK(two.beat(false, true).second == "");
    CHECK(two.beat(true, false).second == "beat 1 term 6 standing 1; ");
    CHECK(two.items == 1);
    CHECK(two.beat(true, false).second == ""); // said again, since unconfirmed, but not told again
    two.beat();
    two.beat();
    CHECK(two.items == 0);
  }

  TEST_CASE("silence is told once, with its beginning; its end tells what the peer is") {
    pair_of_nodes two;
    two.share(2);
    for (int i = 0; i < 3; ++i)
      two.beat();
    std::string all;
    for (int i = 0; i < 20; ++i)
      all += two.beat(false, true).second;
    CHECK(all == "silence of 2; ");
    CHECK(two.beat().second == "beat 0 term 5 standing 3; beat 1 term 5 standing 3; ");
  }

  TEST_CASE("a node that starts anew is dead and born; what it knew is told again") {
    pair_of_nodes two;
    two.share(2);
    for (int i = 0; i < 3; ++i)
      two.beat();
    two.a = node{0, 2};
    std::vector<node_id> both{two.a.who.node, two.b.who.node};
    two.a.heart.describe(group_id{0}, {5, standing::alone}, both, two.now);
    auto [at_a, at_b] = two.beat();
    CHECK(at_b == "refused 2; beat 0 term 5 standing 1; ");
    std::string later;
    for (int i = 0; i < 3; ++i)
      later += two.beat().first;
    CHECK(at_a + later == "beat 0 term 5 standing 2; ");
  }

  TEST_CASE("a refused connection is told to the groups that are shared") {
    pair_of_nodes two;
    two.share(2);
    two.beat();
    CHECK(told(two.b.heart.on_refused(two.a.who.node, two.now)) == "refused 2; ");
    CHECK(told(two.b.heart.on_refused(nth_member(7).node, two.now)) == "");
    CHECK(two.beat().second.find("standing 3") != std::string::npos); // it was there after all
  }

  TEST_CASE("a refused connection is told to groups of which the peer has not spoken yet") {
    pair_of_nodes two;
    two.share(2);
    CHECK(told(two.b.heart.on_refused(two.a.who.node, two.now)) == "refused 2; ");
    two.beat();
    std::vector<node_id> both{two.a.who.node, two.b.who.node};
    two.b.heart.describe(group_id{2}, {5, standing::alone}, both, two.now);
    CHECK(told(two.b.heart.on_refused(two.a.who.node, two.now)) == "refused 3; ");
    two.b.heart.forget(group_id{0}, two.now);
    CHECK(told(two.b.heart.on_refused(two.a.who.node, two.now)) == "refused 2; ");
  }

  TEST_CASE("a group that a node left is gone for the other") {
    pair_of_nodes two;
    two.share(2);
    for (int i = 0; i < 3; ++i)
      two.beat();
    two.a.heart.forget(group_id{1}, two.now);
    CHECK(two.beat().second == "beat 1 term 5 standing 0; ");
    CHECK(two.beat().second == "");
  }

  TEST_CASE("a node that is told of a group it is in beats back, members or not: a new learner") {
    pair_of_nodes two;
    std::vector<node_id> both{two.a.who.node, two.b.who.node};
    two.a.heart.describe(group_id{3}, {5, standing::leads}, both, two.now);
    two.b.heart.describe(group_id{3}, {0, standing::alone}, {}, two.now);
    auto all = two.beat().first + two.beat().first;
    CHECK(all == "beat 3 term 0 standing 1; ");
  }

  TEST_CASE("a node that forgot what it was told beats back, and is told again") {
    pair_of_nodes two;
    two.share(1);
    for (int i = 0; i < 3; ++i)
      two.beat();
    two.b = node{1, 2, 2}; // another journal; it knows of no members
    two.b.heart.describe(group_id{0}, {0, standing::alone}, {}, two.now);
    std::string at_b;
    for (int i = 0; i < 4; ++i)
      at_b += two.beat().second;
    CHECK(at_b == "beat 0 term 5 standing 3; ");
  }

  TEST_CASE("beats that are late, of strangers, or without sense change nothing") {
    pair_of_nodes two;
    two.share(1);
    consensus_beat early;
    for (const auto& x : two.a.heart.on_tick(two.now))
      if (auto* y = std::get_if<beats::send_beat>(&x))
        early = y->what;
    two.now += milliseconds{100};
    two.a.heart.describe(group_id{0}, {9, standing::alone}, {two.a.who.node, two.b.who.node},
                         two.now);
    two.beat();
    CHECK(told(two.b.heart.on_beat(two.a.who.node, early, two.now)) == "");
    consensus_beat nonsense;
    CHECK(told(two.b.heart.on_beat(two.a.who.node, nonsense, two.now)) == "");
    nonsense = early;
    nonsense.set_base(9);
    nonsense.set_version(3);
    CHECK(told(two.b.heart.on_beat(two.a.who.node, nonsense, two.now)) == "");
    CHECK(told(two.b.heart.on_beat(two.b.who.node, early, two.now)) == "");
  }
}

} // namespace legion::beats_test
