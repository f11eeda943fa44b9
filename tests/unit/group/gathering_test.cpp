#include <doctest/doctest.h>

#include "actors/group/gathering.hpp"

namespace legion::gathering_test {

using namespace legion::group;

namespace {

resident a_resident(char x, member_state state = member_alive) {
  resident result;
  result.id = node_id::from_bytes(std::string(16, x));
  result.state = state;
  return result;
}

using asks = std::vector<gathering::ask>;

} // namespace

TEST_SUITE("group/gathering") {

  TEST_CASE("each node is asked once, page after page") {
    gathering it;
    auto a = a_resident('a');
    CHECK(it.on_resident(a) == asks{{a.id, ""}});
    CHECK(it.on_resident(a).empty());
    CHECK(!it.over());
    CHECK(it.on_page(a.id, "x") == asks{{a.id, "x"}});
    CHECK(it.on_page(a.id, "y") == asks{{a.id, "y"}});
    CHECK(it.on_page(a.id, "").empty());
    CHECK(it.over());
    CHECK(it.silent().empty());
    CHECK(it.on_resident(a).empty());
  }

  TEST_CASE("pages that go back end: a stranger can't be asked for ever") {
    gathering it;
    auto a = a_resident('a');
    it.on_resident(a);
    it.on_page(a.id, "x");
    CHECK(it.on_page(a.id, "x").empty());
    CHECK(it.over());
  }

  TEST_CASE("who says nothing three times is silent, until it is alive again") {
    gathering it;
    auto a = a_resident('a');
    it.on_resident(a);
    it.on_page(a.id, "x");
    CHECK(it.on_failed(a.id));
    CHECK(it.again(a.id) == asks{{a.id, "x"}});
    CHECK(it.on_failed(a.id));
    CHECK(!it.on_failed(a.id));
    CHECK(it.over());
    CHECK(it.silent() == std::vector{a.id});
    CHECK(it.again(a.id).empty());
    CHECK(it.on_resident(a) == asks{{a.id, "x"}}); // it goes on where it was
  }

  TEST_CASE("the dead are not asked, nor waited for; those that left are nobody") {
    gathering it;
    CHECK(it.on_resident(a_resident('a', member_dead)).empty());
    CHECK(it.on_resident(a_resident('b', member_left)).empty());
    CHECK(it.over());
    CHECK(it.silent() == std::vector{a_resident('a').id});
    CHECK(it.on_resident(a_resident('a')).size() == 1);
  }

  TEST_CASE("what is known is not asked for") {
    gathering it;
    it.know(a_resident('a').id);
    CHECK(it.on_resident(a_resident('a')).empty());
    CHECK(it.over());
  }

  TEST_CASE("answers of strangers and late ones are nothing") {
    gathering it;
    CHECK(it.on_page(a_resident('z').id, "x").empty());
    CHECK(!it.on_failed(a_resident('z').id));
    CHECK(it.over());
  }
}

} // namespace legion::gathering_test
