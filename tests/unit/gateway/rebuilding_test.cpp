#include <doctest/doctest.h>

#include "tests/unit/gateway/play.hpp"

namespace legion::rebuilding_test {

using namespace legion::gateway;

namespace {

api_request rebuild_of(std::vector<std::uint32_t> groups, bool dry_run = false) {
  auto x = request_of();
  x.mutable_rebuild()->set_dry_run(dry_run);
  for (auto g : groups)
    x.mutable_rebuild()->add_groups(g);
  return x;
}

bool is_probe(const ask& x) {
  auto* request = std::get_if<group_request>(&x.what);
  return request && request->has_read_state();
}

/// Groups 3 and 5 are lost with legion-3 and legion-4, all others answer; legion-2 has a log of both,
/// legion-1 a promise for group 3.
struct disaster : play {
  explicit disaster(const api_request& x) : play(x) {
    set_member(1, member_alive, 1);
    set_member(2, member_alive, ~std::uint64_t{0});
    set_member(3, member_dead, 0x28);
    set_member(4, member_dead, 0x28);
    start();
  }

  void answer_probes() {
    for (int i = 0; i < 200; ++i) {
      auto all = asked();
      if (all.empty() && !ring())
        break;
      for (const auto& x : all) {
        if (!is_probe(x)) {
          later.push_back(x);
          continue;
        }
        auto g = std::get<group_request>(x.what).group();
        group_reply reply;
        reply.mutable_piece();
        if (g == 3 || g == 5)
          answer(x, refused_reply(refusal_elsewhere, "group has no leader"));
        else
          answer(x, reply);
      }
      if (!later.empty())
        break;
    }
    for (const auto& x : asked())
      later.push_back(x);
  }

  group_standing standing(std::uint64_t term = 4, const std::string& voters = "234") {
    group_standing x;
    x.set_member(true);
    x.set_votes(true);
    x.set_term(term);
    x.set_last_term(term);
    x.set_last_index(90);
    for (auto v : voters)
      x.add_voters(id_of(v - '0'));
    x.set_resources(2);
    return x;
  }

  void answer_looks(bool leads = false, bool silent = false) {
    for (const auto& x : std::exchange(later, {})) {
      if (silent && whom(x) == "legion-1") {
        fail(x, errc::deadline);
        continue;
      }
      if (std::holds_alternative<node_request>(x.what)) {
        node_view view;
        if (whom(x) == "legion-1") {
          auto& holding = *view.add_holdings();
          holding.set_group(3);
          holding.set_promises(4);
          holding.mutable_highest()->set_index(500);
        }
        answer(x, view);
        continue;
      }
      const auto& request = std::get<group_request>(x.what);
      CHECK(request.has_look());
      group_reply reply;
      *reply.mutable_standing() = standing();
      reply.mutable_standing()->set_leads(leads && request.group() == 5);
      answer(x, whom(x) == "legion-2" ? reply : refused_reply(refusal_elsewhere, "not kept"));
    }
  }

