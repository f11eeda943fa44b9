#include <doctest/doctest.h>

#include "tests/unit/membership/one_node.hpp"

/// Two processes that counted the same start: one of them has an old copy of the other's journal.
namespace legion::swim_lives_test {

using namespace legion::membership;

namespace {

/// Node A, in a zone with C and with life 7 of B's start 3.
one_node with_life_of_b() {
  one_node a;
  join_request x;
  *x.mutable_who() = one_node::record('B', 3);
  x.mutable_who()->set_life(7);
  a.rules.answer_join(x, a.now, a.all);
  a.join('C');
  return a;
}

member_update of_life(member_update x, std::uint32_t life) {
  x.set_life(life);
  return x;
}

std::string outdated_in(const effects& all) {
  for (auto& e : all)
    if (auto* x = std::get_if<tell_outdated>(&e))
      return x->why;
  return {};
}

} // namespace

TEST_SUITE("membership/swim_lives") {

  TEST_CASE("what is said of one life is not said of another") {
    auto a = with_life_of_b();
    a.hear('C', of_life(one_node::update('B', 3, 4, member_alive), 8));
    CHECK(a.seen('B').incarnation == 0); // so a copy cannot refute for whom it is a copy of
    a.hear('C', of_life(one_node::update('B', 3, 0, member_suspect, 'C'), 8));
    CHECK(a.seen('B').state == member_alive);
    a.hear('C', of_life(one_node::update('B', 3, 4, member_alive), 7));
    CHECK(a.seen('B').incarnation == 4);
    a.hear('C', one_node::update('B', 3, 5, member_alive)); // it may be any
    CHECK(a.seen('B').incarnation == 5);
  }

  TEST_CASE("gossip says of which life it is") {
    auto a = with_life_of_b();
    a.hear('C', of_life(one_node::update('B', 3, 0, member_suspect, 'C'), 7));
    a.pass(milliseconds{200});
    auto said = false;
    for (auto& packet : a.sent_to('C'))
      for (auto& u : packet.updates())
        said = said || (u.id() == one_node::id('B').bytes() && u.life() == 7);
    CHECK(said);
  }

  TEST_CASE("nobody is pinged on behalf of who means another life; the nack comes all the same") {
    auto a = with_life_of_b();
    auto asks = [&](std::uint32_t life) {
      swim_packet x;
      x.mutable_ping_request()->set_sequence(5);
      x.mutable_ping_request()->set_target(one_node::id('B').bytes());
      x.mutable_ping_request()->set_life(life);
      a.hear('C', x);
      return a.count(swim_packet::kPing);
    };
    CHECK(asks(8) == 0);
    CHECK(asks(7) == 1);
    a.pass(seconds{1});
    CHECK(a.count(swim_packet::kNack) == 2);
  }

  TEST_CASE("who hears that another life of its start is over has an old journal") {
    auto setting = one_node::setting_for(std::string(16, 'c'), 0);
    setting.self.set_life(9);
    one_node a;
    a.rules = swim{setting, a.now};
    a.all = a.rules.start(a.now);
    a.join('B');
    a.hear('B', of_life(one_node::update('A', 3, 0, member_suspect, 'B'), 8));
    CHECK(outdated_in(a.all).empty());
    CHECK(a.seen('A').incarnation == 0); // it does not refute for the other
    a.hear('B', of_life(one_node::update('A', 3, 0, member_dead), 9));
    CHECK(outdated_in(a.all).empty());
    CHECK(a.seen('A').incarnation == 1);
    a.hear('B', of_life(one_node::update('A', 3, 0, member_dead), 8));
    CHECK(outdated_in(a.all).find("another life of start 3") != std::string::npos);
  }

  TEST_CASE("who comes back hears how long the dead have been dead") {
    one_node a;
    a.join('B');
    auto list = [&](std::uint32_t down) {
      auto x = one_node::update('C', 1, 0, member_dead);
      x.set_record(one_node::record('C').SerializeAsString());
      x.set_down_s(down);
      member_list result;
      result.set_cluster(a.rules.cluster());
      *result.add_members() = x;
      return result;
    };
    a.all = a.rules.on_list(one_node::id('B'), list(660), a.now);
    CHECK(a.seen('C').changed == a.now - seconds{660});
    auto told = std::find_if(a.all.begin(), a.all.end(),
                             [](auto& e) { return std::holds_alternative<tell_change>(e); });
    REQUIRE(told != a.all.end());
    CHECK(std::get<tell_change>(*told).since == a.now - seconds{660});
    a.pass(seconds{40});
    auto before = a.now - seconds{700};
    join_request join;
    *join.mutable_who() = one_node::record('D');
    auto answer = a.rules.answer_join(join, a.now, a.all).accepted();
    for (auto& x : answer.members()) {
      if (x.id() == one_node::id('C').bytes())
        CHECK(x.down_s() == 700);
      if (x.id() == one_node::id('A').bytes())
        CHECK(x.down_s() == 0);
    }
    CHECK(a.seen('C').changed == before);
  }

} // TEST_SUITE

} // namespace legion::swim_lives_test
