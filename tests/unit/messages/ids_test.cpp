#include <doctest/doctest.h>

#include "actors/message_types.hpp"
#include "messages/ids.hpp"

namespace legion::ids_test {

TEST_SUITE("messages/ids") {

  TEST_CASE("a node id is 16 bytes; anything else reads as the null id") {
    CHECK(node_id::from_bytes("0123456789abcdef").text() == "30313233343536373839616263646566");
    CHECK(node_id::from_bytes("0123456789abcdef").bytes() == "0123456789abcdef");
    CHECK(node_id::from_bytes("too short").null());
    CHECK(node_id::from_bytes("0123456789abcdefg").null());
  }

  TEST_CASE("order numbers compare by incarnation first") {
    order_number a, b;
    a.set_incarnation(1);
    a.set_index(9);
    b.set_incarnation(2);
    b.set_index(3);
    CHECK(compare(a, b) < 0);
    b.set_incarnation(1);
    CHECK(compare(a, b) > 0);
    b.set_index(9);
    CHECK(compare(a, b) == 0);
  }

  TEST_CASE("a fault survives the way through CAF") {
    auto back = fault_of(make_error(fault{errc::disk_full, "3 of 5 bytes free"}));
    CHECK(back.code == errc::disk_full);
    CHECK(back.detail == "3 of 5 bytes free");
  }

} // TEST_SUITE

} // namespace legion::ids_test