  std::vector<ask> later;
};

} // namespace

TEST_SUITE("gateway/rebuilding") {

  TEST_CASE("a dry run shows what is lost and what is left, and raises nothing") {
    disaster it{rebuild_of({}, true)};
    it.answer_probes();
    CHECK(it.later.size() >= 2 * 3); // each living node, for its promises and two groups
    it.answer_looks();
    CHECK(it.asked().empty());
    REQUIRE(it.ended());
    const auto& said = it.last_said().rebuild();
    REQUIRE(said.groups_size() == 2);
    const auto& x = said.groups(0);
    CHECK(x.group() == 3);
    CHECK(x.state() == "lost");
    CHECK(x.node_name() == "legion-2");
    CHECK(x.from_log());
    CHECK(x.promises() == 4);
    CHECK(x.resources() == 2);
    CHECK(x.voters_size() == 3);
    REQUIRE(said.silent_size() == 2);
    CHECK(said.silent(0) == "legion-3");
    CHECK(!it.last_said().has_refused());
  }

  TEST_CASE("who has the log raises each group, above all that was seen") {
    disaster it{rebuild_of({})};
    it.answer_probes();
    it.answer_looks();
    auto asks = it.asked();
    REQUIRE(asks.size() == 2);
    for (const auto& x : asks) {
      CHECK(play::whom(x) == "legion-2");
      const auto& request = std::get<group_request>(x.what);
      REQUIRE(request.has_raise());
      CHECK((request.raise().incarnation() >> 20) == 1);
      CHECK(request.raise().above() == (request.group() == 3 ? 500 : 90));
      group_reply reply;
      auto& raised = *reply.mutable_raised();
      raised.set_incarnation(request.raise().incarnation());
      raised.set_resources(3);
      raised.set_promises(4);
      raised.set_from_log(true);
      raised.add_silent(id_of(1));
      it.answer(x, reply);
    }
    REQUIRE(it.ended());
    const auto& said = it.last_said().rebuild();
    CHECK(said.groups(0).state() == "raised");
    CHECK(said.groups(1).resources() == 3);
    CHECK(said.silent_size() == 3);
    CHECK(!it.last_said().has_refused());
    // The same request, sent to another node as well, raises the same incarnation.
    disaster again{rebuild_of({})};
    again.answer_probes();
    again.answer_looks();
    CHECK(std::get<group_request>(again.asked()[0].what).raise().incarnation()
          == std::get<group_request>(asks[0].what).raise().incarnation());
  }

  TEST_CASE("a group that answers is not raised; who names it is told so") {
    disaster it{rebuild_of({3, 7})};
    it.answer_probes();
    REQUIRE(it.ended());
    CHECK(it.last_said().refused().code() == refusal_conflict);
    CHECK(it.last_said().refused().detail()
          == "keeper group 7 answers: there is nothing to rebuild");
    play whole{rebuild_of({})};
    whole.set_member(2, member_alive, ~std::uint64_t{0});
    whole.start();
    for (const auto& x : whole.asked()) {
      group_reply reply;
      reply.mutable_piece();
      whole.answer(x, reply);
    }
    REQUIRE(whole.ended());
    CHECK(whole.last_said().has_rebuild());
    CHECK(whole.last_said().rebuild().groups().empty());
  }

  TEST_CASE("one that has a leader again, or a quorum, is left alone") {
    disaster it{rebuild_of({})};
    it.answer_probes();
    it.answer_looks(true);
    auto x = it.one_ask();
    CHECK(std::get<group_request>(x.what).group() == 3);
    group_reply reply;
    reply.mutable_raised();
    it.answer(x, reply);
    REQUIRE(it.ended());
    CHECK(it.last_said().rebuild().groups(1).state() == "failed");
    CHECK(it.last_said().refused().detail() == "keeper group 5 was not raised");

    disaster quorum{rebuild_of({3})};
    quorum.answer_probes();
    for (const auto& y : std::exchange(quorum.later, {})) {
      if (std::holds_alternative<node_request>(y.what)) {
        quorum.answer(y, node_view{});
        continue;
      }
      group_reply standing;
      *standing.mutable_standing() = quorum.standing(4, "123");
      quorum.answer(y, standing);
    }
    CHECK(quorum.asked().empty());
    REQUIRE(quorum.ended());
    CHECK(quorum.last_said().rebuild().groups(0).detail()
          == "2 of its 3 members are there: it answers in a moment, or look why these do not reach "
             "one another");
  }

  TEST_CASE("a node that says nothing is named, and not relied on") {
    disaster it{rebuild_of({}, true)};
    it.answer_probes();
    it.answer_looks(false, true);
    REQUIRE(it.ended());
    const auto& said = it.last_said().rebuild();
    CHECK(said.silent_size() == 3);
    CHECK(said.groups(0).promises() == 0);
  }

  TEST_CASE("a disk that is busy is tried once more; a refusal is told") {
    disaster it{rebuild_of({3})};
    it.answer_probes();
    it.answer_looks();
    it.answer(it.one_ask(), refused_reply(refusal_overloaded, "a write is under way"));
    it.answer(it.one_ask(), refused_reply(refusal_conflict, "group 3 has a leader"));
    REQUIRE(it.ended());
    CHECK(it.last_said().rebuild().groups(0).detail() == "legion-2: group 3 has a leader");
    CHECK(it.last_said().refused().code() == refusal_unreachable);
  }

  TEST_CASE("there are 64 groups") {
    play it{rebuild_of({64})};
    it.start();
    CHECK(it.last_said().refused().code() == refusal_invalid);
  }
}

} // namespace legion::rebuilding_test
