#include <doctest/doctest.h>

#include <random>

#include "actors/charter/roster.hpp"

namespace legion::roster_test {

using namespace legion::charter;

namespace {

std::string id(int n) {
  std::string bytes(16, '\1');
  bytes[0] = static_cast<char>(n * 7 + 1);
  bytes[15] = static_cast<char>(n);
  return bytes;
}

roster_node node(int n, std::string name = {}) {
  roster_node x;
  x.set_id(id(n));
  x.set_public_key(std::string(32, static_cast<char>(n + 1)));
  x.set_name(name.empty() ? "legion-" + std::to_string(n) : std::move(name));
  x.set_endpoint("127.0.0.1:" + std::to_string(7000 + n));
  return x;
}

charter_entry admits(const roster_node& x) {
  charter_entry result;
  *result.add_admitted() = x;
  return result;
}

charter_entry removes(int n) {
  charter_entry result;
  result.add_removed(id(n));
  return result;
}

charter_entry cordons(int n, bool cordoned) {
  charter_entry result;
  auto& x = *result.add_cordoned();
  x.set_id(id(n));
  x.set_cordoned(cordoned);
  return result;
}

charter_entry hints(std::uint32_t group, std::uint64_t index, std::vector<int> voters,
                    std::uint64_t incarnation = 0) {
  charter_entry result;
  auto& x = *result.add_hints();
  x.set_group(group);
  x.set_incarnation(incarnation);
  x.set_index(index);
  for (auto n : voters)
    x.add_voters(id(n));
  return result;
}

/// A roster whose entries come one after another.
struct kept {
  roster now;
  std::uint64_t index = 2;

