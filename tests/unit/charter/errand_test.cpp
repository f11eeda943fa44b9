#include <doctest/doctest.h>

#include "actors/charter/errand.hpp"

namespace legion::errand_test {

using namespace legion::charter;

namespace {

node_id node(char n) {
  return node_id::from_bytes(std::string(16, n));
}

charter_reply elsewhere(node_id leader = {}) {
  charter_reply x;
  x.mutable_refused()->set_code(refusal_elsewhere);
  if (!leader.null())
    x.set_leader(leader.bytes());
  return x;
}

} // namespace

TEST_SUITE("charter/errand") {

  TEST_CASE("each voter is asked once, in order") {
    errand x{{node('a'), node('b')}};
    CHECK(x.next() == node('a'));
    CHECK_FALSE(x.on(elsewhere()));
    CHECK(x.next() == node('b'));
    CHECK_FALSE(x.next());
  }

  TEST_CASE("a voter that names the leader sends there next, known before or not") {
    errand x{{node('a'), node('b')}};
    x.next();
    CHECK_FALSE(x.on(elsewhere(node('z'))));
    CHECK(x.next() == node('z'));
    CHECK_FALSE(x.on(elsewhere(node('a')))); // who was asked is not asked again
    CHECK(x.next() == node('b'));
    CHECK_FALSE(x.next());
  }

  TEST_CASE("what the charter itself refuses is an answer") {
    errand x{{node('a')}};
    x.next();
    charter_reply full;
    full.mutable_refused()->set_code(refusal_conflict);
    CHECK(x.on(full));
    charter_reply done;
    done.mutable_done();
    CHECK(x.on(done));
  }

  TEST_CASE("voters that name one another for ever are left alone in the end") {
    errand x{{node('a')}};
    int asked = 0;
    for (char n = 'b'; x.next() && asked < 100; ++n, ++asked)
      (void)x.on(elsewhere(node(n)));
    CHECK(asked == 8);
  }

} // TEST_SUITE

} // namespace legion::errand_test
