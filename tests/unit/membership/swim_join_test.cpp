#include <doctest/doctest.h>

#include "tests/unit/membership/one_node.hpp"

namespace legion::swim_join_test {

using namespace legion::membership;

namespace {

join_request request(char who, std::uint64_t start = 1) {
  join_request x;
  *x.mutable_who() = one_node::record(who, start);
  return x;
}

join_reply ask(one_node& a, const join_request& x) {
  return a.rules.answer_join(x, a.now, a.all);
}

member numbered(int i) {
  auto x = one_node::record('x');
  auto id = std::string(16, 'n');
  id[0] = static_cast<char>(i);
  x.set_id(id);
  x.set_name("node-" + std::to_string(i));
  return x;
}

} // namespace

TEST_SUITE("membership/swim_join") {

  TEST_CASE("with no cluster and no contacts a node founds one") {
    one_node a{""};
    CHECK(a.rules.cluster().size() == 16);
    auto told = false;
    for (auto& e : a.all)
      if (auto* x = std::get_if<know_cluster>(&e))
        told = x->cluster == a.rules.cluster();
    CHECK(told);
  }

  TEST_CASE("a join is answered with the whole list, and the news of it spreads") {
    one_node a;
    a.join('B');
    REQUIRE(a.reply.has_accepted());
    CHECK(a.reply.accepted().cluster() == std::string(16, 'c'));
    CHECK(a.reply.accepted().members_size() == 2);
    CHECK(a.told_of('B') == std::vector{member_alive});
    a.join('C');
    a.pass(milliseconds{200});
    auto with_record = false;
    for (auto& packet : a.sent_to('B'))
      for (auto& u : packet.updates())
        with_record |= one_node::record_of(u).name() == "node-C";
    CHECK(with_record);
  }

  TEST_CASE("refusals name both sides") {
    one_node a;
    auto x = request('B');
    SUBCASE("another zone") {
      x.mutable_who()->set_zone("eu/fra");
      CHECK(ask(a, x).refused() == "this is zone 'local', you are of zone 'eu/fra'");
    }
    SUBCASE("another cluster") {
      x.set_cluster(std::string(16, 'd'));
      CHECK(ask(a, x).refused()
            == "this is cluster 63636363636363636363636363636363, you are of cluster "
               "64646464646464646464646464646464");
    }
    SUBCASE("an older start number than was seen") {
      a.join('B', 5);
      CHECK(ask(a, x).refused()
            == "your start number is 1, but the zone has seen 5: your journal was lost or is old, "
               "or your clock is. "
               "Restore journal.db, or remove node.key too: then it begins as a new node");
    }
    SUBCASE("this node's own id") {
      CHECK(ask(a, request('A', 9)).refused()
            == "you have the id of node-A: two nodes share one node.key");
    }
    SUBCASE("nonsense") {
      x.mutable_who()->set_id("short");
      CHECK(ask(a, x).has_accepted() == false);
      x = request('B', 0);
      CHECK(ask(a, x).has_accepted() == false);
    }
    CHECK_FALSE(a.reply.later());
    CHECK_FALSE(a.reply.outdated());
  }

  TEST_CASE("another life of a start that was seen is of a journal that was put back") {
    one_node a;
    auto last = request('B', 5);
    last.set_cluster(a.rules.cluster());
    last.mutable_who()->set_life(3);
    REQUIRE(ask(a, last).has_accepted());
    auto copy = last;
    copy.mutable_who()->set_life(4);
    auto refused = ask(a, copy);
    CHECK_FALSE(refused.has_accepted());
    CHECK_FALSE(refused.outdated()); // the other one lives, as far as is known
    CHECK(refused.refused().find("of another life") != std::string::npos);
    copy.mutable_who()->set_life(0); // of a version that tells none
    CHECK(ask(a, copy).has_accepted());
    REQUIRE(ask(a, last).has_accepted());
    a.hear('B', one_node::update('B', 5, 0, member_dead));
    copy.mutable_who()->set_life(4);
    CHECK(ask(a, copy).outdated());
  }

  TEST_CASE("a member whose journal is an old copy: of an earlier life, or of the last one before "
            "its end") {
    one_node a;
    auto last = request('B', 5);
    last.mutable_who()->set_version(7);
    last.set_cluster(a.rules.cluster());
    REQUIRE(ask(a, last).has_accepted());
    auto copy = request('B', 4); // of a folder whose node runs on: it must not be ousted
    copy.set_cluster(a.rules.cluster());
    CHECK_FALSE(ask(a, copy).has_accepted());
    CHECK_FALSE(ask(a, copy).outdated());
    copy = request('A', 0);
    copy.mutable_who()->set_start(1);
    copy.set_cluster(a.rules.cluster());
    CHECK_FALSE(ask(a, copy).outdated());
    a.join('D');
    a.hear('D', one_node::update('B', 5, 0, member_dead));
    REQUIRE(a.seen('B').state == member_dead);
    struct row {
      std::uint64_t start, version;
      bool outdated;
      const char* why;
    };
    for (auto x :
         {row{4, 9, true,
              "your start number is 4, but the zone has seen 5: your journal is an old copy"},
          row{5, 6, true,
              "your start number is 5, but the zone has seen 5 of another life, or from a later "
              "time: your journal is an old copy"},
          row{5, 7, false, ""}, // the same life comes back
          row{5, 8, false, ""}, row{6, 1, false, ""}}) {
      CAPTURE(x.start);
      CAPTURE(x.version);
      auto asks = request('B', x.start);
      asks.mutable_who()->set_version(x.version);
      asks.set_cluster(a.rules.cluster());
      auto reply = ask(a, asks);
      CHECK(reply.outdated() == x.outdated);
      CHECK(reply.refused() == x.why);
      if (x.outdated) { // one that has lost its cluster, too, is not told so: its key may be all it has
        asks.clear_cluster();
        CHECK_FALSE(ask(a, asks).outdated());
      }
    }
  }

  TEST_CASE("a node that is in no cluster itself says: later") {
    one_node a{"", 1};
    auto reply = ask(a, request('B'));
    CHECK(reply.refused() == "this node (node-A) is in no cluster yet");
    CHECK(reply.later());
  }

  TEST_CASE("the 129th join is refused naming the limit; a restart of a member is not a join") {
    one_node a;
    for (int i = 1; i < 128; ++i) {
      join_request x;
      *x.mutable_who() = numbered(i);
      REQUIRE(ask(a, x).has_accepted());
    }
    CHECK(ask(a, request('Z')).refused()
          == "zone 'local' is full: it has 128 members, the limit is 128");
    join_request again;
    *again.mutable_who() = numbered(5);
    again.mutable_who()->set_start(2);
    CHECK(ask(a, again).has_accepted());
  }

  TEST_CASE("the dead count against the limit for ten minutes, or while they keep groups") {
    for (bool keeps : {false, true}) {
      one_node a;
      for (int i = 1; i < 128; ++i) {
        join_request x;
        *x.mutable_who() = numbered(i);
        x.mutable_who()->set_keeps(keeps && i == 9 ? 1 : 0);
        ask(a, x);
      }
      member_update death;
      death.set_id(numbered(9).id());
      death.set_start(1);
      death.set_state(member_dead);
      a.hear('C', death);
      CHECK_FALSE(ask(a, request('Y')).has_accepted());
      a.now += std::chrono::minutes{11};
      CHECK(ask(a, request('Z')).has_accepted() == !keeps);
    }
  }

  TEST_CASE("contacts are asked in turn, then again after a growing pause") {
    one_node a{"", 2};
    auto asked = [&] {
      for (auto& e : a.all)
        if (auto* x = std::get_if<ask_join>(&e))
          return static_cast<int>(x->contact);
      return -1;
    };
    auto first = asked();
    REQUIRE(first >= 0);
    a.all = a.rules.on_join_failed(static_cast<std::size_t>(first), a.now);
    a.pass(milliseconds{1});
    CHECK(asked() == 1 - first);
    std::vector<int> pauses;
    for (int i = 0; i < 12; ++i) {
      a.all = a.rules.on_join_failed(0, a.now);
      auto since = a.now;
      while (true) {
        a.pass(milliseconds{10});
        if (asked() >= 0)
          break;
      }
      pauses.push_back(static_cast<int>((a.now - since) / milliseconds{1}));
    }
    CHECK(*std::max_element(pauses.begin(), pauses.end()) <= 10'010);
    CHECK(*std::max_element(pauses.begin(), pauses.end()) >= 7'000);
    CHECK(*std::max_element(pauses.begin(), pauses.begin() + 3) <= 1'010);
  }

  TEST_CASE("two living members are never of one name; a dead one's is free again") {
    one_node a;
    a.join('B');
    auto x = request('C');
    x.mutable_who()->set_name("node-B");
    CHECK(a.rules.answer_join(x, a.now, a.all).refused().find("another member is named 'node-B'")
          == 0);
    a.hear('D', one_node::update('B', 1, 0, member_dead));
    REQUIRE(a.seen('B').state == member_dead);
    CHECK(a.rules.answer_join(x, a.now, a.all).has_accepted());
    auto again = request('B'); // a restart under its own name is no clash
    again.mutable_who()->set_start(2);
    again.mutable_who()->set_name("node-A2");
    CHECK(a.rules.answer_join(again, a.now, a.all).has_accepted());
  }

  TEST_CASE("the list of the one that accepts is taken over, and with it the cluster") {
    one_node a{"", 1};
    join_reply reply;
    auto& list = *reply.mutable_accepted();
    list.set_cluster(std::string(16, 'k'));
    for (char c : {'B', 'C'}) {
      auto& u = *list.add_members();
      u = one_node::update(c, 1, 0, c == 'B' ? member_alive : member_dead);
      u.set_record(one_node::record(c).SerializeAsString());
    }
    a.all = a.rules.on_join_reply(0, reply, a.now);
    CHECK(a.rules.cluster() == std::string(16, 'k'));
    CHECK(a.seen('B').state == member_alive);
    CHECK(a.seen('C').state == member_dead); // keepers need them
    auto known = false;
    for (auto& e : a.all)
      known |= std::holds_alternative<know_cluster>(e);
    CHECK(known);
  }

  TEST_CASE("what the zone tells a joining node is no news to the zone: it pushes itself only") {
    one_node a{"", 1};
    join_reply reply;
    auto& list = *reply.mutable_accepted();
    list.set_cluster(std::string(16, 'k'));
    for (char c : {'B', 'C', 'D'}) {
      auto& u = *list.add_members();
      u = one_node::update(c, 1, 0, member_alive);
      u.set_record(one_node::record(c).SerializeAsString());
    }
    a.all = a.rules.on_join_reply(0, reply, a.now);
    a.pass(milliseconds{500});
    auto itself = 0;
    for (char c : {'B', 'C', 'D'})
      for (auto& packet : a.sent_to(c))
        for (auto& u : packet.updates()) {
          CHECK(u.id() == one_node::id('A').bytes());
          ++itself;
        }
    CHECK(itself > 0);
  }

  TEST_CASE(
      "a contact that nobody tells of is sought, less and less often: it may be of an island") {
    one_node a{std::string(16, 'k'), 3};
    auto accepted_by = [&](const std::string& whom) {
      join_reply reply;
      reply.mutable_accepted()->set_cluster(std::string(16, 'k'));
      for (char c : whom) {
        auto& u = *reply.mutable_accepted()->add_members();
        u = one_node::update(c, 1, 0, member_alive);
        u.set_record(one_node::record(c).SerializeAsString());
      }
      return reply;
    };
    auto sought = [&]() -> std::optional<std::size_t> {
      for (auto& e : a.all)
        if (auto* x = std::get_if<ask_join>(&e))
          return x->contact;
      return std::nullopt;
    };
    a.join('D'); // itself only just starting, it lets another in
    a.all = a.rules.on_join_reply(0, accepted_by("PE"), a.now);
    CHECK_FALSE(a.rules.joining());
    auto told_of_d = [&] {
      for (auto& e : a.all)
        if (auto* x = std::get_if<ask_list>(&e))
          for (auto& u : x->what.members())
            if (u.id() == one_node::id('D').bytes())
              return x->to;
      return node_id{};
    };
    CHECK(told_of_d() == one_node::id('P'));
    a.pass(milliseconds{1'100});
    REQUIRE(sought().has_value());
    CHECK(*sought() != 0);
    a.all = a.rules.on_join_reply(1, accepted_by("QST"), a.now);
    CHECK(told_of_d() == one_node::id('Q'));
    CHECK(a.seen('S').state == member_alive);
    a.pass(milliseconds{500});
    auto news = false; // to its own island
    for (char c : {'D', 'E', 'P'})
      for (auto& packet : a.sent_to(c))
        for (auto& u : packet.updates())
          news |= u.id() == one_node::id('S').bytes();
    CHECK(news);
    auto tries = 0; // of the third, which nobody knows
    for (auto began = a.now; a.now - began < std::chrono::minutes{10}; a.pass(milliseconds{100}))
      if (auto contact = sought()) {
        CHECK(*contact == 2);
        a.all = a.rules.on_join_failed(*contact, a.now);
        ++tries;
      }
    CHECK(tries > 8);
    CHECK(tries < 20);
    a.join('R');
    a.pass(std::chrono::minutes{5});
    CHECK_FALSE(sought().has_value()); // all three are known
  }

  TEST_CASE("who is not let in yet answers for no life of its number, but tells of a later one") {
    one_node a{std::string(16, 'k'), 1};
    swim_packet ping;
    ping.mutable_ping()->set_sequence(5);
    *ping.add_updates() = one_node::update('A', 3, 0, member_dead, 0);
    a.hear('B', ping);
    CHECK(a.sent(swim_packet::kAck) == nullptr);
    CHECK(a.seen('A').incarnation == 0);
    CHECK(a.sent_to('B').empty());
    a.hear('B', one_node::update('A', 2, 0, member_dead)); // of its last start
    REQUIRE_FALSE(a.sent_to('B').empty());
    CHECK(a.sent_to('B')[0].updates(0).start() == 3);
    join_reply reply;
    reply.mutable_accepted()->set_cluster(std::string(16, 'k'));
    a.all = a.rules.on_join_reply(0, reply, a.now);
    a.hear('B', ping);
    CHECK(a.sent(swim_packet::kAck) != nullptr);
    CHECK(a.seen('A').incarnation == 1);
  }

  TEST_CASE("what is known of a new start without its record is not of the one before") {
    one_node a;
    auto last = request('B', 3);
    last.set_cluster(a.rules.cluster());
    last.mutable_who()->set_life(7);
    last.mutable_who()->set_version(11);
    REQUIRE(ask(a, last).has_accepted());
    a.join('C');
    a.hear('C', one_node::update('B', 4, 0, member_alive));
    CHECK(value(a.seen('B').start) == 4);
    auto told = record_of(a.seen('B'));
    CHECK(told.start() == 4);
    CHECK(told.life() == 0);
    auto back = request('B', 4);
    back.set_cluster(a.rules.cluster());
    back.mutable_who()->set_life(9);
    CHECK(ask(a, back).has_accepted());
  }

  TEST_CASE("a node that has a cluster is not taken into another") {
    one_node a{std::string(16, 'c'), 1};
    join_reply reply;
    reply.mutable_accepted()->set_cluster(std::string(16, 'k'));
    a.all = a.rules.on_join_reply(0, reply, a.now);
    CHECK(a.rules.cluster() == std::string(16, 'c'));
    auto grave = false;
    for (auto& e : a.all)
      if (auto* x = std::get_if<note>(&e))
        grave |= x->grave && x->event == "join_wrong_cluster";
    CHECK(grave);
  }

  TEST_CASE("lists are compared by digest, and sent only where they differ") {
    one_node a;
    a.join('B');
    member_list question;
    question.set_cluster(std::string(16, 'c'));
    question.set_digest(a.rules.members().digest());
    CHECK(a.rules.answer_list(question, a.now, a.all).members_size() == 0);
    question.set_digest(1);
    auto answer = a.rules.answer_list(question, a.now, a.all);
    CHECK(answer.members_size() == 2);

    one_node b; // has the same id, but knows C besides
    b.join('C');
    auto lacking = b.rules.on_list(one_node::id('B'), answer, b.now);
    auto sent = false;
    for (auto& e : lacking)
      if (auto* x = std::get_if<ask_list>(&e))
        sent = x->what.members_size() == 1
               && one_node::record_of(x->what.members(0)).name() == "node-C";
    CHECK(sent);
  }

} // TEST_SUITE

} // namespace legion::swim_join_test
