#include <doctest/doctest.h>

#include "messages/charter.pb.h"
#include "messages/message_pool.hpp"

namespace legion::message_pool_test {

TEST_SUITE("messages/message_pool") {

  TEST_CASE("equal messages are one, others are not, and what nobody holds is gone") {
    message_pool<group_hint> pool;
    auto hint = [](std::uint32_t group) {
      group_hint x;
      x.set_group(group);
      return x;
    };
    auto a = pool.keep(hint(1));
    auto b = pool.keep(hint(1));
    auto c = pool.keep(hint(2));
    CHECK(a == b);
    CHECK(a != c);
    CHECK(c->group() == 2);
    CHECK(pool.size() == 2);
    a.reset();
    CHECK(pool.size() == 2);
    b.reset();
    CHECK(pool.size() == 1);
    CHECK(pool.keep(hint(1))->group() == 1);
  }

  TEST_CASE("a message may outlive its pool") {
    message_pool<group_hint>::kept kept;
    {
      message_pool<group_hint> pool;
      group_hint x;
      x.set_group(3);
      kept = pool.keep(x);
    }
    CHECK(kept->group() == 3);
  }
}

} // namespace legion::message_pool_test
