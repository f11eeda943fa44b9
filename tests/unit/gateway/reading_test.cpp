#include <doctest/doctest.h>

#include "tests/unit/gateway/play.hpp"

namespace legion::reading_test {

using namespace legion::gateway;

namespace {

api_request logs_of(bool follow = false) {
  auto x = request_of();
  x.mutable_logs()->set_pod("web-abc-1");
  x.mutable_logs()->set_follow(follow);
  x.mutable_logs()->set_tail_lines(-1);
  return x;
}

/// Answers the search for the pod with one deployment.
void find(play& it, const resource_view& view) {
  it.start();
  for (const auto& x : it.asked()) {
    group_reply reply;
    reply.mutable_views();
    if (std::get<group_request>(x.what).read().name() == "web")
      *reply.mutable_views()->add_views() = view;
    it.answer(x, reply);
  }
}

log_lines lines(std::string text, std::int64_t next, bool end = false) {
  log_lines x;
  x.set_text(std::move(text));
  x.set_next_offset(next);
  x.set_end_of_life(end);
  x.set_life(3);
  x.set_workload("uid");
  return x;
}

} // namespace

TEST_SUITE("gateway/reading_logs") {

  TEST_CASE("logs are read from the pod's node, piece by piece, until what is there was read") {
    play it{logs_of()};
    find(it, view_of("web", {2, 1}));
    auto first = it.one_ask();
    CHECK(play::whom(first) == "legion-2");
    CHECK(std::get<logs_request>(first.what).container() == "main");
    CHECK_FALSE(std::get<logs_request>(first.what).life_given());
    it.answer(first, lines(std::string(64 * 1024, 'x'), 65536));
    CHECK_FALSE(it.ended());
    auto second = it.one_ask();
    const auto& what = std::get<logs_request>(second.what);
    CHECK(what.offset() == 65536);
    CHECK(what.life_given());
    CHECK(what.life() == 3);
    CHECK(what.workload() == "uid");
    it.answer(second, lines("the end", 65543));
    REQUIRE(it.ended());
    CHECK(it.last_said().log().text() == "the end");
  }

  TEST_CASE("why there is nothing of a program that never ran is said") {
    auto view = view_of("web", {2});
    auto& status = *view.mutable_pods(0)->mutable_assessment()->add_containers();
    status.set_name("main");
    status.set_reason("StartError");
    status.set_message("execve /no/such: No such file or directory");
    play it{logs_of()};
    find(it, view);
    it.answer(it.one_ask(), lines("", 0, true));
    REQUIRE(it.ended());
    REQUIRE(it.last_said().notes_size() == 1);
    CHECK(it.last_said().notes(0)
          == "container main of pod web-abc-1 never ran: execve /no/such: No such file or "
             "directory");
    status.set_reason("CrashLoopBackOff");
    status.set_message("back-off 10s");
    status.set_last_reason("StartError");
    status.set_last_message("execve");
    play again{logs_of()};
    find(again, view);
    again.answer(again.one_ask(), lines("", 0, true));
    REQUIRE(again.last_said().notes_size() == 1);
    CHECK(again.last_said().notes(0) == "container main of pod web-abc-1 never ran: execve");
  }

  TEST_CASE("following what has written nothing is answered at once, and goes on") {
    play it{logs_of(true)};
    find(it, view_of("web", {2}));
    it.answer(it.one_ask(), lines("", 0));
    REQUIRE(it.said.size() == 1); // else whoever asked would take the node for a silent one
    CHECK_FALSE(it.last_said().under_way());
    CHECK_FALSE(it.ended());
    REQUIRE(it.ring());
    it.answer(it.one_ask(), lines("", 0));
    CHECK(it.said.size() == 1);
  }

  TEST_CASE("following asks again, slower when nothing comes, and ends with the life") {
    play it{logs_of(true)};
    find(it, view_of("web", {2}));
    it.answer(it.one_ask(), lines("a", 1));
    CHECK(it.wakes.front().after == milliseconds{300});
    for (auto i = 0; i < 12; ++i) {
      it.ring();
      it.answer(it.one_ask(), lines("", 1));
    }
    CHECK(it.said.size() == 1);
    CHECK(it.wakes.front().after == milliseconds{1000});
    it.ring();
    it.answer(it.one_ask(), lines("b", 2));
    CHECK(it.wakes.front().after == milliseconds{300});
    it.ring();
    it.answer(it.one_ask(), lines("", 2, true));
    CHECK(it.ended());
    CHECK_FALSE(it.last_said().has_refused());
  }

  TEST_CASE("who began at another node goes on there, or learns that it has ended") {
    auto rest = logs_of(true);
    rest.mutable_logs()->set_life_given(true);
    rest.mutable_logs()->set_workload("uid");
    rest.mutable_logs()->set_offset(7);
    auto view = view_of("web", {2});
    play later{rest};
    find(later, view); // another one of its name by now: what it wrote is looked for everywhere
    for (const auto& x : later.asked())
      CHECK(std::get<logs_request>(x.what).find_gone());
    view.mutable_pods(0)->mutable_slot()->set_uid("uid");
    play it{rest};
    find(it, view);
    auto ask = it.one_ask();
    CHECK(std::get<logs_request>(ask.what).offset() == 7);
    log_lines another;
    another.set_error("pod web-abc-1 is not on legion-2");
    another.set_not_found(true);
    it.answer(ask, another);
    REQUIRE(it.ended());
    CHECK_FALSE(it.last_said().has_refused());
  }

  TEST_CASE(
      "a pod that is deleted under a follower ends it quietly; a driver that is away does not") {
    log_lines gone;
    gone.set_error("pod web-abc-1 is not on legion-2");
    gone.set_not_found(true);
    play it{logs_of(true)};
    find(it, view_of("web", {2}));
    it.answer(it.one_ask(), lines("a", 1));
    it.ring();
    it.answer(it.one_ask(), gone);
    REQUIRE(it.ended());
    CHECK_FALSE(it.last_said().has_refused());
    play early{logs_of(true)}; // nothing was read yet
    find(early, view_of("web", {2}));
    early.answer(early.one_ask(), gone);
    CHECK(early.last_said().refused().code() == refusal_not_found);
    log_lines away;
    away.set_error("the supervisor is being replaced");
    play patient{logs_of(true)};
    find(patient, view_of("web", {2}));
    patient.answer(patient.one_ask(), lines("a", 1));
    for (auto i = 0; i < 5; ++i) {
      CHECK_FALSE(patient.ended());
      patient.ring();
      patient.answer(patient.one_ask(), away);
    }
    REQUIRE(patient.ended());
    CHECK(patient.last_said().refused().code() == refusal_unreachable);
    CHECK(patient.last_said().refused().detail() == "the supervisor is being replaced");
  }

  TEST_CASE("a pod without a node, with a dead one, or of no such name is told apart") {
    play pending{logs_of()};
    auto view = view_of("web", {0});
    view.mutable_pods(0)->set_note("cpu: needs 9, the most free is 2");
    find(pending, view);
    CHECK(pending.last_said().refused().detail()
          == "pod web-abc-1 has no node yet: cpu: needs 9, the most free is 2; `legionctl why "
             "web-abc-1` says why");
    play dead{logs_of()};
    dead.set_member(2, member_dead);
    find(dead, view_of("web", {2}));
    CHECK(dead.last_said().refused().code() == refusal_unreachable);
    play missing{logs_of()};
    find(missing, view_of("web", {}));
    auto looks = missing.asked();
    CHECK(looks.size() == 4);
    for (const auto& x : looks)
      missing.answer(x, log_lines{});
    CHECK(missing.last_said().refused().code() == refusal_not_found);
    CHECK(missing.last_said().refused().detail()
          == "no pod web-abc-1 in namespace default, and no output of one that is gone: each node "
             "keeps that of its last 32");
  }

  TEST_CASE("what a pod that is gone wrote is read from the node that it went from last") {
    play it{logs_of()};
    find(it, view_of("web", {}));
    auto looks = it.asked();
    REQUIRE(looks.size() == 4);
    for (const auto& x : looks) {
      CHECK(std::get<logs_request>(x.what).find_gone());
      CHECK(it.asked().empty());
      log_lines known;
      known.set_gone_ms(play::whom(x) == "legion-3"   ? 2000
                        : play::whom(x) == "legion-2" ? 1000
                                                      : 0);
      if (play::whom(x) == "legion-4")
        it.fail(x, errc::deadline);
      else
        it.answer(x, known);
    }
    auto read = it.one_ask();
    CHECK(play::whom(read) == "legion-3");
    CHECK_FALSE(std::get<logs_request>(read.what).find_gone());
    it.answer(read, lines("last words", 10, true));
    REQUIRE(it.ended());
    CHECK(it.last_said().log().text() == "last words");
    CHECK(it.last_said().notes(0)
          == "pod web-abc-1 is gone: this is what legion-3 has kept of its output");
  }

  TEST_CASE("several containers: the first, with a note; a wrong name lists them") {
    auto view = view_of("web", {2});
    auto& spec = *view.mutable_what()->mutable_deployment()->mutable_template_()->mutable_spec();
    spec.add_containers()->set_name("side");
    play it{logs_of()};
    find(it, view);
    it.answer(it.one_ask(), lines("x", 1));
    CHECK(it.last_said().notes(0) == "showing container main of main, side: choose with -c");
    auto request = logs_of();
    request.mutable_logs()->set_container("other");
    play wrong{request};
    find(wrong, view);
    CHECK(wrong.last_said().refused().detail()
          == "pod web-abc-1 has no container other: main, side");
  }

  TEST_CASE("a node that dies under a follower ends it in words") {
    play it{logs_of(true)};
    find(it, view_of("web", {2}));
    auto x = it.one_ask();
    it.set_member(2, member_dead);
    it.fail(x, errc::unreachable);
    REQUIRE(it.ended());
    CHECK(it.last_said().refused().code() == refusal_unreachable);
  }

  TEST_CASE("why: whoever knows the pod explains it") {
    auto request = request_of();
    request.mutable_why()->set_pod("web-abc-1");
    for (auto known : {true, false}) {
      play it{request};
      it.keeps(2, web_name);
      it.start();
      auto asks = it.asked();
      REQUIRE(asks.size() == 2); // the deployment's keeper, and a bare pod's
      group_reply reply;
      reply.mutable_explanation()->set_pod("web-abc-1");
      it.answer(asks[0], known ? reply : refused_reply(refusal_not_found, ""));
      CHECK_FALSE(it.ended());
      it.answer(asks[1], refused_reply(refusal_not_found, ""));
      REQUIRE(it.ended());
      CHECK(it.last_said().has_explanation() == known);
      CHECK(it.last_said().has_refused() != known);
    }
  }

  TEST_CASE("cordon goes to the charter, by the node's id where it is known") {
    auto request = request_of();
    request.mutable_cordon()->set_node("legion-3");
    request.mutable_cordon()->set_cordoned(true);
    play it{request};
    it.set_member(3, member_dead); // who is down obeys when it is back
    it.start();
    auto x = it.one_ask();
    const auto& asked = std::get<charter_request>(x.what);
    CHECK(asked.cordon().cordoned());
    CHECK(asked.cordon().node() == node_id::from_bytes(id_of(3)).text());
    charter_reply reply;
    reply.mutable_done()->mutable_node()->set_id(id_of(3));
    reply.mutable_done()->mutable_node()->set_cordoned(true);
    reply.mutable_done()->set_note("node legion-3 is down: it obeys once it is back");
    it.answer(x, reply);
    CHECK(it.last_said().nodes(0).member().cordoned());
    CHECK(it.last_said().nodes(0).member().name() == "legion-3");
    CHECK(it.last_said().notes_size() == 1);

    request.mutable_cordon()->set_node("legion-9");
    play unknown{request};
    unknown.start();
    auto y = unknown.one_ask();
    CHECK(std::get<charter_request>(y.what).cordon().node() == "legion-9");
    charter_reply refused;
    refused.mutable_refused()->set_code(refusal_not_found);
    unknown.answer(y, refused);
    CHECK(unknown.last_said().refused().code() == refusal_not_found);
  }

} // TEST_SUITE

} // namespace legion::reading_test
