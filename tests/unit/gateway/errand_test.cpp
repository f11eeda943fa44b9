#include <doctest/doctest.h>

#include "tests/unit/gateway/play.hpp"

namespace legion::errand_test {

// Whom one change asks, in which order, and what it says when nobody does it: through a scaling.

using namespace legion::gateway;

namespace {

/// Whoever is asked answers so, again and again.
template <class Answer>
void until_it_ends(play& it, Answer answer) {
  for (auto rounds = 0; !it.ended() && rounds < 2000; ++rounds) {
    for (const auto& x : it.asked())
      answer(x);
    it.ring();
  }
  REQUIRE(it.ended());
}

} // namespace

TEST_SUITE("gateway/errand") {

  TEST_CASE("a leader that stands still is not waited for again once others answer") {
    play it{scale_of(3)};
    for (int node : {2, 3, 4})
      it.keeps(node, web_name);
    it.start();
    auto to_leader = it.one_ask();
    auto leader = play::whom(to_leader).back() - '0';
    auto next_ask = [&] {
      auto x = it.one_ask();
      while (x.whom.null() && it.ring())
        x = it.one_ask();
      return x;
    };
    it.now += to_leader.timeout;
    it.fail(to_leader, errc::deadline);
    // The others still take it for the leader: it is asked again, when they have said so for 2 s.
    for (int round = 0; round < 11; ++round)
      for (int i = 0; i < 2; ++i) {
        auto x = next_ask();
        CHECK(x.whom != to_leader.whom);
        it.answer(x, refused_reply(refusal_elsewhere, "another leads", leader));
      }
    auto again = next_ask();
    CHECK(again.whom == to_leader.whom);
    it.now += again.timeout;
    it.fail(again, errc::deadline);
    // They miss it: from now on only they are asked.
    for (int i = 0; i < 8; ++i) {
      auto x = next_ask();
      CHECK_FALSE(x.whom.null());
      CHECK(x.whom != to_leader.whom);
      it.answer(x, refused_reply(refusal_elsewhere, "nobody leads now"));
    }
    it.answer(next_ask(), done_reply("scaled"));
    CHECK(it.ended());
  }

  TEST_CASE("scale: `elsewhere` is followed, under the same request id") {
    play it{scale_of(5)};
    it.keeps(2, web_name);
    it.start();
    auto first = it.one_ask();
    CHECK(play::whom(first) == "legion-2");
    it.answer(first, refused_reply(refusal_elsewhere, "", 4));
    auto second = it.one_ask();
    CHECK(play::whom(second) == "legion-4");
    CHECK(std::get<group_request>(second.what).request_id()
          == std::get<group_request>(first.what).request_id());
    it.answer(second, done_reply("scaled"));
    REQUIRE(it.ended());
    CHECK(it.last_said().results(0).action() == "scaled");
  }

  TEST_CASE("nodes that point at each other are asked once each between two pauses") {
    play it{scale_of(5)};
    it.keeps(2, web_name);
    it.start();
    auto hops = 0;
    auto pauses = 0;
    while (!it.ended() && hops + pauses < 1000) {
      if (it.asks.empty()) {
        ++pauses;
        it.ring();
        continue;
      }
      auto x = it.one_ask();
      it.answer(x, refused_reply(refusal_elsewhere, "", play::whom(x) == "legion-2" ? 3 : 2));
      ++hops;
    }
    CHECK(hops == 2 * (pauses + 1));
    CHECK(it.last_said().refused().code() == refusal_unreachable);
    CHECK(it.last_said().refused().detail().find("nothing was changed") != std::string::npos);
  }

  TEST_CASE("a keeper that leads no more has the change in its log: the state is unknown") {
    play it{scale_of(5)};
    for (int node : {2, 3, 4})
      it.keeps(node, web_name);
    it.start();
    auto first = true;
    until_it_ends(it, [&](const ask& x) {
      auto reply = refused_reply(refusal_elsewhere, "group 7 has no leader");
      reply.mutable_refused()->set_in_doubt(std::exchange(first, false));
      it.answer(x, reply);
    });
    CHECK(it.last_said().refused().code() == refusal_deadline);
    CHECK(it.last_said().refused().detail().find("whether it was changed is unknown")
          != std::string::npos);
  }

  TEST_CASE("who leads and cannot be reached from here is asked through who says so") {
    play it{scale_of(5)};
    for (int node : {2, 3, 4})
      it.keeps(node, web_name);
    it.start();
    auto leader = it.one_ask();
    it.fail(leader, errc::unreachable);
    auto other = it.one_ask();
    auto elsewhere = refused_reply(refusal_elsewhere, "group 7 is led by another");
    elsewhere.mutable_refused()->set_node(leader.whom.bytes());
    it.answer(other, elsewhere);
    auto through = it.one_ask();
    CHECK(through.whom == other.whom);
    CHECK(std::get<group_request>(through.what).pass_on());
    SUBCASE("and answers") {
      group_reply done;
      done.mutable_done()->set_action("scaled");
      it.answer(through, done);
      REQUIRE(it.ended());
      CHECK_FALSE(it.last_said().has_refused());
      CHECK(it.zone.keepers_of(group::group_of(web_name)).front() == leader.whom); // still
    }
    SUBCASE("or not: the next one is asked itself") {
      it.answer(through, elsewhere);
      auto third = it.one_ask();
      CHECK(third.whom != other.whom);
      CHECK_FALSE(std::get<group_request>(third.what).pass_on());
    }
  }

  TEST_CASE(
      "one that has nothing of it, and one that is down: it is a matter of starting that one") {
    play it{scale_of(5)};
    for (int node : {2, 3, 4})
      it.keeps(node, web_name);
    it.keeps(4, web_name, member_dead);
    it.start();
    until_it_ends(it, [&](const ask& x) {
      auto reply = refused_reply(refusal_elsewhere, "group 7 has no leader");
      reply.mutable_refused()->set_absent(play::whom(x) == "legion-2");
      it.answer(x, reply);
    });
    const auto& said = it.last_said().refused().detail();
    CHECK(said.find("legion-2, which has nothing of it any more") != std::string::npos);
    CHECK(said.find("try again once most of them are up") != std::string::npos);
    CHECK(said.find("keepers rebuild") == std::string::npos);
  }

  TEST_CASE("one that is too busy to look does not take the doubt away that another has left") {
    play it{scale_of(5)};
    for (int node : {2, 3, 4})
      it.keeps(node, web_name);
    it.start();
    auto first = true;
    until_it_ends(it, [&](const ask& x) {
      auto doubtful =
          refused_reply(refusal_elsewhere, "group 7 is led by another, who is not known");
      doubtful.mutable_refused()->set_in_doubt(true);
      it.answer(x, std::exchange(first, false) ? doubtful
                                               : refused_reply(refusal_overloaded, "1024 wait"));
    });
    CHECK(it.last_said().refused().code() == refusal_deadline);
  }

  TEST_CASE("most keepers are down: refused after 2 s, and they are named") {
    play it{scale_of(5)};
    for (int node : {2, 3, 4})
      it.keeps(node, web_name);
    for (int node : {2, 3})
      it.keeps(node, web_name, member_dead);
    auto begun = it.now;
    it.start();
    until_it_ends(it, [&](const ask& x) {
      it.answer(x, refused_reply(refusal_elsewhere, "group 7 has no leader"));
    });
    CHECK(it.now - begun <= milliseconds{2'200});
    CHECK(it.last_said().refused().code() == refusal_unreachable);
    CHECK(
        it.last_said().refused().detail()
        == "deployment default/web: only 1 of the 3 nodes that keep it is up, which is no quorum; "
           "missing: legion-2, down for 2 s, and legion-3, down for 2 s; "
           "nothing was changed: try again once most of them are up");
  }

  TEST_CASE("most keepers' disks are full: their leader's silence is explained, after 2 s") {
    play it{scale_of(5)};
    for (int node : {2, 3, 4}) {
      it.keeps(node, web_name);
      auto keeps = it.zone.find(node_id::from_bytes(id_of(node)))->who.keeps();
      it.set_member(node, member_alive, keeps, node != 2);
    }
    auto begun = it.now;
    it.start();
    until_it_ends(it, [&](const ask& x) {
      if (play::whom(x) == "legion-2") {
        it.now += x.timeout;
        it.fail(x, errc::deadline);
      } else {
        it.answer(x, refused_reply(refusal_elsewhere, "group 7 is led by legion-2", 2));
      }
    });
    CHECK(it.now - begun <= milliseconds{2'400});
    CHECK(it.last_said().refused().code() == refusal_deadline);
    CHECK(it.last_said().refused().detail().starts_with(
        "deployment default/web: only 1 of the 3 nodes that keep it can write, which is no quorum; "
        "missing: legion-3, whose disk is full, and legion-4, whose disk is full; whether it was "
        "changed is unknown"));
  }

  TEST_CASE("a group that none of its nodes has any more: said after 2 s, with the cure") {
    play it{scale_of(5)};
    for (int node : {2, 3, 4})
      it.keeps(node, web_name);
    it.keeps(4, web_name, member_dead);
    auto begun = it.now;
    it.start();
    until_it_ends(it, [&](const ask& x) {
      auto reply = refused_reply(refusal_elsewhere, "group 7 is not kept by " + play::whom(x));
      reply.mutable_refused()->set_absent(true);
      it.answer(x, reply);
    });
    CHECK(it.now - begun <= milliseconds{2'200});
    CHECK(it.last_said().refused().code() == refusal_unreachable);
    CHECK(
        it.last_said().refused().detail()
        == "deployment default/web: none of the 3 nodes that keep it has it still, which is no "
           "quorum; missing: legion-2, which has nothing of it any more, and legion-3, which has "
           "nothing of it any more, and legion-4, down for 2 s. If the journals of most are lost, "
           "legionctl keepers "
           "rebuild begins its group anew with the promises that nodes hold; nothing was changed: "
           "try again then");
  }

  TEST_CASE("a keeper that is down: refused at once, and nothing was changed") {
    play it{scale_of(5)};
    it.keeps(2, web_name);
    it.keeps(2, web_name, member_dead);
    it.now += std::chrono::seconds{12};
    it.start();
    CHECK(it.asked().empty());
    REQUIRE(it.ended());
    CHECK(it.last_said().refused().code() == refusal_unreachable);
    CHECK(it.last_said().refused().detail()
          == "deployment default/web: its keeper is legion-2, down for 12 s; nothing "
             "was changed: try again once it is back");
  }

  TEST_CASE(
      "a keeper that never answers: tried again with the same id, then the state is unknown") {
    play it{scale_of(5)};
    it.keeps(2, web_name);
    it.start();
    auto tries = 0;
    while (!it.ended() && tries < 20) {
      auto x = it.one_ask();
      ++tries;
      it.now += x.timeout;
      it.fail(x, errc::deadline);
      it.ring();
    }
    CHECK(tries == 8);
    CHECK(it.last_said().refused().code() == refusal_deadline);
    CHECK(it.last_said().refused().detail().find("whether it was changed is unknown")
          != std::string::npos);
    CHECK(it.last_said().results(0).refused().code() == refusal_deadline);
  }

  TEST_CASE("a node that has joined nobody says so") {
    auto x = request_of();
    x.mutable_scale()->mutable_name()->set_kind("deployment");
    x.mutable_scale()->mutable_name()->set_name("web");
    play it{x};
    it.cluster.clear();
    it.start();
    until_it_ends(it, [&](const ask& y) {
      it.answer(y, refused_reply(refusal_elsewhere, "group 7 is not kept by legion-1"));
    });
    CHECK(it.last_said().refused().code() == refusal_unreachable);
    CHECK(it.last_said().refused().detail()
          == "deployment default/web: legion-1 has joined nobody yet: `legionctl get nodes` says "
             "why; nothing was changed: try again once it has");
  }

  TEST_CASE("a keeper that was overloaded was not reached: the state is known") {
    play it{scale_of(5)};
    it.keeps(2, web_name);
    it.start();
    auto tries = 0;
    while (!it.ended() && ++tries < 100) {
      it.fail(it.one_ask(), errc::overloaded);
      it.ring();
    }
    CHECK(it.last_said().refused().code() == refusal_unreachable);
    CHECK(it.last_said().refused().detail().find("nothing was changed") != std::string::npos);
  }

} // TEST_SUITE

} // namespace legion::errand_test
