#include <doctest/doctest.h>

#include <string_view>

#include "tests/unit/membership/one_node.hpp"

namespace legion::swim_test {

using namespace legion::membership;

namespace {

swim_packet ack(std::uint32_t sequence) {
  swim_packet x;
  x.mutable_ack()->set_sequence(sequence);
  return x;
}

/// Runs until the routine probe has gone out; whom it asks, and its number.
std::pair<char, std::uint32_t> probe_begins(one_node& a) {
  for (auto i = 0; i < 200; ++i) {
    a.pass(milliseconds{10});
    for (auto& e : a.all)
      if (auto* x = std::get_if<send_packet>(&e); x && x->what.ping().sequence() != 0)
        return {x->to.bytes()[0], x->what.ping().sequence()};
  }
  return {};
}

/// Lets time pass while these answer each ping at once; how often they were pinged.
std::size_t pass_answered(one_node& a, milliseconds time, std::string_view who) {
  std::size_t pings = 0;
  for (auto end = a.now + time; a.now < end;) {
    a.pass(milliseconds{50});
    for (char c : who)
      for (const auto& x : a.sent_to(c))
        if (x.has_ping()) {
          ++pings;
          a.hear(c, ack(x.ping().sequence()));
        }
  }
  return pings;
}

bool refutes(const swim_packet& x, std::uint32_t incarnation) {
  for (auto& u : x.updates())
    if (u.id() == one_node::id('A').bytes() && u.state() == member_alive
        && u.incarnation() == incarnation)
      return true;
  return false;
}

} // namespace

TEST_SUITE("membership/swim") {

  TEST_CASE("SWIM 4.2: what was said of a member, in any order, ends in the "
            "highest standing") {
    struct row {
      std::uint64_t start;
      std::uint32_t incarnation;
      member_state state;
    };
    // Each beats all before it.
    const row ladder[] = {{1, 0, member_alive},   {1, 0, member_suspect}, {1, 0, member_dead},
                          {1, 0, member_left},    {1, 1, member_alive},   {1, 1, member_suspect},
                          {1, 2, member_alive},   {1, 2, member_dead},    {2, 0, member_alive},
                          {2, 0, member_suspect}, {2, 0, member_dead}};
    for (std::size_t i = 0; i < std::size(ladder); ++i) {
      for (std::size_t k = 0; k < std::size(ladder); ++k) {
        one_node a;
        a.join('B');
        for (auto n : {i, k})
          a.hear('C', one_node::update('B', ladder[n].start, ladder[n].incarnation, ladder[n].state,
                                       'C'));
        auto& best = ladder[std::max(i, k)];
        CAPTURE(i);
        CAPTURE(k);
        CHECK(value(a.seen('B').start) == best.start);
        CHECK(a.seen('B').incarnation == best.incarnation);
        CHECK(a.seen('B').state == best.state);
      }
    }
  }

  TEST_CASE("a higher start is a birth: subscribers hear of it with the new "
            "start number") {
    one_node a;
    a.join('B', 1);
    a.hear('C', one_node::update('B', 1, 0, member_dead));
    a.join('B', 2);
    CHECK(a.told_of('B') == std::vector{member_alive});
    CHECK(record_of(a.seen('B')).start() == 2);
    a.hear('C', one_node::update('B', 1, 9, member_dead)); // of the life before
    CHECK(a.seen('B').state == member_alive);
    // Of the next one nothing is known yet; it drains no more, and its disk has space.
    join_request x;
    *x.mutable_who() = one_node::record('B', 3);
    x.mutable_who()->set_draining(true);
    x.mutable_who()->set_disk_full(true);
    a.reply = a.rules.answer_join(x, a.now, a.all);
    REQUIRE(record_of(a.seen('B')).draining());
    a.hear('C', one_node::update('B', 4, 0, member_alive));
    CHECK(record_of(a.seen('B')).start() == 4);
    CHECK_FALSE(record_of(a.seen('B')).draining());
    CHECK_FALSE(record_of(a.seen('B')).disk_full());
  }

  TEST_CASE("SWIM 3.1: a ping; then others are asked; then the target is suspected") {
    one_node a;
    for (char c : {'B', 'C', 'D', 'E', 'F'})
      a.join(c);
    a.pass(milliseconds{1});
    auto [target, sequence] = probe_begins(a);
    a.pass(milliseconds{310});
    CHECK(a.count(swim_packet::kPingRequest) == 3);
    CHECK(a.seen(target).state == member_alive);
    a.pass(milliseconds{400});
    CHECK(a.seen(target).state == member_suspect);
    CHECK(a.told_of(target) == std::vector{member_suspect});
    CHECK_FALSE(a.sent_to(target).empty()); // Lifeguard IV-C: who is accused hears it at once
    CHECK(a.sent_to(target)[0].updates(0).state() == member_suspect);
  }

  TEST_CASE("who is heard of by other means is not pinged; its silence is noticed as soon") {
    one_node a;
    for (char c : {'B', 'C'})
      a.join(c);
    for (int i = 0; i < 20; ++i)
      pass_answered(a, milliseconds{500}, "BC"); // the news of them goes out
    std::size_t pings = 0;
    for (int i = 0; i < 20; ++i) {
      for (char c : {'B', 'C'})
        a.rules.on_heard(one_node::id(c), a.now);
      pings += pass_answered(a, milliseconds{500}, "BC");
    }
    CHECK(pings == 0);
    // Now nothing of C: every probe is its, whosever turn it is.
    std::size_t of_b = 0;
    for (int i = 0; i < 40; ++i) {
      if (i % 10 == 0)
        a.rules.on_heard(one_node::id('B'), a.now);
      auto pings_now = pass_answered(a, milliseconds{50}, "B");
      if (a.seen('C').state != member_alive)
        break; // of which B is told at once
      of_b += pings_now;
    }
    CHECK(of_b == 0);
    CHECK(a.seen('C').state == member_suspect);
    CHECK(a.seen('B').state == member_alive);
  }

  TEST_CASE("an accusation rides on pings to those who are heard of, too") {
    one_node a;
    for (char c : std::string_view{"BCDEFGH"})
      a.join(c);
    auto pings = [&](int steps) {
      std::size_t found = 0;
      for (int i = 0; i < steps; ++i) {
        for (char c : std::string_view{"BCDEFGH"})
          a.rules.on_heard(one_node::id(c), a.now);
        found += pass_answered(a, milliseconds{400}, "BCEFGH");
      }
      return found;
    };
    pings(40);
    CHECK(pings(10) == 0);
    a.hear('C', one_node::update('D', 1, 0, member_suspect, 'C'));
    REQUIRE(a.seen('D').state == member_suspect);
    CHECK(pings(3) != 0);
  }

  TEST_CASE("an ack in time, by whatever way, ends the probe") {
    for (int after_ms : {1, 400}) {
      one_node a;
      for (char c : {'B', 'C', 'D'})
        a.join(c);
      auto [target, sequence] = probe_begins(a);
      a.pass(milliseconds{after_ms});
      a.hear(after_ms == 1 ? target : (target == 'B' ? 'C' : 'B'), ack(sequence));
      a.pass(milliseconds{650});
      CHECK(a.seen(target).state == member_alive);
    }
  }

  TEST_CASE("a helper pings for another, and says ack or, hearing nothing, "
            "nack (Lifeguard IV-A)") {
    one_node a;
    a.join('B');
    a.join('C');
    swim_packet ask;
    ask.mutable_ping_request()->set_sequence(77);
    ask.mutable_ping_request()->set_target(one_node::id('C').bytes());
    a.hear('B', ask);
    REQUIRE(a.sent(swim_packet::kPing));
    CHECK(a.sent(swim_packet::kPing)->to == one_node::id('C'));
    auto sequence = a.sent(swim_packet::kPing)->what.ping().sequence();
    SUBCASE("the target answers") {
      a.hear('C', ack(sequence));
      REQUIRE(a.sent(swim_packet::kAck));
      CHECK(a.sent(swim_packet::kAck)->to == one_node::id('B'));
      CHECK(a.sent(swim_packet::kAck)->what.ack().sequence() == 77);
    }
    SUBCASE("it does not") {
      a.pass(milliseconds{300});
      REQUIRE(a.sent(swim_packet::kNack));
      CHECK(a.sent(swim_packet::kNack)->to == one_node::id('B'));
      CHECK(a.sent(swim_packet::kNack)->what.nack().sequence() == 77);
    }
  }

  TEST_CASE("helpers that are silent too make a node doubt itself; nacks clear it") {
    for (bool nacks : {false, true}) {
      one_node a;
      for (char c : {'B', 'C', 'D'})
        a.join(c);
      auto [target, sequence] = probe_begins(a);
      a.pass(milliseconds{310});
      for (char c : {'B', 'C', 'D'}) {
        swim_packet nack;
        nack.mutable_nack()->set_sequence(sequence);
        if (nacks && c != target)
          a.hear(c, nack);
      }
      a.pass(milliseconds{400});
      CHECK(a.rules.health() == (nacks ? 0 : 2));
    }
  }

  TEST_CASE("a suspect is dead at its deadline, which confirmations bring nearer") {
    for (bool confirmed : {false, true}) {
      one_node a;
      for (char c : {'B', 'C', 'D', 'E', 'F'})
        a.join(c);
      a.hear('C', one_node::update('B', 1, 0, member_suspect, 'C'));
      if (confirmed)
        for (char c : {'D', 'E', 'F'})
          a.hear(c, one_node::update('B', 1, 0, member_suspect, c));
      auto left = a.seen('B').doubt->deadline() - a.now;
      CHECK(left == milliseconds{confirmed ? 1300 : 7800});
    }
  }

  TEST_CASE("who hears of a suspicion from its accuser sees for itself; from "
            "others it does not") {
    for (char from : {'C', 'D'}) {
      one_node a;
      for (char c : {'B', 'C', 'D', 'E', 'F'})
        a.join(c);
      a.pass(milliseconds{1});
      a.hear(from, one_node::update('B', 1, 0, member_suspect, 'C'));
      auto pinged = false;
      for (auto& x : a.sent_to('B'))
        pinged |= x.ping().sequence() != 0;
      CHECK(pinged == (from == 'C'));
    }
  }

  TEST_CASE("SWIM 4.2: only the member itself may contradict: it raises its "
            "incarnation") {
    one_node a;
    a.join('B');
    a.hear('B', one_node::update('A', 3, 0, member_suspect, 'B'));
    CHECK(a.seen('A').state == member_alive);
    CHECK(a.seen('A').incarnation == 1);
    REQUIRE_FALSE(a.sent_to('B').empty());
    CHECK(refutes(a.sent_to('B')[0], 1));
    CHECK(a.rules.health() == 1); // Lifeguard IV-A
    a.hear('B', one_node::update('A', 3, 4, member_dead));
    CHECK(a.seen('A').incarnation == 5);
    a.hear('B', one_node::update('A', 3, 4, member_dead)); // old by now
    CHECK(a.seen('A').incarnation == 5);
    REQUIRE_FALSE(a.sent_to('B').empty()); // but who still says it must learn better
    CHECK(refutes(a.sent_to('B')[0], 5));
  }

  TEST_CASE("words of an earlier life of this node are answered with its "
            "record, not refuted") {
    one_node a;
    a.join('B');
    a.hear('B', one_node::update('A', 2, 7, member_dead));
    CHECK(a.seen('A').incarnation == 0);
    REQUIRE_FALSE(a.sent_to('B').empty());
    CHECK(one_node::record_of(a.sent_to('B')[0].updates(0)).start() == 3);
  }

  TEST_CASE("a dead member that pings is told so in the ack") {
    one_node a;
    a.join('B');
    a.hear('C', one_node::update('B', 1, 2, member_dead));
    swim_packet ping;
    ping.mutable_ping()->set_sequence(5);
    a.hear('B', ping);
    REQUIRE(a.sent(swim_packet::kAck));
    auto& first = a.sent(swim_packet::kAck)->what.updates(0);
    CHECK(first.id() == one_node::id('B').bytes());
    CHECK(first.state() == member_dead);
    CHECK(first.incarnation() == 2);
  }

  TEST_CASE("an old list does not kill: the member itself is asked, and told "
            "what is said") {
    one_node a;
    a.join('B');
    a.join('C');
    member_list list;
    list.set_cluster(std::string(16, 'c'));
    *list.add_members() = one_node::update('B', 1, 0, member_dead);
    a.all = a.rules.on_list(one_node::id('C'), list, a.now);
    CHECK(a.seen('B').state == member_alive);
    REQUIRE_FALSE(a.sent_to('B').empty());
    auto told = false;
    auto packet = a.sent_to('B')[0];
    for (auto& u : packet.updates())
      told |= u.state() == member_dead;
    CHECK(told);
  }

  TEST_CASE("a closed connection makes a probe come at once") {
    one_node a;
    a.join('B');
    a.all = a.rules.on_connection(one_node::id('B'), true, a.now);
    CHECK_FALSE(a.sent(swim_packet::kPing)); // that one opened says nothing new
    a.all = a.rules.on_connection(one_node::id('B'), false, a.now);
    REQUIRE(a.sent(swim_packet::kPing));
    CHECK(a.sent(swim_packet::kPing)->to == one_node::id('B'));
    a.pass(milliseconds{2100}); // two members: nobody could confirm
    CHECK(a.seen('B').state == member_dead);
    a.all = a.rules.on_connection(one_node::id('B'), false, a.now);
    CHECK(a.sent_to('B').empty()); // or each refused connection would make another
    a.all = a.rules.on_connection(one_node::id('B'), true, a.now);
    CHECK_FALSE(a.sent_to('B').empty());
  }

  TEST_CASE("a node that stood still accuses nobody for that time, and asks "
            "what is said of it") {
    one_node a;
    for (char c : {'B', 'C', 'D', 'E'})
      a.join(c);
    auto [target, sequence] = probe_begins(a);
    a.hear('C', one_node::update('B', 1, 0, member_suspect, 'C'));
    a.now += seconds{20};
    a.all = a.rules.on_tick(a.now);
    for (char c : {'B', 'C', 'D', 'E'})
      CHECK(a.seen(c).state != member_dead);
    CHECK(a.seen(target).state == (target == 'B' ? member_suspect : member_alive));
    CHECK(a.count(swim_packet::kPing) >= 3);
    CHECK(a.rules.health() == 2);
  }

  TEST_CASE("a description raises the version and spreads; the same "
            "description does nothing") {
    one_node a;
    a.join('B');
    a.pass(milliseconds{200});
    auto mine = one_node::record('A', 3);
    mine.set_keeps(5);
    mine.set_name("node-A");
    mine.set_zone("elsewhere"); // not its to change
    a.all = a.rules.describe(mine, a.now);
    CHECK(a.seen('A').record->said.version() == 2);
    CHECK(a.seen('A').record->said.zone() == "local");
    CHECK(a.told_of('A') == std::vector{member_alive});
    REQUIRE_FALSE(a.sent_to('B').empty());
    CHECK(one_node::record_of(a.sent_to('B')[0].updates(0)).keeps() == 5);
    a.all = a.rules.describe(mine, a.now);
    CHECK(a.seen('A').record->said.version() == 2);
    CHECK(a.all.empty());
  }

  TEST_CASE("what strangers send is ignored where it makes no sense") {
    one_node a;
    a.join('B');
    auto before = a.rules.members().digest();
    auto nonsense = one_node::update('B', 0, 0, member_dead); // no start number
    a.hear('C', nonsense);
    a.hear('C', one_node::update('B', 1, 0xffffffff,
                                 member_dead));            // could not be refuted
    a.hear('C', one_node::update('D', 1, 0, member_dead)); // nobody knows it
    auto other_zone = one_node::update('E', 1, 0, member_alive);
    auto abroad = one_node::record('E');
    abroad.set_zone("eu");
    other_zone.set_record(abroad.SerializeAsString());
    a.hear('C', other_zone);
    auto other_id = one_node::update('E', 1, 0, member_alive);
    other_id.set_record(one_node::record('F').SerializeAsString());
    a.hear('C', other_id);
    auto huge = one_node::update('E', 1, 0, member_alive);
    auto long_record = one_node::record('E');
    long_record.set_binary_version(std::string(5000, 'x'));
    huge.set_record(long_record.SerializeAsString());
    a.hear('C', huge);
    auto torn = one_node::update('E', 1, 0, member_alive);
    torn.set_record("\x0a\x7f"
                    "no member");
    a.hear('C', torn);
    member_update bad;
    bad.set_id("short");
    a.hear('C', bad);
    a.hear('C', ack(12345));
    CHECK(a.rules.members().digest() == before);
    CHECK(a.rules.members().all().size() == 2);
  }

} // TEST_SUITE

} // namespace legion::swim_test
