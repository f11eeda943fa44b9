#include <doctest/doctest.h>

#include "tests/unit/membership/one_node.hpp"

namespace legion::doubt_test {

using namespace legion::membership;

namespace {

const time_point begin = time_point{} + std::chrono::hours{1};

/// A node that starts from a journal, with contacts 'P', 'Q', ...
one_node with_journal(std::size_t contacts) {
  auto setting = one_node::setting_for(std::string(16, 'c'), contacts);
  setting.may_be_old = true;
  one_node result;
  result.rules = swim{setting, result.now};
  result.all = result.rules.start(result.now);
  return result;
}

join_reply let_in(bool certain) {
  join_reply x;
  x.mutable_accepted()->set_cluster(std::string(16, 'c'));
  x.set_certain(certain);
  return x;
}

std::size_t asked(const one_node& x) {
  std::size_t result = 0;
  for (const auto& y : x.all)
    result += std::holds_alternative<ask_join>(y);
  return result;
}

std::size_t told(const effects& all) {
  std::size_t result = 0;
  for (const auto& y : all)
    result += std::holds_alternative<trust_journal>(y);
  return result;
}

} // namespace

TEST_SUITE("membership/doubt") {

  TEST_CASE("one that is certain is enough; of others all are waited for, or two seconds") {
    doubt x{{0, 1, 2}, begin};
    CHECK_FALSE(x.over(begin));
    SUBCASE("certain") {
      x.let_in(1, true);
      CHECK(x.over(begin));
    }
    SUBCASE("all, in doubt themselves") {
      x.let_in(1, false);
      x.let_in(0, false);
      CHECK_FALSE(x.over(begin));
      x.let_in(2, false);
      CHECK(x.over(begin));
    }
    SUBCASE("late; who did not answer is asked again meanwhile") {
      CHECK(x.due(begin) == std::vector<std::size_t>{0, 1, 2});
      CHECK(x.due(begin).empty());
      x.let_in(1, false);
      x.no_answer(2, false, begin);
      CHECK(x.wakes_at() == begin + doubt::pause);
      CHECK(x.due(begin + doubt::pause) == std::vector<std::size_t>{2});
      CHECK(x.wakes_at() == begin + doubt::patience);
      CHECK_FALSE(x.over(begin + doubt::patience - milliseconds{1}));
      CHECK(x.over(begin + doubt::patience));
    }
    SUBCASE("not while one knows a later life of this node; once that one is gone itself, again") {
      x.due(begin);
      x.no_answer(2, true, begin);
      x.let_in(0, false);
      x.let_in(1, false);
      CHECK_FALSE(x.over(begin + std::chrono::hours{1}));
      CHECK(x.wakes_at() == begin + doubt::pause);
      x.due(begin + doubt::pause);
      CHECK(x.wakes_at() == time_point::max());
      x.no_answer(2, false, begin + seconds{4});
      CHECK(x.over(begin + seconds{4}));
    }
    SUBCASE("somebody knew better") {
      x.confirm();
      x.let_in(0, true);
      CHECK_FALSE(x.over(begin + std::chrono::hours{1}));
    }
  }

  TEST_CASE("nobody to ask: no doubt") {
    CHECK(doubt{{}, begin}.over(begin));
  }

  TEST_CASE(
      "a node with a journal asks all at once, and trusts it when one that is certain lets it in") {
    auto a = with_journal(3);
    CHECK(asked(a) == 3);
    CHECK(told(a.all) == 0);
    CHECK_FALSE(a.rules.trusts_journal());
    auto x = a.rules.on_join_reply(0, let_in(false), a.now);
    CHECK(told(x) == 0);
    CHECK_FALSE(a.rules.joining());
    x = a.rules.on_join_reply(1, let_in(true), a.now);
    CHECK(told(x) == 1);
    CHECK(a.rules.trusts_journal());
    CHECK(told(a.rules.on_join_reply(2, let_in(true), a.now)) == 0); // once
  }

  TEST_CASE("who is in doubt itself says so to whom it lets in") {
    auto a = with_journal(1);
    a.join('B');
    REQUIRE(a.reply.has_accepted());
    CHECK_FALSE(a.reply.certain());
    a.rules.on_join_reply(0, let_in(false), a.now);
    CHECK(a.rules.trusts_journal());
    a.join('C');
    CHECK(a.reply.certain());
  }

  TEST_CASE("it wakes up when it need not wait any more") {
    auto a = with_journal(2);
    a.pass(doubt::patience - milliseconds{1});
    CHECK_FALSE(a.rules.trusts_journal());
    a.pass(milliseconds{1});
    CHECK(a.rules.trusts_journal());
    CHECK(told(a.all) == 1);
  }

  TEST_CASE("a refusal because the journal is old leaves it in doubt for good") {
    auto a = with_journal(2);
    join_reply no;
    no.set_refused("old");
    no.set_outdated(true);
    a.rules.on_join_reply(0, no, a.now);
    a.rules.on_join_reply(1, let_in(true), a.now);
    CHECK_FALSE(a.rules.trusts_journal());
    a.pass(seconds{30});
    CHECK_FALSE(a.rules.trusts_journal());
  }

  TEST_CASE("a new node is in no doubt, and of very many contacts sixteen are asked") {
    one_node fresh{"", 2};
    CHECK(fresh.rules.trusts_journal());
    CHECK(asked(fresh) == 1);
    CHECK(asked(with_journal(40)) == doubt::most_asked);
  }

} // TEST_SUITE

} // namespace legion::doubt_test
