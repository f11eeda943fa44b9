#include <doctest/doctest.h>

#include <string>

#include "actors/bridge/peer_table.hpp"

namespace legion::peer_table_test {

using namespace legion::bridge;

namespace {

struct one {
  node_id id;
  int what = 0;
};

node_id id_of(int x) {
  std::string bytes(node_id::size, '\0');
  bytes[8] = static_cast<char>(x & 255); // all alike in what is hashed
  bytes[15] = static_cast<char>(x >> 8);
  return node_id::from_bytes(bytes);
}

} // namespace

TEST_SUITE("bridge/peer_table") {
  TEST_CASE("a thousand peers are found by their ids, even if all hashes are the same") {
    peer_table<one> table;
    CHECK(table.find(id_of(1)) == nullptr);
    for (int i = 1; i <= 1000; ++i)
      table.add(id_of(i)).what = i;
    CHECK(table.size() == 1000);
    for (int i = 1; i <= 1000; ++i) {
      REQUIRE(table.find(id_of(i)) != nullptr);
      CHECK(table.find(id_of(i))->what == i);
    }
    CHECK(table.find(id_of(1001)) == nullptr);
  }

  TEST_CASE("who was dropped is not found, and the others are") {
    peer_table<one> table;
    for (int i = 1; i <= 100; ++i)
      table.add(id_of(i)).what = i;
    table.drop_if([](const one& x) { return x.what % 3 == 0; });
    CHECK(table.size() == 67);
    for (int i = 1; i <= 100; ++i)
      CHECK((table.find(id_of(i)) == nullptr) == (i % 3 == 0));
    table.add(id_of(3)).what = 33;
    CHECK(table.find(id_of(3))->what == 33);
    CHECK(table.find(id_of(100))->what == 100);
  }
}

} // namespace legion::peer_table_test
