#include "actors/gateway/zone_members.hpp"

#include <doctest/doctest.h>

namespace legion::zone_members_test {

using namespace legion::gateway;

namespace {

node_id id_of(int n) {
  return node_id::from_bytes(std::string(15, 'i') + static_cast<char>('0' + n));
}

/// Nodes 1 and 2 are on it; node 2 votes for group 7.
charter::roster_ptr listing() {
  roster_state x;
  for (int n = 1; n <= 2; ++n) {
    auto& node = *x.add_nodes();
    node.set_id(id_of(n).bytes());
    node.set_public_key(std::string(32, 'k'));
    node.set_name("legion-" + std::to_string(n));
    node.set_endpoint("127.0.0.1:" + std::to_string(7000 + n));
  }
  auto& hint = *x.add_hints();
  hint.set_group(7);
  hint.add_voters(id_of(2).bytes());
  auto made = charter::roster::from(x);
  REQUIRE(made);
  return std::make_shared<const charter::roster>(std::move(*made));
}

} // namespace

TEST_SUITE("gateway/zone_members") {

  TEST_CASE("a member that was not heard since this node began is one all the same") {
    zone_members x;
    time_point now{};
    CHECK(x.with_state(id_of(2), now) == id_of(2).short_text() + ", which is not a member");
    CHECK(x.kept_groups().empty());
    CHECK(x.unheard().empty());
    x.know(listing());
    CHECK(x.with_state(id_of(2), now) == "legion-2, which was not heard since this node began");
    CHECK(x.with_state(id_of(3), now) == id_of(3).short_text() + ", which is not a member");
    CHECK(x.kept_groups() == std::vector<group_id>{group_id{7}}); // it is asked for
    CHECK(x.unheard().size() == 2);
    member heard;
    heard.set_id(id_of(1).bytes());
    heard.set_name("legion-1");
    heard.set_keeps(std::uint64_t{1} << 9);
    x.on(heard, member_alive, now);
    REQUIRE(x.unheard().size() == 1);
    CHECK(x.unheard()[0].name() == "legion-2");
    CHECK(x.unheard()[0].endpoint() == "127.0.0.1:7002");
    CHECK(x.kept_groups() == std::vector<group_id>{group_id{7}, group_id{9}});
    CHECK(x.with_state(id_of(1), now) == "legion-1");
  }
}

} // namespace legion::zone_members_test
