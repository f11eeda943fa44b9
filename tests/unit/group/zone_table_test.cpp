#include <doctest/doctest.h>

#include <string>

#include "actors/group/zone_table.hpp"

namespace legion::zone_table_test {

using namespace legion::group;

namespace {

constexpr group_id seven{7};

member said(char id, std::string name, std::uint64_t start = 1, std::uint64_t keeps = 0,
            char journal = 'j') {
  member x;
  x.set_id(std::string(16, id));
  x.set_name(std::move(name));
  x.set_start(start);
  x.set_keeps(keeps);
  x.set_journal(std::string(16, journal));
  return x;
}

node_id id(char x) {
  return node_id::from_bytes(std::string(16, x));
}

time_point at(int s) {
  return time_point{} + seconds{s};
}

} // namespace

TEST_SUITE("group/zone_table") {

  TEST_CASE("rows are sorted by id, whoever came first, and found by it") {
    zone_table zone;
    for (char x : {'m', 'a', 'z'})
      CHECK(zone.put(seven, said(x, std::string(1, x)), member_alive, at(1)).matters);
    REQUIRE(zone.rows().size() == 3);
    CHECK(zone.rows()[0].id() == id('a'));
    CHECK(zone.rows()[2].id() == id('z'));
    REQUIRE(zone.find(id('m')));
    CHECK(zone.find(id('m'))->who.name() == "m");
    CHECK(!zone.find(id('b')));
  }

  TEST_CASE("a member without an id has no row") {
    zone_table zone;
    CHECK(!zone.put(seven, member{}, member_alive, at(1)).matters);
    CHECK(zone.empty());
  }

  TEST_CASE("what a change means") {
    zone_table zone;
    auto first = zone.put(seven, said('a', "one"), member_alive, at(1));
    CHECK(!first.known_before);
    CHECK(!first.claims);

    struct {
      const char* what;
      member who;
      member_state state;
      bool other_start, claims, matters;
    } const table[] = {
        {"nothing new", said('a', "one"), member_alive, false, false, false},
        {"it is in another group", said('a', "one", 1, 1u << 6), member_alive, false, false, false},
        {"it says that it is in the group", said('a', "one", 1, 1u << 7), member_alive, false, true,
         false},
        {"it still does", said('a', "one", 1, 1u << 7), member_alive, false, false, false},
        {"it is not any more", said('a', "one"), member_alive, false, true, false},
        {"it is suspected", said('a', "one"), member_suspect, false, false, true},
        {"it has another name", said('a', "uno"), member_suspect, false, false, true},
        {"it began anew", said('a', "uno", 2), member_suspect, true, false, true},
    };
    auto drains = said('b', "two");
    zone.put(seven, drains, member_alive, at(2));
    drains.set_draining(true);
    CHECK(zone.put(seven, drains, member_alive, at(2)).matters);
    CHECK(zone.find(id('b'))->seen().draining);
    for (const auto& x : table) {
      INFO(x.what);
      auto news = zone.put(seven, x.who, x.state, at(2));
      CHECK(news.known_before);
      CHECK(news.other_start == x.other_start);
      CHECK(news.claims == x.claims);
      CHECK(news.matters == x.matters);
    }
  }

  TEST_CASE("since when is that of the state and the journal, not of the last word") {
    zone_table zone;
    zone.put(seven, said('a', "one"), member_alive, at(1));
    zone.put(seven, said('a', "uno", 2), member_alive, at(2));
    CHECK(zone.find(id('a'))->since == at(1));
    zone.put(seven, said('a', "uno", 2), member_dead, at(3));
    CHECK(zone.find(id('a'))->since == at(3));
    zone.put(seven, said('a', "uno", 3, 0, 'k'), member_dead, at(4));
    CHECK(zone.find(id('a'))->since == at(4));
    CHECK(zone.find(id('a'))->seen().journal
          == consensus::journal_id::from_bytes(std::string(16, 'k')));
  }

  TEST_CASE("who is not on the roster is not admitted; without a roster everybody is") {
    zone_table zone;
    zone.put(seven, said('a', "one"), member_alive, at(1));
    zone.put(seven, said('b', "two"), member_alive, at(1));
    charter::roster roster;
    charter_entry entry;
    auto& x = *entry.add_admitted();
    x.set_id(std::string(16, 'b'));
    x.set_name("two");
    x.set_public_key(std::string(32, 'k'));
    roster.apply(entry, {0, 1});
    auto with = zone.residents(&roster, [](auto&) { return at(1); });
    REQUIRE(with.size() == 2);
    CHECK(!with[0].admitted);
    CHECK(with[1].admitted);
    auto without = zone.residents(nullptr, [](auto&) { return at(1); });
    CHECK(without[0].admitted);
    CHECK(without[1].admitted);
  }

  TEST_CASE("who is on the roster and was not heard of is dead since this node began") {
    zone_table zone;
    zone.put(seven, said('b', "two"), member_alive, at(1));
    charter::roster roster;
    charter_entry entry;
    for (auto c : {'b', 'c'}) {
      auto& x = *entry.add_admitted();
      x.set_id(std::string(16, c));
      x.set_name(std::string(1, c));
      x.set_public_key(std::string(32, c));
    }
    roster.apply(entry, {0, 1});
    auto all = zone.residents(&roster, [](auto&) { return at(5); });
    REQUIRE(all.size() == 2);
    CHECK(all[0].state == member_alive);
    CHECK(all[1].id == id('c'));
    CHECK(all[1].state == member_dead);
    CHECK(all[1].since == at(5));
    CHECK(all[1].admitted);
  }

  TEST_CASE("keepers get names, starts and states") {
    zone_table zone;
    zone.put(seven, said('a', "one", 5), member_dead, at(1));
    auto table = zone.for_keepers();
    REQUIRE(table.contains(id('a')));
    CHECK(table.at(id('a')).name == "one");
    CHECK(table.at(id('a')).start == 5);
    CHECK(keeper::is_gone(table.at(id('a'))));
  }
}

} // namespace legion::zone_table_test
