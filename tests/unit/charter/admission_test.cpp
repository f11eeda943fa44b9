#include <doctest/doctest.h>

#include "actors/charter/admission.hpp"

namespace legion::admission_test {

using namespace legion::charter;

namespace {

std::string id(int n) {
  std::string bytes(16, '\1');
  bytes[0] = static_cast<char>(n + 1);
  bytes[15] = static_cast<char>(n);
  return bytes;
}

node_id key(int n) {
  return node_id::from_bytes(id(n));
}

roster_node node(int n, std::string name = {}) {
  roster_node x;
  x.set_id(id(n));
  x.set_public_key(std::string(32, static_cast<char>(n + 1)));
  x.set_name(name.empty() ? "legion-" + std::to_string(n) : std::move(name));
  return x;
}

struct played {
  time_point now = time_point{} + std::chrono::hours{1};
  roster listed;
  zone_view zone;

  explicit played(int nodes) {
    charter_entry all;
    for (int i = 0; i < nodes; ++i) {
      *all.add_admitted() = node(i);
      state(i, member_alive);
    }
    listed.apply(all, {0, 2});
  }
  void state(int n, member_state x, time_point::duration since = seconds{0}, bool keeps = false) {
    zone[key(n)] = {"legion-" + std::to_string(n), x, now - since, keeps};
  }
  judgement about(const roster_node& x) const { return judge(listed, x, zone, "eu", now); }
  std::string refusal(const roster_node& x) const {
    auto result = about(x);
    auto* why = std::get_if<not_admitted>(&result);
    return why ? why->why : std::string{};
  }
  charter_entry entry(const roster_node& x) const {
    auto result = about(x);
    auto* found = std::get_if<charter_entry>(&result);
    return found ? *found : charter_entry{};
  }
};

} // namespace

TEST_SUITE("charter/admission") {

  TEST_CASE("new, known, and changed") {
    played x{3};
    CHECK(x.entry(node(5)).admitted_size() == 1);
    CHECK(std::holds_alternative<on_it>(x.about(node(1))));
    auto moved = node(1);
    moved.set_endpoint("10.0.0.1:1");
    CHECK(x.entry(moved).admitted_size() == 1);
    moved = node(1);
    moved.set_cordoned(true); // that is the charter's to say
    CHECK(std::holds_alternative<on_it>(x.about(moved)));
  }

  TEST_CASE("a living member keeps its name; a dead or departed one gives it up with its place") {
    played x{3};
    CHECK(x.refusal(node(9, "legion-1")).find("another member is named 'legion-1'")
          != std::string::npos);
    x.state(1, member_suspect);
    CHECK_FALSE(x.refusal(node(9, "legion-1")).empty());
    for (auto state : {member_dead, member_left}) {
      x.state(1, state);
      auto entry = x.entry(node(9, "legion-1"));
      REQUIRE(entry.removed_size() == 1);
      CHECK(entry.removed(0) == id(1));
      x.listed.apply(entry, {0, 3});
      CHECK(x.listed.find(key(9)));
      x = played{3};
    }
  }

  TEST_CASE("another key for a known id is refused") {
    played x{3};
    auto thief = node(1);
    thief.set_public_key(std::string(32, 'x'));
    CHECK(x.refusal(thief).find("another key") != std::string::npos);
  }

  TEST_CASE("a full roster names the limit, until somebody makes room") {
    played x{128};
    CHECK(x.refusal(node(140)) == "zone 'eu' is full: its roster has 128 nodes, the limit is 128");
    x.state(7, member_dead, std::chrono::minutes{9});
    CHECK_FALSE(x.refusal(node(140)).empty());
    x.state(8, member_dead, std::chrono::minutes{20}, true); // it keeps a group
    CHECK_FALSE(x.refusal(node(140)).empty());
    x.state(7, member_dead, std::chrono::minutes{10});
    CHECK(x.entry(node(140)).removed(0) == id(7));
    x.state(9, member_dead, std::chrono::minutes{30}); // the longest first
    CHECK(x.entry(node(140)).removed(0) == id(9));
    x.state(10, member_left, std::chrono::minutes{60});
    CHECK(x.entry(node(140)).removed(0) == id(10));
    CHECK(x.refusal(node(3)).empty()); // who is on it needs no room
  }

  TEST_CASE("without a quorum the voters are named, and who of them is down") {
    played x{3};
    std::vector<node_id> voters{key(0), key(1), key(2)};
    CHECK(no_quorum(&x.listed, voters, {}, x.zone, "eu")
          == "the charter of zone 'eu' has no leader just now: its voters are legion-0, legion-1 "
             "and legion-2; new members and cordons wait, and what has a quorum of its own "
             "goes on");
    x.state(1, member_dead);
    x.state(2, member_dead);
    CHECK(no_quorum(&x.listed, voters, {}, x.zone, "eu")
          == "the charter of zone 'eu' has no quorum: its voters are legion-0, legion-1 and "
             "legion-2, of which legion-1 and legion-2 are down; new members and cordons wait, and "
             "what has a quorum of its own goes on");
    x.state(2, member_alive);
    x.zone[key(2)].full = true;
    CHECK(no_quorum(&x.listed, voters, {}, x.zone, "eu")
          == "the charter of zone 'eu' has no quorum: its voters are legion-0, legion-1 and "
             "legion-2, of which legion-1 is down; the disk of legion-2 is full; new members and "
             "cordons wait, and what has a quorum of its own goes on");
    x.zone[key(2)].full = false;
    CHECK(no_quorum(&x.listed, voters, {key(2)}, x.zone, "eu")
          == "the charter of zone 'eu' has no quorum: its voters are legion-0, legion-1 and "
             "legion-2, of which legion-1 is down, and legion-2 has lost the journal with which it "
             "voted (should they not come back, the cure is `legionctl charter rebuild`); new "
             "members and cordons wait, and what has a quorum of its own goes on");
    CHECK(!may_elect(voters, {key(2)}, x.zone));
    CHECK(may_elect(voters, {}, x.zone));
    CHECK(!may_elect({}, {}, x.zone));
    CHECK(no_quorum(nullptr, {}, {}, x.zone, "eu")
          == "the charter of zone 'eu' is not known to this node yet: new members wait");
  }

} // TEST_SUITE

} // namespace legion::admission_test
