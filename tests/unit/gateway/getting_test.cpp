#include <doctest/doctest.h>

#include "tests/unit/gateway/play.hpp"

namespace legion::getting_test {

using namespace legion::gateway;

namespace {

api_request get_of(std::string kind, std::vector<std::string> names = {}) {
  auto x = request_of();
  x.mutable_get()->set_kind(std::move(kind));
  for (auto& name : names)
    x.mutable_get()->add_names(std::move(name));
  return x;
}

group_reply views_reply(std::vector<resource_view> views) {
  group_reply x;
  x.mutable_views();
  for (auto& view : views)
    *x.mutable_views()->add_views() = std::move(view);
  return x;
}

/// A node that holds the promises of a deployment's pods, as it would tell of them.
node_view holder(int node, const resource_view& of, const std::string& pod, bool ready = true) {
  node_view x;
  *x.add_resources() = of.what();
  auto& promise = *x.add_assessments();
  promise.mutable_slot()->set_pod(pod);
  *promise.mutable_of() = name_of(of.what());
  promise.set_node(id_of(node));
  promise.set_phase("Running");
  promise.set_ready(ready);
  return x;
}

const auto api_name = make_name("Deployment", "default", "api");

} // namespace

TEST_SUITE("gateway/getting") {

  TEST_CASE("deployments: every kept group is asked once, and the answers are sorted") {
    play it{get_of("deployments")};
    it.keeps(2, web_name);
    it.keeps(3, api_name);
    it.start();
    auto asks = it.asked();
    REQUIRE(asks.size() == 2);
    for (const auto& x : asks) {
      const auto& read = std::get<group_request>(x.what).read();
      CHECK(read.kind() == "Deployment");
      CHECK(read.namespace_() == "default");
      auto mine = play::whom(x) == "legion-2";
      it.answer(x, views_reply({view_of(mine ? "web" : "api", {1, 2})}));
    }
    REQUIRE(it.ended());
    REQUIRE(it.last_said().resources_size() == 2);
    CHECK(it.last_said().resources(0).what().metadata().name() == "api");
    CHECK(it.last_said().resources(1).keeper_name() == "legion-2");
  }

  TEST_CASE("an answer that fills pages: they are asked for one after the other, of the same one") {
    play it{get_of("deployments")};
    it.keeps(2, web_name);
    it.start();
    auto first = views_reply({view_of("web", {1, 2})});
    *first.mutable_views()->mutable_next() = web_name;
    first.mutable_views()->set_next_pod("web-abc-2");
    it.answer(it.one_ask(), first);
    CHECK_FALSE(it.ended());
    auto second = it.one_ask();
    CHECK(play::whom(second) == "legion-2");
    const auto& read = std::get<group_request>(second.what).read();
    CHECK(read.after().name() == "web");
    CHECK(read.after_pod() == "web-abc-2");
    auto rest = view_of("web", {3});
    rest.mutable_what()->clear_deployment();
    rest.mutable_pods(0)->mutable_slot()->set_pod("web-abc-3");
    it.answer(second, views_reply({rest, view_of("xylophone", {4})}));
    REQUIRE(it.ended());
    CHECK_FALSE(it.last_said().incomplete());
    REQUIRE(it.last_said().resources_size() == 2);
    CHECK(it.last_said().resources(0).what().has_deployment());
    CHECK(it.last_said().resources(0).pods_size() == 3);
    CHECK(it.last_said().resources(1).pods_size() == 1);
  }

  TEST_CASE("a group that falls silent between two pages: what it told before is told once") {
    play it{get_of("deployments")};
    it.keeps(2, web_name);
    it.start();
    auto first = views_reply({view_of("web", {1})});
    *first.mutable_views()->mutable_next() = web_name;
    it.answer(it.one_ask(), first);
    for (auto rounds = 0; !it.ended() && rounds < 40; ++rounds) {
      for (const auto& x : it.asked())
        if (std::holds_alternative<group_request>(x.what))
          it.fail(x, errc::unreachable);
        else
          it.answer(x, holder(1, view_of("web", {1}), "web-abc-1"));
      it.ring();
    }
    REQUIRE(it.ended());
    CHECK(it.last_said().incomplete());
    CHECK(it.last_said().resources_size() == 1);
  }

  TEST_CASE("a keeper that gives the same page again and again is not asked for ever") {
    for (std::string pod : {"", "web-abc-1"}) {
      play it{get_of("deployments")};
      it.keeps(2, web_name);
      it.start();
      auto page = views_reply({view_of("web", {1})});
      *page.mutable_views()->mutable_next() = web_name;
      page.mutable_views()->set_next_pod(pod);
      it.answer(it.one_ask(), page);
      it.answer(it.one_ask(), page);
      for (const auto& x : it.asked()) {
        REQUIRE(std::holds_alternative<node_request>(x.what)); // what do nodes know of it?
        it.answer(x, node_view{});
      }
      REQUIRE(it.ended());
      CHECK(it.last_said().incomplete());
      CHECK(it.last_said().notes(0).find("legion-2 repeats itself") != std::string::npos);
    }
  }

  TEST_CASE("an answer that could not be sent is missing, and not as if there were nothing") {
    play it{get_of("deployments", {"web"})};
    it.keeps(2, web_name);
    it.start();
    it.fail(it.one_ask(), errc::too_large, "a message of 3 MiB");
    for (const auto& x : it.asked())
      it.answer(x, node_view{});
    REQUIRE(it.ended());
    CHECK(it.last_said().incomplete());
    CHECK(it.last_said().refused().code() == refusal_unreachable);
    CHECK(it.last_said().notes(0).find("a message of 3 MiB") != std::string::npos);
  }

  TEST_CASE("who knows of no group says so, and not that there is nothing") {
    play it{get_of("deployments")};
    it.start();
    REQUIRE(it.ended());
    CHECK(it.last_said().incomplete());
    REQUIRE(it.last_said().notes_size() == 1);
    CHECK(it.last_said().notes(0).starts_with("legion-1 knows of no keeper group"));
  }

  TEST_CASE("a watch for what is not there is refused; one of nothing yet is answered") {
    auto request = get_of("pods", {"nope"});
    request.mutable_get()->set_watch(true);
    play it{request};
    it.keeps(2, make_name("Pod", "default", "nope"));
    it.start();
    for (const auto& x : it.asked())
      it.answer(x, views_reply({}));
    REQUIRE(it.ended());
    CHECK(it.last_said().refused().code() == refusal_not_found);
    request.mutable_get()->clear_names();
    play all{request};
    all.keeps(2, web_name);
    all.start();
    for (const auto& x : all.asked())
      all.answer(x, views_reply({}));
    REQUIRE(all.said.size() == 1);
    CHECK_FALSE(all.last_said().under_way());
    CHECK_FALSE(all.ended());
  }

  TEST_CASE("by name: only the group of that name is asked; what is missing is refused") {
    play it{get_of("deployments", {"web"})};
    it.keeps(2, web_name);
    it.keeps(3, api_name);
    it.start();
    auto x = it.one_ask();
    CHECK(play::whom(x) == "legion-2");
    CHECK(std::get<group_request>(x.what).read().name() == "web");
    it.answer(x, refused_reply(refusal_not_found, "nothing"));
    REQUIRE(it.ended());
    CHECK(it.last_said().refused().code() == refusal_not_found);
    CHECK(it.last_said().refused().detail() == "no deployment web in namespace default");
  }

  TEST_CASE("pods: labels are those of the template, names those of pods") {
    auto request = get_of("pods");
    request.mutable_get()->set_selector("app=web");
    play it{request};
    it.keeps(2, web_name);
    it.keeps(2, api_name);
    it.start();
    auto asks = it.asked();
    REQUIRE(asks.size() == 2);
    it.answer(asks[0], views_reply({view_of("web", {1, 2})}));
    it.answer(asks[1], views_reply({view_of("api", {1})}));
    REQUIRE(it.ended());
    REQUIRE(it.last_said().resources_size() == 1);
    CHECK(it.last_said().resources(0).pods_size() == 2);

    play named{get_of("pods", {"web-abc-2", "web-abc-9"})};
    named.keeps(2, web_name);
    named.start();
    for (const auto& x : named.asked()) {
      auto about = std::get<group_request>(x.what).read().name() == "web";
      named.answer(x, about ? views_reply({view_of("web", {1, 2})}) : views_reply({}));
    }
    REQUIRE(named.ended());
    REQUIRE(named.last_said().resources_size() == 1);
    CHECK(named.last_said().resources(0).pods_size() == 1);
    CHECK(named.last_said().refused().detail() == "no pod web-abc-9 in namespace default");
  }

  TEST_CASE("a keeper that is down: its resources are put together from the nodes' promises") {
    play it{get_of("deployments")};
    auto view = view_of("web", {1, 3});
    it.keeps(2, web_name);
    it.keeps(2, web_name, member_dead);
    it.now += std::chrono::seconds{12};
    it.start();
    auto asks = it.asked();
    REQUIRE(asks.size() == 3); // the living
    for (const auto& x : asks) {
      CHECK(std::get<node_request>(x.what).resources());
      auto node = x.whom.bytes().back() - '0';
      if (node == 4)
        it.fail(x, errc::deadline);
      else
        it.answer(x, holder(node, view, "web-abc-" + std::to_string(node)));
    }
    REQUIRE(it.ended());
    const auto& said = it.last_said();
    REQUIRE(said.resources_size() == 1);
    const auto& web = said.resources(0);
    CHECK(web.keeper_dead());
    CHECK(web.keeper_name() == "legion-2");
    CHECK(web.pods_size() == 2);
    CHECK(web.ready() == 2);
    CHECK(web.wanted() == 2);
    REQUIRE(said.notes_size() == 3);
    CHECK(said.notes(0)
          == "web: its keeper is legion-2, down for 12 s: what runs goes on, and is not "
             "repaired until that ends; how many are wanted is as of its promises");
    CHECK(said.notes(1).rfind("1 keeper group did not answer: its keeper is legion-2, down "
                              "for 12 s; their resources are shown",
                              0)
          == 0);
    CHECK(said.notes(2) == "legion-4 did not answer in time: what it would say is missing");
  }

  TEST_CASE("a group without a quorum: nobody keeps it, and who is in it is told") {
    play it{get_of("deployments")};
    for (int node : {1, 2, 3})
      it.keeps(node, web_name);
    for (int node : {2, 3})
      it.keeps(node, web_name, member_dead);
    it.start();
    group_reply no_leader;
    no_leader.mutable_refused()->set_code(refusal_elsewhere);
    no_leader.mutable_refused()->set_detail(
        "group " + std::to_string(value(group::group_of(web_name))) + " has no leader");
    for (auto rounds = 0; !it.ended() && rounds < 40; ++rounds) {
      for (const auto& x : it.asked())
        if (std::holds_alternative<group_request>(x.what))
          it.answer(x, no_leader);
        else
          it.answer(x, holder(1, view_of("web", {1}), "web-abc-1"));
      it.ring();
    }
    REQUIRE(it.ended());
    REQUIRE(it.last_said().resources_size() == 1);
    const auto& web = it.last_said().resources(0);
    CHECK(web.keeper_dead());
    CHECK(web.keeper_name().empty());
    REQUIRE(it.last_said().notes_size() >= 2);
    CHECK(it.last_said().notes(1).rfind("1 keeper group did not answer: only 1 of the 3 nodes that "
                                        "keep it is up, which is no quorum; missing: legion-2",
                                        0)
          == 0);
    REQUIRE(web.members_size() == 3);
    std::string shown;
    for (const auto& x : web.members())
      shown += x.name() + (x.heard() ? " up " : " down ") + (x.leads() ? "leads " : "");
    CHECK(shown == "legion-1 up legion-2 down legion-3 down ");
  }

  TEST_CASE("groups with the same trouble have the same words for it") {
    CHECK(without_number(7, "group 7 has no leader: wait") == "no leader: wait");
    CHECK(without_number(7, "group 7 is not kept by n1 any more")
          == "it is not kept by n1 any more");
    CHECK(without_number(7, "its keeper is n1: group 7 has no leader")
          == "its keeper is n1: no leader");
    CHECK(without_number(7, "group 77 has no leader") == "group 77 has no leader");
    CHECK(without_number(7, "").empty());
  }

  TEST_CASE("who is in a group: as the charter has it, though a wiped node says otherwise") {
    play it{get_of("deployments")};
    it.keeps(1, web_name);
    it.keeps(4, web_name);
    auto group = group::group_of(web_name);
    CHECK(it.zone.members_of(group).size() == 2);
    roster_state told;
    auto& hint = *told.add_hints();
    hint.set_group(value(group));
    hint.set_index(1);
    for (int node : {1, 2, 3})
      hint.add_voters(id_of(node));
    auto roster = charter::roster::from(told);
    REQUIRE(roster);
    it.zone.know(std::make_shared<const charter::roster>(*roster));
    CHECK(it.zone.members_of(group).size() == 3);
  }

  TEST_CASE("a node that was installed anew under its name is told from the one of before") {
    play it{get_of("nodes")};
    member again;
    again.set_id(std::string(16, 'z'));
    again.set_start(1);
    again.set_name("legion-2");
    it.set_member(2, member_dead);
    CHECK(it.zone.name_of(node_id::from_bytes(id_of(2))) == "legion-2");
    it.zone.on(again, member_alive, it.now);
    CHECK(it.zone.name_of(node_id::from_bytes(std::string(16, 'z'))) == "legion-2");
    CHECK(it.zone.name_of(node_id::from_bytes(id_of(2)))
          == "legion-2 (of before, id " + node_id::from_bytes(id_of(2)).short_text() + ")");
  }

  TEST_CASE("a keeper that does not answer in time is stood in for, too") {
    play it{get_of("deployments")};
    it.keeps(2, web_name);
    it.start();
    auto rounds = 0;
    while (!it.ended() && ++rounds < 20) {
      for (const auto& x : it.asked())
        if (std::holds_alternative<group_request>(x.what)) {
          it.now += x.timeout;
          it.fail(x, errc::deadline);
        } else {
          it.answer(x, holder(1, view_of("web", {1}), "web-abc-1"));
        }
      it.ring();
    }
    REQUIRE(it.ended());
    CHECK(it.last_said().resources(0).keeper_dead());
    CHECK(it.last_said().notes(0)
          == "web: its keeper legion-2 does not answer: what runs goes on, and is not repaired "
             "until that ends; how many are wanted is as of its promises");
  }

  TEST_CASE("nodes: a silent one is shown by its member record") {
    play it{get_of("nodes")};
    it.set_member(3, member_dead);
    it.start();
    auto asks = it.asked();
    REQUIRE(asks.size() == 3);
    for (const auto& x : asks) {
      node_view view;
      view.set_promises(7);
      view.add_lost()->set_peer(id_of(3));
      if (play::whom(x) == "legion-4")
        it.fail(x, errc::unreachable);
      else
        it.answer(x, view);
    }
    REQUIRE(it.ended());
    const auto& said = it.last_said();
    REQUIRE(said.nodes_size() == 4);
    CHECK(said.nodes(0).answered());
    CHECK(said.nodes(0).promises() == 7);
    CHECK(said.nodes(0).lost(0).peer_name() == "legion-3");
    CHECK(said.nodes(2).state() == member_dead);
    CHECK_FALSE(said.nodes(2).answered());
    CHECK_FALSE(said.nodes(3).answered());
    CHECK(said.nodes(3).member().name() == "legion-4");
  }

  TEST_CASE("promises: of the namespace only, unless all are asked for") {
    auto other = view_of("web", {1});
    other.mutable_what()->mutable_metadata()->set_namespace_("other");
    for (auto all : {false, true}) {
      auto request = get_of("promises");
      request.mutable_get()->set_all_namespaces(all);
      play it{request};
      it.set_member(5, member_dead);
      it.now += seconds{12};
      it.start();
      for (const auto& x : it.asked())
        it.answer(x, holder(1, play::whom(x) == "legion-1" ? other : view_of("web", {1}), "p"));
      REQUIRE(it.ended());
      auto promises = 0;
      for (const auto& x : it.last_said().nodes())
        promises += x.assessments_size();
      CHECK(promises == (all ? 4 : 3));
      REQUIRE(it.last_said().notes_size() == 1);
      CHECK(it.last_said().notes(0)
            == "what legion-5, down for 12 s, has promised is missing: only it knows "
               "that");
    }
  }

  TEST_CASE("a watch tells what changed, once, and what is gone") {
    auto request = get_of("deployments");
    request.mutable_get()->set_watch(true);
    play it{request};
    it.keeps(2, web_name);
    auto round = [&](std::vector<resource_view> views) {
      it.said.clear();
      it.answer(it.one_ask(), views_reply(std::move(views)));
      auto said = it.said.size();
      it.ring();
      return said;
    };
    it.start();
    auto view = view_of("web", {1, 2});
    CHECK(round({view}) == 1);
    CHECK_FALSE(it.ended());
    CHECK(round({view}) == 0);
    view.mutable_pods(0)->mutable_assessment()->set_observed_ms(5); // no news
    CHECK(round({view}) == 0);
    view.mutable_pods()->DeleteSubrange(1, 1);
    CHECK(round({view}) == 1);
    REQUIRE(it.last_said().resources(0).pods_size() == 2);
    CHECK(it.last_said().resources(0).pods(1).state() == "gone");
    CHECK(round({view}) == 0);
    CHECK(round({}) == 1);
    CHECK(it.last_said().resources(0).deleting());
    CHECK(round({}) == 0);
  }

  TEST_CASE("nonsense is refused at once") {
    play kind{get_of("secrets")};
    kind.start();
    CHECK(kind.last_said().refused().detail()
          == "there is no kind 'secrets': nodes, deployments, pods or promises");
    auto request = get_of("pods");
    request.mutable_get()->set_selector("a b");
    play selector{request};
    selector.start();
    CHECK(selector.last_said().refused().code() == refusal_invalid);
    CHECK(selector.asked().empty());
  }

} // TEST_SUITE

} // namespace legion::getting_test
