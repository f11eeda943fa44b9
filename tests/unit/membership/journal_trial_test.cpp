#include <doctest/doctest.h>

#include "tests/unit/membership/one_node.hpp"

namespace legion::journal_trial_test {

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

TEST_SUITE("membership/journal_trial") {

  TEST_CASE("one that is certain is enough; of others all are waited for, or two seconds") {
    journal_trial x{{0, 1, 2}, begin};
    CHECK_FALSE(x.over(begin));
    SUBCASE("certain, once the others had time to know better") {
      x.due(begin);
      x.let_in(1, true);
      CHECK_FALSE(x.over(begin));
      CHECK(x.wakes_at() == begin + journal_trial::at_once);
      SUBCASE("and answer") {
        x.let_in(0, false);
        CHECK_FALSE(x.over(begin));
        x.no_answer(2, errc::unreachable, begin);
        CHECK(x.over(begin));
      }
      SUBCASE("or say nothing") {
        CHECK(x.over(begin + journal_trial::at_once));
      }
    }
    SUBCASE("all, in doubt themselves") {
      x.let_in(1, false);
      x.let_in(0, false);
      CHECK_FALSE(x.over(begin));
      x.let_in(2, false);
      CHECK(x.over(begin));
    }
    SUBCASE("late; who is not there is asked again meanwhile") {
      CHECK(x.due(begin) == std::vector<std::size_t>{0, 1, 2});
      CHECK(x.due(begin).empty());
      x.let_in(1, false);
      x.no_answer(2, errc::unreachable, begin);
      CHECK(x.wakes_at() == begin + journal_trial::first_pause);
      CHECK(x.due(begin + journal_trial::first_pause) == std::vector<std::size_t>{2});
      x.no_answer(2, errc::unreachable, begin + journal_trial::first_pause);
      x.due(begin + seconds{1});
      x.no_answer(2, errc::unreachable, begin + seconds{1});
      auto until = begin + journal_trial::silent_patience; // the first is silent
      CHECK(x.wakes_at() < until);                         // to ask again
      CHECK_FALSE(x.over(until - milliseconds{1}));
      CHECK(x.over(until));
      x.no_answer(0, errc::unreachable, begin + seconds{3}); // nothing came of it
      CHECK_FALSE(x.over(until - milliseconds{1}));
      x.due(begin + seconds{4});
      for (std::size_t i : {0, 2}) // gone, both
        x.no_answer(i, errc::unreachable, begin + milliseconds{4010});
      CHECK_FALSE(x.over(begin + journal_trial::patience - milliseconds{1}));
      CHECK(x.over(begin + journal_trial::patience));
    }
    SUBCASE("not while one knows a later life of this node, whoever lets it in") {
      x.due(begin);
      x.no_answer(2, errc::outlived, begin);
      x.let_in(0, true);
      x.let_in(1, true);
      CHECK_FALSE(x.over(begin + journal_trial::patience));
      CHECK(x.wakes_at() == begin + journal_trial::first_pause);
      SUBCASE("until that one lets it in") {
        x.let_in(2, false);
        CHECK(x.over(begin));
      }
      SUBCASE("until that one was silent for long") {
        auto later = begin + seconds{5};
        x.no_answer(2, errc::unreachable, later);
        CHECK_FALSE(x.over(later));
        x.due(later + seconds{1});
        CHECK(x.wakes_at() == begin + journal_trial::dispute_lasts);
        CHECK(x.over(begin + journal_trial::dispute_lasts));
      }
      SUBCASE("for as long as that one says so") {
        x.no_answer(2, errc::outlived, begin + seconds{11});
        CHECK_FALSE(x.over(begin + seconds{22}));
      }
    }
    SUBCASE("any other refusal is no dispute: of another cluster, say") {
      x.due(begin);
      for (std::size_t i : {0, 1, 2})
        x.no_answer(i, errc::refused, begin);
      CHECK(x.over(begin + journal_trial::patience));
    }
    SUBCASE("who fails again and again is asked less and less often") {
      auto now = begin;
      auto most = milliseconds{0};
      for (int i = 0; i < 10; ++i) {
        x.due(now);
        x.no_answer(0, errc::outlived, now);
        x.no_answer(1, errc::outlived, now);
        x.no_answer(2, errc::outlived, now);
        most = std::chrono::duration_cast<milliseconds>(x.wakes_at() - now);
        now = x.wakes_at();
      }
      CHECK(most == journal_trial::last_pause);
    }
    SUBCASE("a process that stood still has heard nobody meanwhile") {
      x.let_in(0, true);
      x.no_answer(2, errc::outlived, begin);
      x.postpone(seconds{3});
      CHECK_FALSE(x.over(begin + journal_trial::dispute_lasts));
      CHECK(x.over(begin + journal_trial::dispute_lasts + seconds{3}));
    }
    SUBCASE("somebody knew better") {
      x.lost();
      x.let_in(0, true);
      CHECK_FALSE(x.over(begin + std::chrono::hours{1}));
    }
  }

  TEST_CASE("nobody to ask: no doubt") {
    CHECK(journal_trial{{}, begin}.over(begin));
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
    CHECK(told(x) == 0);
    x = a.rules.on_join_failed(2, a.now, errc::unreachable);
    CHECK(told(x) == 1);
    CHECK(a.rules.trusts_journal());
    CHECK(told(a.rules.on_join_reply(2, let_in(true), a.now)) == 0); // once
  }

  TEST_CASE("certain is who founded, was let in by one that is, or is undisputed for long") {
    auto says = [](one_node& x, char who) {
      x.join(who);
      REQUIRE(x.reply.has_accepted());
      return x.reply.certain();
    };
    one_node founder;
    CHECK(says(founder, 'B'));
    auto a = with_journal(1);
    CHECK_FALSE(says(a, 'B'));
    SUBCASE("by one that is") {
      a.rules.on_join_reply(0, let_in(true), a.now);
      CHECK(says(a, 'C'));
    }
    SUBCASE("by one that is not") {
      a.rules.on_join_reply(0, let_in(false), a.now);
      CHECK(a.rules.trusts_journal());
      CHECK_FALSE(says(a, 'C'));
      a.pass(journal_trial::certain_after);
      CHECK(says(a, 'D'));
    }
    one_node fresh{"", 1}; // it knows what it was told
    fresh.rules.on_join_reply(0, let_in(true), fresh.now);
    CHECK_FALSE(says(fresh, 'C'));
    fresh.pass(journal_trial::certain_after);
    CHECK(says(fresh, 'D'));
  }

  TEST_CASE("a process that stood still has not waited for anybody") {
    auto a = with_journal(2);
    a.now += seconds{10};
    a.all = a.rules.on_tick(a.now);
    CHECK_FALSE(a.rules.trusts_journal());
    a.rules.on_join_failed(0, a.now, errc::outlived);
    a.pass(seconds{4});
    CHECK_FALSE(a.rules.trusts_journal());
  }

  TEST_CASE("it wakes up when it need not wait any more") {
    auto a = with_journal(2);
    a.pass(journal_trial::silent_patience - milliseconds{1});
    CHECK_FALSE(a.rules.trusts_journal());
    a.pass(milliseconds{1});
    CHECK(a.rules.trusts_journal());
    CHECK(told(a.all) == 1);
  }

  TEST_CASE("who had no say in the trial is asked still, until it lets this node in") {
    auto a = with_journal(2);
    auto reply = let_in(true);
    for (char who : {'P', 'Q'}) {
      auto x = one_node::update(who, 1, 0, member_alive);
      x.set_record(one_node::record(who).SerializeAsString());
      *reply.mutable_accepted()->add_members() = x;
    }
    a.rules.on_join_reply(0, reply, a.now); // it tells of both
    a.pass(journal_trial::at_once);
    REQUIRE(a.rules.trusts_journal());
    REQUIRE(a.rules.members().find(one_node::id('Q')) != nullptr);
    auto asks = [&] {
      std::size_t result = 0;
      for (int i = 0; i < 12; ++i) {
        a.pass(seconds{5});
        for (const auto& y : effects{a.all})
          if (auto* x = std::get_if<ask_join>(&y)) {
            result += x->contact == 1;
            a.rules.on_join_failed(x->contact, a.now, errc::deadline);
          }
      }
      return result;
    };
    a.rules.on_join_failed(1, a.now, errc::deadline);
    CHECK(asks() > 1);
    a.rules.on_join_reply(1, let_in(true), a.now);
    CHECK(asks() == 0);
  }

  TEST_CASE("a refusal because the journal is old leaves it on trial") {
    auto a = with_journal(2);
    join_reply no;
    no.set_refused("old");
    SUBCASE("and the later life is over") {
      no.set_outdated(true);
    }
    SUBCASE("and the later life may live: as long as it is said") {
      no.set_outlived(true);
    }
    a.rules.on_join_reply(0, no, a.now);
    a.rules.on_join_reply(1, let_in(true), a.now);
    for (int i = 0; i < 10; ++i) {
      CHECK_FALSE(a.rules.trusts_journal());
      a.pass(seconds{3});
      a.rules.on_join_reply(0, no, a.now);
    }
    CHECK_FALSE(a.rules.trusts_journal());
  }

  TEST_CASE("a journal that ends before what earlier starts said of it is an old copy") {
    auto setting = one_node::setting_for(std::string(16, 'c'), 0);
    setting.rows_heard = [](const member& who) -> std::uint64_t {
      return who.start() > 5 ? 40 : 0; // by start 5
    };
    one_node a;
    a.rules = swim{setting, a.now};
    a.all = a.rules.start(a.now);
    auto ask = [&](std::uint64_t start, std::uint64_t rows) {
      join_request x;
      *x.mutable_who() = one_node::record('B', start);
      x.set_cluster(a.rules.cluster());
      x.set_rows(rows);
      a.reply = a.rules.answer_join(x, a.now, a.all);
    };
    ask(6, 39); // after a restart: remembered, and not heard of yet
    CHECK(a.reply.outlived());
    a.join('B', 5);
    ask(6, 39); // the one that said 40 may live, on another machine
    CHECK(a.reply.refused()
          == "your journal is an old copy, or its end is lost: it ends 1 rows before what was said "
             "from it");
    CHECK(a.reply.outlived());
    CHECK_FALSE(a.reply.outdated());
    a.join('D');
    a.hear('D', one_node::update('B', 5, 0, member_dead));
    ask(6, 39);
    CHECK(a.reply.outdated());
    ask(6, 40);
    CHECK(a.reply.has_accepted());
    ask(6, 0); // it does not say
    CHECK(a.reply.has_accepted());
    ask(6, 39); // that one lives is itself
    CHECK(a.reply.outdated());
  }

  TEST_CASE("who has left lets nobody in") {
    one_node a;
    a.rules.leave(a.now);
    a.join('B');
    CHECK(a.reply.refused() == "this node (node-A) is drained, and about to end: ask another one");
    CHECK(a.reply.later());
  }

  TEST_CASE("a new node is on no trial, and of very many contacts the first and some others are "
            "asked") {
    one_node fresh{"", 2};
    CHECK(fresh.rules.trusts_journal());
    CHECK(asked(fresh) == 1);
    auto a = with_journal(40);
    CHECK(asked(a) == journal_trial::most_asked);
    std::size_t mates = 0;
    for (const auto& y : a.all)
      if (auto* x = std::get_if<ask_join>(&y))
        mates += x->contact < journal_trial::mates_asked;
    CHECK(mates == journal_trial::mates_asked);
  }

  TEST_CASE("who stood still is not certain: it may have missed what others know") {
    one_node founder;
    founder.now += seconds{20};
    founder.all = founder.rules.on_tick(founder.now);
    founder.join('B');
    CHECK_FALSE(founder.reply.certain());
    founder.pass(journal_trial::certain_after);
    founder.join('C');
    CHECK(founder.reply.certain());
  }

} // TEST_SUITE

} // namespace legion::journal_trial_test
