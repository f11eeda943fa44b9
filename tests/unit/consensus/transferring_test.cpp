#include <doctest/doctest.h>

#include <random>

#include <algorithm>

#include "tests/unit/consensus/few_members.hpp"

namespace legion::transferring_test {

using namespace legion::consensus;

namespace {

std::shared_ptr<const std::string> state_of(const few_members::one& x) {
  std::string all;
  for (const auto& line : x.state)
    all += line + "\n";
  return std::make_shared<const std::string>(std::move(all));
}

/// A snapshot of all that `i` applied; its log ends with it.
void compact(few_members& group, int i) {
  auto& x = group[i];
  x.kept = {group.rules(i).head_at(x.applied), state_of(x)};
  std::erase_if(x.entries, [&](const entry_ref& e) { return e->index <= x.applied; });
  group.rules(i).compact(x.applied);
}

} // namespace

TEST_SUITE("consensus/transferring") {

  TEST_CASE(
      "a follower that needs what is gone gets a snapshot in bounded chunks, under a window") {
    few_members group{3};
    auto leader = group.elect();
    auto away = (leader + 1) % 3;
    group.cut_off(away);
    for (int i = 0; i < 50; ++i)
      REQUIRE(group.rules(leader).propose(std::string(20'000, 'x')));
    group.pass(milliseconds{1'500});
    compact(group, leader);
    REQUIRE(group.rules(leader).propose("after"));
    std::size_t largest = 0;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t most = 0;
    group.heal();
    group.passes = [&](const message& m) {
      if (auto* x = std::get_if<snapshot_chunk>(&m.body)) {
        largest = std::max(largest, x->data.size());
        sent = std::max(sent, x->offset + x->data.size());
        most = std::max(most, sent - received);
      }
      if (auto* x = std::get_if<snapshot_reply>(&m.body))
        received = std::max(received, x->received);
      return true;
    };
    for (int i = 0; i < 20; ++i) {
      group.pass(milliseconds{100});
    }
    CHECK(group[away].state.size() == 51);
    CHECK(group[away].state == group[leader].state);
    CHECK(largest <= 64 * 1024);
    CHECK(most <= 4 * 64 * 1024);
    CHECK(group[away].kept.head == group[leader].kept.head);
    group.restart(away); // and has it on disk
    group.pass(milliseconds{300});
    CHECK(group[away].state.size() == 51);
  }

  TEST_CASE("chunks that are lost or come twice: the snapshot is whole in the end") {
    options tuned;
    tuned.chunk_bytes = 100;
    few_members group{3, tuned};
    auto leader = group.elect();
    auto away = (leader + 1) % 3;
    group.cut_off(away);
    for (int i = 0; i < 50; ++i)
      REQUIRE(group.rules(leader).propose(std::string(50, static_cast<char>('a' + i % 26))));
    group.pass(milliseconds{1'500});
    compact(group, leader);
    group.heal();
    std::mt19937_64 random{7};
    group.passes = [&](const message& m) {
      if (random() % 3 == 0)
        group.deliver(m);
      return random() % 4 != 0;
    };
    for (int i = 0; i < 300; ++i) {
      group.pass(milliseconds{100});
    }
    CHECK(group[away].state == group[leader].state);
  }

  TEST_CASE("a snapshot of what the log has is not installed over it (5.3)") {
    few_members group{3};
    auto leader = group.elect();
    for (int i = 0; i < 10; ++i)
      REQUIRE(group.rules(leader).propose(std::to_string(i)));
    group.pass(milliseconds{100});
    auto one = (leader + 1) % 3;
    // `one` restarts: it knows its log, but not yet what of it is committed.
    group.restart(one);
    auto last = group.rules(one).describe(group.now()).last;
    CHECK(group.rules(one).commit() == 1);
    auto head = std::make_shared<snapshot_head>(group.rules(leader).head_at(5));
    group.deliver({nth_member(leader), nth_member(one), group.rules(leader).term(),
                   snapshot_chunk{head, 0, 3, "old"}});
    auto said = group.take_messages(one);
    REQUIRE(said.size() == 1);
    auto* reply = std::get_if<snapshot_reply>(&said[0].body);
    REQUIRE(reply);
    CHECK(reply->done);
    CHECK(group.rules(one).describe(group.now()).last == last);
    CHECK(group.rules(one).commit() == 5);
    CHECK(group[one].state.size() == 3);
  }

  TEST_CASE("a snapshot is answered when it is on disk, and the state follows it") {
    few_members group{2, {}, 2};
    core::setting s;
    s.self = nth_member(1);
    core one{s, group.now()};
    auto now = group.now();
    snapshot_head head{7, 2, founded_by({nth_member(0), nth_member(1)}).members, 0};
    one.on_message({nth_member(0), nth_member(1), 3,
                    snapshot_chunk{std::make_shared<snapshot_head>(head), 0, 5, "state"}},
                   now);
    auto todo = one.take_work(now);
    CHECK(todo.messages.empty());
    CHECK_FALSE(todo.restore);
    REQUIRE(todo.write);
    REQUIRE(todo.write->installed);
    CHECK(todo.write->ballot.term == 3);
    one.on_written(todo.write->sequence, now);
    todo = one.take_work(now);
    REQUIRE(todo.restore);
    CHECK(*todo.restore->state == "state");
    CHECK(todo.messages.size() == 1);
    CHECK(one.members() == head.members);
    CHECK(one.commit() == 7);
  }

  TEST_CASE("pieces that make no sense are refused") {
    core::setting s;
    s.self = nth_member(1);
    core one{s, time_point{}};
    auto head = std::make_shared<snapshot_head>(
        snapshot_head{7, 2, founded_by({nth_member(0), nth_member(1)}).members, 0});
    auto nobody = std::make_shared<snapshot_head>(snapshot_head{7, 2, {}, 0});
    snapshot_chunk table[] = {{nullptr, 0, 5, "state"},
                              {nobody, 0, 5, "state"},
                              {head, 3, 5, "state"},
                              {head, 0, std::uint64_t{1} << 60, "state"}};
    for (auto& x : table)
      one.on_message({nth_member(0), nth_member(1), 3, x}, time_point{});
    auto todo = one.take_work(time_point{});
    CHECK(todo.alarms.size() == 4);
    CHECK_FALSE((todo.write && todo.write->installed));
    one.on_message({nth_member(0), nth_member(1), 3, snapshot_chunk{head, 2, 5, "ate"}},
                   time_point{});
    todo = one.take_work(time_point{});
    CHECK_FALSE((todo.write && todo.write->installed)); // the beginning is missing
  }

  TEST_CASE("a follower that starts anew in the middle gets the snapshot from its beginning") {
    options tuned;
    tuned.chunk_bytes = 100;
    few_members group{3, tuned};
    auto leader = group.elect();
    auto away = (leader + 1) % 3;
    group.cut_off(away);
    for (int i = 0; i < 50; ++i)
      REQUIRE(group.rules(leader).propose(std::string(50, static_cast<char>('a' + i % 26))));
    group.pass(milliseconds{1'500});
    compact(group, leader);
    group.heal();
    int chunks = 0;
    group.passes = [&](const message& m) {
      return !std::holds_alternative<snapshot_chunk>(m.body) || ++chunks < 12;
    };
    for (int i = 0; i < 5; ++i) {
      group.pass(milliseconds{50});
    }
    CHECK(chunks >= 12);
    group.restart(away);
    group.heal();
    for (int i = 0; i < 20; ++i) {
      group.pass(milliseconds{100});
    }
    CHECK(group[away].state == group[leader].state);
  }

  TEST_CASE("an empty state travels too") {
    few_members group{3};
    auto leader = group.elect();
    auto away = (leader + 1) % 3;
    group.cut_off(away);
    group.pass(milliseconds{1'000});
    group[leader].state.clear();
    compact(group, leader);
    group.heal();
    group.rules(leader).on_beat(group[away].who, {0, standing::alone}, group.now());
    REQUIRE(group.rules(leader).propose("x"));
    for (int i = 0; i < 20; ++i) {
      group.pass(milliseconds{100});
    }
    CHECK(group[away].state.size() == 1);
  }
}

} // namespace legion::transferring_test