  kept& add(const charter_entry& x) {
    now.apply(x, {0, index++});
    return *this;
  }
  const roster_node* find(int n) const { return now.find(node_id::from_bytes(id(n))); }
};

std::string text(const roster& x) {
  return x.whole().SerializeAsString();
}

} // namespace

TEST_SUITE("charter/roster") {

  TEST_CASE("a node is admitted, says more of itself, and is removed") {
    kept x;
    x.add(admits(node(1)));
    REQUIRE(x.find(1));
    CHECK(x.find(1)->changed() == 2);
    auto moved = node(1);
    moved.set_endpoint("10.0.0.1:7710");
    x.add(admits(moved));
    CHECK(x.find(1)->endpoint() == "10.0.0.1:7710");
    CHECK(x.now.at() == version{0, 3});
    x.add(removes(1));
    CHECK_FALSE(x.find(1));
    CHECK(x.now.whole().departures(0).changed() == 4);
  }

  TEST_CASE("what an entry may not do has no effect") {
    kept x;
    x.add(admits(node(1)));
    SUBCASE("another key for an id that is known") {
      auto thief = node(1);
      thief.set_public_key(std::string(32, 'x'));
      thief.set_endpoint("evil:1");
      x.add(admits(thief));
      CHECK(x.find(1)->endpoint() == node(1).endpoint());
    }
    SUBCASE("a name that another node has") {
      x.add(admits(node(2, "legion-1")));
      CHECK_FALSE(x.find(2));
    }
    SUBCASE("a record that makes no sense") {
      auto bad = node(2);
      SUBCASE("no id") {
        bad.set_id("short");
      }
      SUBCASE("no key") {
        bad.clear_public_key();
      }
      SUBCASE("no name") {
        bad.clear_name();
      }
      SUBCASE("too long") {
        bad.set_endpoint(std::string(5000, 'x'));
      }
      x.add(admits(bad));
      CHECK(x.now.nodes().size() == 1);
    }
    SUBCASE("a cordon of a stranger") {
      x.add(cordons(9, true));
      CHECK(x.now.nodes().size() == 1);
    }
    SUBCASE("a hint about a group that there is not") {
      x.add(hints(65, 1, {1}));
      CHECK(x.now.hints().empty());
    }
  }

  TEST_CASE("128 nodes are the limit, and who leaves makes room in the same entry") {
    kept x;
    for (int i = 0; i < 128; ++i)
      x.add(admits(node(i)));
    x.add(admits(node(200)));
    CHECK(x.now.nodes().size() == 128);
    CHECK_FALSE(x.find(200));
    auto both = admits(node(200));
    both.add_removed(id(5));
    x.add(both);
    CHECK(x.now.nodes().size() == 128);
    CHECK(x.find(200));
    x.add(admits(node(1))); // who is on it may always say more
    CHECK(x.now.nodes().size() == 128);
  }

  TEST_CASE("a cordon stays whatever the node says of itself") {
    kept x;
    x.add(admits(node(1))).add(cordons(1, true));
    CHECK(x.find(1)->cordoned());
    x.add(admits(node(1)));
    CHECK(x.find(1)->cordoned());
    x.add(cordons(1, false));
    CHECK_FALSE(x.find(1)->cordoned());
  }

  TEST_CASE("a hint of a lower configuration says nothing") {
    kept x;
    x.add(hints(7, 10, {1, 2, 3}));
    x.add(hints(7, 9, {4}));
    CHECK(x.now.hint(group_id{7})->voters_size() == 3);
    x.add(hints(7, 11, {4}));
    CHECK(x.now.hint(group_id{7})->voters_size() == 1);
    x.add(hints(7, 2, {5, 6, 1}, 1)); // raised anew: its log begins again
    CHECK(x.now.hint(group_id{7})->voters_size() == 3);
    CHECK_FALSE(x.now.hint(group_id{8}));
  }

  TEST_CASE("by name, by id, or by the first digits of one id") {
    kept x;
    x.add(admits(node(1))).add(admits(node(2)));
    CHECK(x.now.named("legion-2")->id() == id(2));
    auto digits = node_id::from_bytes(id(1)).text();
    CHECK(x.now.named(digits)->id() == id(1));
    CHECK(x.now.named(digits.substr(0, 8))->id() == id(1));
    CHECK_FALSE(x.now.named(digits.substr(0, 7)));
    CHECK_FALSE(x.now.named("legion-3"));
  }

  TEST_CASE("whole, it reads back; what makes no sense is damaged") {
    kept x;
    x.add(admits(node(1))).add(admits(node(2))).add(hints(3, 4, {1, 2})).add(removes(1));
    auto again = roster::from(x.now.whole());
    REQUIRE(again);
    CHECK(text(*again) == text(x.now));
    auto bad = x.now.whole();
    SUBCASE("a row that is none") {
      bad.add_nodes();
    }
    SUBCASE("out of order") {
      *bad.add_nodes() = node(0);
    }
    SUBCASE("only a part") {
      bad.set_since(1);
    }
    SUBCASE("twice the same hint") {
      *bad.add_hints() = bad.hints(0);
    }
    CHECK(roster::from(bad).why().code == errc::damaged);
  }

  TEST_CASE("news: older ones say nothing, a part needs what it builds on") {
    kept x;
    x.add(admits(node(1))).add(admits(node(2)));
    roster copy;
    CHECK(copy.learn(x.now.since({0, 2})) == roster::learnt::too_late);
    CHECK(copy.learn(x.now.whole()) == roster::learnt::all);
    CHECK(text(copy) == text(x.now));
    CHECK(copy.learn(x.now.whole()) == roster::learnt::nothing);
    auto before = x.now.at();
    x.add(cordons(2, true)).add(removes(1));
    auto part = x.now.since(before);
    CHECK(part.nodes_size() == 1);
    CHECK(copy.learn(part) == roster::learnt::all);
    CHECK(text(copy) == text(x.now));
    CHECK(copy.learn(part) == roster::learnt::nothing);
  }

  TEST_CASE("a higher incarnation replaces all, however few entries it has") {
    kept x;
    x.add(admits(node(1))).add(admits(node(2)));
    roster raised;
    raised.apply(admits(node(2)), {1, 1});
    CHECK(x.now.learn(raised.since({0, 3})) == roster::learnt::all);
    CHECK(text(x.now) == text(raised));
    roster old;
    old.apply(admits(node(1)), {0, 900});
    CHECK(x.now.learn(old.whole()) == roster::learnt::nothing);
    roster part = raised;
    part.apply(admits(node(3)), {1, 2});
    roster behind;
    behind.apply(admits(node(1)), {0, 900});
    CHECK(behind.learn(part.since({1, 1})) == roster::learnt::too_late);
  }

  TEST_CASE("raised, it is the same roster, and goes on above all indices of before") {
    kept x;
    x.add(admits(node(1))).add(admits(node(2))).add(removes(2));
    auto old = x.now;
    x.now.raise({7, 1000});
    CHECK(x.now.nodes().size() == 1);
    CHECK(x.now.at() > old.at());
    x.now.apply(admits(node(3)), {7, 1001});
    CHECK(old.learn(x.now.since({7, 1000})) == roster::learnt::too_late);
    CHECK(old.learn(x.now.since(old.at())) == roster::learnt::all); // whole
    CHECK(text(old) == text(x.now));
  }

  TEST_CASE("whoever hears some of the news, in whatever order, has the same roster at the same "
            "index") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      std::mt19937_64 random{seed};
      kept leader;
      std::vector<roster> copies(4);
      std::vector<roster> pushes;
      std::map<std::uint64_t, std::string> at_index;
      version pushed;
      for (int step = 0; step < 60; ++step) {
        int n = static_cast<int>(random() % 140);
        switch (random() % 5) {
          case 0:
            leader.add(removes(n));
            break;
          case 1:
            leader.add(cordons(n, random() % 2 == 0));
            break;
          case 2:
            leader.add(hints(random() % 66, random() % 20, {n}));
            break;
          default:
            leader.add(admits(node(n)));
        }
        at_index[leader.now.at().index] = text(leader.now);
        if (random() % 2 == 0)
          continue;
        auto news = leader.now.since(pushed);
        pushed = leader.now.at();
        for (auto& copy : copies) {
          if (random() % 3 == 0)
            continue; // lost
          if (copy.learn(news) == roster::learnt::too_late && random() % 2 == 0)
            copy.learn(leader.now.since(copy.at()));
          if (copy.at().index != 0)
            CHECK(text(copy) == at_index[copy.at().index]);
        }
      }
    }
  }

  TEST_CASE("who has been away while many left asks for all") {
    kept x;
    for (int i = 0; i < 100; ++i)
      x.add(admits(node(i)));
    roster copy;
    copy.learn(x.now.whole());
    for (int first : {0, 100}) {
      for (int i = 0; i < 100; ++i)
        x.add(removes(first + i));
      for (int i = 0; i < 50; ++i)
        x.add(admits(node(first + 100 + i)));
      for (int i = 50; i < 100 && first == 0; ++i)
        x.add(admits(node(first + 100 + i)));
    }
    auto news = x.now.since(copy.at());
    CHECK(copy.learn(news) == roster::learnt::all);
    CHECK(text(copy) == text(x.now));
    CHECK(x.now.whole().departures_size() <= static_cast<int>(roster::most_departures));
  }

  TEST_CASE("its bytes are those of the whole, and leave it as it was") {
    kept x;
    x.add(admits(node(1)));
    x.add(admits(node(2)));
    x.add(hints(3, 7, {1, 2}));
    x.add(removes(2));
    auto before = text(x.now);
    CHECK(x.now.whole_bytes() == before);
    CHECK(x.now.whole_bytes() == before);
    CHECK(text(x.now) == before);
  }

  TEST_CASE("equal rosters of nodes that share their rows are one, and others are not") {
    auto rows = std::make_shared<row_pool>();
    auto of = [&](int last, row_pool_ptr pool) {
      roster x{std::move(pool)};
      for (int n = 1; n <= last; ++n)
        x.apply(admits(node(n)), {0, static_cast<std::uint64_t>(n)});
      return x;
    };
    auto a = shared(of(3, rows));
    CHECK(a == shared(of(3, rows)));
    CHECK(a != shared(of(2, rows)));
    CHECK(a != shared(of(3, nullptr)));
    auto gone = of(3, rows);
    gone.apply(removes(3), {0, 4});
    auto b = shared(gone);
    CHECK(b == shared(gone));
    gone.raise({1, 4});
    CHECK(b != shared(gone));
    CHECK(text(*a) == text(of(3, nullptr)));
    a.reset();
    b.reset();
    CHECK(shared(of(3, rows))->nodes().size() == 3);
    CHECK(rows->rosters.size() == 1);
  }

} // TEST_SUITE

} // namespace legion::roster_test
