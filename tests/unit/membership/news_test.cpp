#include <doctest/doctest.h>

#include "actors/membership/news.hpp"

namespace legion::news_test {

using namespace legion::membership;

namespace {

node_id id(char c) {
  return node_id::from_bytes(std::string(16, c));
}

member_update say(const news::piece& x) {
  member_update result;
  result.set_id(x.about.bytes());
  result.set_start(1);
  if (x.with_record)
    result.set_record(std::string(150, 'r'));
  if (!x.accuser.null())
    result.set_suspected_by(x.accuser.bytes());
  return result;
}

} // namespace

TEST_SUITE("membership/news") {

  TEST_CASE("SWIM 4.1: a piece is sent so many times, then it is news no more") {
    news x;
    x.add(id('B'), {}, false);
    for (int i = 0; i < 4; ++i) {
      swim_packet packet;
      x.pack(packet, 1000, 4, say);
      CHECK(packet.updates_size() == 1);
    }
    CHECK(x.empty());
    swim_packet packet;
    x.pack(packet, 1000, 4, say);
    CHECK(packet.updates_size() == 0);
  }

  TEST_CASE("updates stay within their bytes; the least sent go first") {
    news x;
    for (char c = 'a'; c < 'a' + 26; ++c)
      x.add(id(c), {}, true);
    std::size_t told = 0;
    for (int i = 0; i < 6; ++i) {
      swim_packet packet;
      x.pack(packet, 1000, 9, say);
      CHECK(packet.ByteSizeLong() <= 1000);
      CHECK(packet.updates_size() > 0);
      for (auto& u : packet.updates())
        told |= std::size_t{1} << (u.id()[0] - 'a');
    }
    CHECK(told == (std::size_t{1} << 26) - 1);
  }

  TEST_CASE("no piece rides twice on one packet, and those that did not fit ride on the next") {
    news x;
    for (char c = 'a'; c < 'a' + 10; ++c)
      x.add(id(c), {}, true);
    std::string told;
    for (int i = 0; i < 2; ++i) {
      swim_packet packet;
      x.pack(packet, 1000, 9, say);
      for (auto& u : packet.updates())
        told += u.id()[0];
    }
    CHECK(told == "abcdefghij"); // five each
    swim_packet packet;
    x.pack(packet, 100000, 9, say);
    CHECK(packet.updates_size() == 10);
  }

  TEST_CASE("a record larger than a packet's share travels alone") {
    news x;
    x.add(id('B'), {}, true);
    swim_packet packet;
    x.pack(packet, 100, 9, say);
    CHECK(packet.updates_size() == 1);
  }

  TEST_CASE("accusations ride along; anything else is pressing") {
    news x;
    x.add(id('B'), id('C'), false);
    CHECK_FALSE(x.empty());
    CHECK_FALSE(x.pressing());
    x.add(id('B'), {}, false);
    CHECK(x.pressing());
    x.drop_accusations(id('B'));
    CHECK(x.size() == 1);
  }

} // TEST_SUITE

} // namespace legion::news_test
