#include <doctest/doctest.h>

#include <random>

#include "tests/unit/consensus/few_members.hpp"

namespace legion::replication_test {

using namespace legion::consensus;

namespace {

entry_ref data(log_index i, term_number t, std::string what = "x") {
  return std::make_shared<const entry>(entry{i, t, entry_kind::data, std::move(what)});
}

} // namespace

TEST_SUITE("consensus/replication") {

  TEST_CASE("a proposal is on all members, in order") {
    for (int count : {1, 2, 3, 5, 7}) {
      few_members group{count};
      auto leader = group.elect();
      CAPTURE(count);
      REQUIRE(leader >= 0);
      for (int i = 0; i < 100; ++i)
        REQUIRE(group.rules(leader).propose("x" + std::to_string(i)));
      group.pass(milliseconds{100});
      for (int i = 0; i < count; ++i) {
        CHECK(group[i].state.size() == 100);
        CHECK(group[i].state[99] == "x99");
        CHECK(group[i].alarms.empty());
      }
    }
  }

  TEST_CASE("figure 8: an old entry on a majority isn't committed by counting (3.6.2)") {
    // a leads in term 2, e in term 3; a again in term 4, and copies its entry of term 2 to a
    // majority.
    few_members group{5};
    for (int i : {0, 1}) {
      group[i].voted = {2, nth_member(0)};
      group[i].entries = {data(1, 1, "one"), data(2, 2, "two")};
    }
    for (int i : {2, 3}) {
      group[i].voted = {3, nth_member(4)};
      group[i].entries = {data(1, 1, "one")};
    }
    group[4].voted = {3, nth_member(4)};
    group[4].entries = {data(1, 1, "one"), data(2, 3, "three")};
    for (int i = 0; i < 5; ++i)
      group.start(i);
    auto among = [](std::initializer_list<int> all) {
      std::vector<member_id> who;
      for (int i : all)
        who.push_back(nth_member(i));
      return [who](const message& m) {
        return std::find(who.begin(), who.end(), m.from) != who.end()
               && std::find(who.begin(), who.end(), m.to) != who.end();
      };
    };
    // Only a may win: it leads in term 4, its own entry of that term reaches nobody.
    group.passes = [&](const message& m) {
      auto* what = std::get_if<append>(&m.body);
      bool own = what && !what->entries.empty() && what->entries.back()->term > 3;
      return among({0, 1, 2})(m) && !own
             && (m.from == nth_member(0) || !std::holds_alternative<vote_request>(m.body));
    };
    group.rules(0).on_message({nth_member(1), nth_member(0), 3, take_over{}}, group.now());
    for (int i = 0; i < 50 && group.rules(0).role() != role::leader; ++i)
      group.pass(milliseconds{100});
    REQUIRE(group.rules(0).role() == role::leader);
    auto term = group.rules(0).term();
    CHECK(term > 3);
    // It copies the old entry, alone, and hears that a majority has it.
    for (int i : {1, 2})
      group.deliver({nth_member(i), nth_member(0), term, append_reply{true, 2, 0, 0, 2, 9, 1}});
    group.settle();
    CHECK(group.rules(0).commit() == 1);
    // With an entry of its own term it is committed along.
    for (int i : {1, 2})
      group.deliver({nth_member(i), nth_member(0), term, append_reply{true, 3, 0, 0, 3, 10, 1}});
    group.settle();
    CHECK(group.rules(0).commit() == 3);
  }

  TEST_CASE("an append is answered when it is on disk, not before (3.8)") {
    few_members group{3};
    auto leader = group.elect();
    group.pass(milliseconds{200});
    auto a = (leader + 1) % 3;
    auto b = (leader + 2) % 3;
    group[a].holds_sync = group[b].holds_sync = true;
    REQUIRE(group.rules(leader).propose("x"));
    group.settle();
    CHECK(group[leader].state.empty());
    group.sync(a);
    CHECK(group[leader].state.size() == 1);
  }

  TEST_CASE("the leader counts its own copy only when it is on its disk (10.2.1)") {
    few_members group{3};
    auto leader = group.elect();
    group[leader].holds_sync = true;
    group.cut_off((leader + 1) % 3);
    REQUIRE(group.rules(leader).propose("x"));
    group.settle();
    CHECK(group[leader].state.empty());
    group.sync(leader);
    CHECK(group[leader].state.size() == 1);
  }

  TEST_CASE("a leader with a slow disk applies what the others have on theirs (10.2.1)") {
    few_members group{3};
    auto leader = group.elect();
    group.pass(milliseconds{200});
    group[leader].holds_sync = true;
    REQUIRE(group.rules(leader).propose("x"));
    group.settle();
    CHECK(group[leader].state.size() == 1);
    group.restart(leader); // it never came to its disk
    CHECK(group[leader].state.empty());
    group[leader].holds_sync = false;
    REQUIRE(group.elect() >= 0);
    group.pass(milliseconds{500});
    for (int i = 0; i < 3; ++i)
      CHECK(group[i].state == std::vector<std::string>{"x"});
  }

  TEST_CASE("a follower applies what is on its own disk, too") {
    few_members group{3};
    auto leader = group.elect();
    group.pass(milliseconds{200});
    auto slow = (leader + 1) % 3;
    group[slow].holds_sync = true;
    REQUIRE(group.rules(leader).propose("x"));
    group.pass(milliseconds{500});
    CHECK(group[leader].state.size() == 1);
    CHECK(group[slow].state.empty());
    group.sync(slow);
    CHECK(group[slow].state.size() == 1);
  }

  TEST_CASE("a follower that is far behind and apart is found by terms, not entry by entry (5.3)") {
    few_members group{2, {}, 2};
    group[0].entries = {data(1, 1)};
    group[1].entries = {data(1, 1)};
    for (log_index i = 2; i <= 2000; ++i) {
      group[0].entries.push_back(data(i, 5));
      group[1].entries.push_back(data(i, i < 1000 ? 2 : 3));
    }
    for (int i : {0, 1}) {
      group[i].voted = {5, {}};
      group.start(i);
    }
    int appends = 0;
    group.passes = [&](const message& m) {
      appends += std::holds_alternative<append>(m.body);
      return true;
    };
    REQUIRE(group.elect() == 0);
    group.pass(milliseconds{100});
    CHECK(group[1].state.size() == 1999);
    CHECK(group[1].entries.back()->term > 5);
    CHECK(group[1].entries[1000]->term == 5);
    CHECK(appends < 10);
  }

  TEST_CASE("what is lost is sent anew; what comes twice or late does no harm") {
    few_members group{3};
    auto leader = group.elect();
    std::mt19937_64 random{1};
    group.passes = [&](const message& m) {
      if (random() % 3 == 0)
        group.deliver(m); // before others, and once more
      return random() % 2 == 0;
    };
    for (int i = 0; i < 50; ++i) {
      REQUIRE(group.rules(leader).propose(std::to_string(i)));
      group.pass(milliseconds{10});
    }
    group.pass(milliseconds{20'000});
    for (int i = 0; i < 3; ++i)
      CHECK(group[i].state.size() == 50);
  }

  TEST_CASE("a window bounds what is unanswered, in messages and in bytes") {
    options tuned;
    tuned.append_bytes = 1000;
    tuned.window_bytes = 4000;
    few_members group{3, tuned};
    auto leader = group.elect();
    auto deaf = group[(leader + 1) % 3].who;
    std::size_t bytes = 0;
    group.passes = [&](const message& m) {
      if (m.to != deaf)
        return true;
      if (auto* x = std::get_if<append>(&m.body))
        for (auto& e : x->entries)
          bytes += e->data.size();
      return false;
    };
    for (int i = 0; i < 100; ++i)
      REQUIRE(group.rules(leader).propose(std::string(500, 'x')));
    group.settle();
    CHECK(bytes <= 5000);
    CHECK(bytes >= 3000);
    CHECK(group[leader].state.size() == 100);
  }

  TEST_CASE("a follower that is down costs nothing: no message, no timer") {
    few_members group{3};
    auto leader = group.elect();
    group.pass(milliseconds{300});
    auto down = (leader + 2) % 3;
    group.crash(down);
    int sent = 0;
    group.passes = [&](const message& m) {
      sent += m.to == nth_member(down);
      return true;
    };
    REQUIRE(group.rules(leader).propose("x"));
    group.pass(milliseconds{2'000});
    auto before = sent;
    group.pass(milliseconds{60'000});
    CHECK(sent == before);
    CHECK(group.rules(leader).role() == role::leader);
    CHECK(group.rules(leader).wake_at() == time_point::max());
    group.restart(down); // and is looked after when it is heard again
    group.pass(milliseconds{200});
    CHECK(group[down].state.size() == 1);
  }

  TEST_CASE("proposals are bounded, and refused in words") {
    options tuned;
    tuned.uncommitted_bytes = 10'000;
    tuned.entry_bytes = 5'000;
    few_members group{3, tuned};
    auto leader = group.elect();
    CHECK(group.rules((leader + 1) % 3).propose("x").why().code == errc::refused);
    CHECK(group.rules(leader).propose(std::string(5'001, 'x')).why().code == errc::too_large);
    group.passes = [](const message&) { return false; };
    int taken = 0;
    while (group.rules(leader).propose(std::string(1000, 'x')))
      ++taken;
    CHECK(taken == 10);
    CHECK(group.rules(leader).propose("x").why().code == errc::overloaded);
    group.passes = nullptr;
    group.pass(milliseconds{400});
    CHECK(group.rules(leader).propose("x"));
  }

  TEST_CASE("what is handed out waits for what is applied") {
    options tuned;
    tuned.unapplied_bytes = 1000;
    core::setting s;
    s.self = nth_member(0);
    s.head = founded_by({nth_member(0)});
    s.tuned = tuned;
    time_point now{};
    core one{s, now};
    auto run = [&] {
      entry_refs out;
      for (;;) {
        auto todo = one.take_work(now);
        out.insert(out.end(), todo.committed.begin(), todo.committed.end());
        if (!todo.write)
          return out;
        one.on_written(todo.write->sequence, now);
      }
    };
    now += std::chrono::seconds{2};
    one.on_tick(now);
    one.on_applied(run().size());
    REQUIRE(one.role() == role::leader);
    for (int i = 0; i < 10; ++i)
      REQUIRE(one.propose(std::string(300, 'x')));
    auto first = run();
    CHECK(first.size() == 4);
    CHECK(run().empty());
    one.on_applied(first.back()->index);
    CHECK(run().size() == 4);
  }

  TEST_CASE("a log that contradicts itself fences the member") {
    core::setting s;
    s.self = nth_member(0);
    s.head = founded_by({nth_member(0)});
    s.ballot = {3, {}};
    s.entries = {data(1, 1), data(3, 1)};
    core one{s, time_point{}};
    auto todo = one.take_work(time_point{});
    CHECK(todo.fenced);
    CHECK(todo.alarms.size() == 1);
    CHECK(one.wake_at() == time_point::max());
  }

  TEST_CASE("a restart finds what was there") {
    few_members group{3};
    auto leader = group.elect();
    for (int i = 0; i < 10; ++i)
      REQUIRE(group.rules(leader).propose(std::to_string(i)));
    group.pass(milliseconds{100});
    for (int i = 0; i < 3; ++i)
      group.restart(i);
    REQUIRE(group.elect() >= 0);
    group.pass(milliseconds{100});
    for (int i = 0; i < 3; ++i)
      CHECK(group[i].state.size() == 10);
  }
}

} // namespace legion::replication_test
