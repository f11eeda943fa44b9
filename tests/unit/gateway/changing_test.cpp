#include <doctest/doctest.h>

#include "tests/unit/gateway/play.hpp"

namespace legion::changing_test {

using namespace legion::gateway;

namespace {

constexpr const char* web = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, command: [httpd]}]}
)";

api_request apply_of(std::vector<std::string> texts) {
  auto x = request_of();
  auto i = 0;
  x.mutable_apply();
  for (auto& text : texts) {
    auto& file = *x.mutable_apply()->add_files();
    file.set_name("file" + std::to_string(++i) + ".yaml");
    file.set_text(std::move(text));
  }
  return x;
}

bool is_trial(const ask& x) {
  return std::get<group_request>(x.what).put().dry_run();
}

/// All keepers would do what they are asked.
void pass_trial(play& it) {
  for (;;) {
    auto all = it.asked();
    for (auto& x : all)
      if (is_trial(x))
        it.answer(x, done_reply("created"));
      else
        it.asks.push_back(x);
    if (all.empty() || !is_trial(all.front()))
      return;
  }
}

std::string pod_of(const std::string& name) {
  return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name
         + "}\nspec: {containers: [{name: c, command: [x]}]}\n";
}

} // namespace

TEST_SUITE("gateway/changing") {

  TEST_CASE(
      "apply puts each resource where its name is kept, and reports in the documents' order") {
    auto pod = std::string{"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
                           "spec: {containers: [{name: c, command: [x]}]}\n"};
    play it{apply_of({pod + "---" + web})};
    it.keeps(2, web_name);
    it.keeps(3, make_name("Pod", "default", "p"));
    it.start();
    pass_trial(it);
    auto asks = it.asked();
    REQUIRE(asks.size() == 2);
    CHECK(play::whom(asks[0]) == "legion-3");
    CHECK(play::whom(asks[1]) == "legion-2");
    const auto& first = std::get<group_request>(asks[0].what);
    const auto& second = std::get<group_request>(asks[1].what);
    CHECK(second.group() == value(group::group_of(web_name)));
    CHECK(second.put().what().metadata().name() == "web");
    CHECK(first.request_id().size() == 16);
    CHECK(first.request_id() != second.request_id());
    it.answer(asks[1], done_reply("unchanged"));
    CHECK(it.said.empty());
    it.answer(asks[0], done_reply("created"));
    REQUIRE(it.ended());
    const auto& said = it.last_said();
    REQUIRE(said.results_size() == 2);
    CHECK(said.results(0).name().name() == "p");
    CHECK(said.results(0).action() == "created");
    CHECK(said.results(1).action() == "unchanged");
    REQUIRE(said.notes_size() == 1);
    CHECK(said.notes(0) == "runs as processes: the container driver does not exist yet");
    CHECK_FALSE(said.has_refused());
  }

  TEST_CASE("the version that a manifest or a scale expects goes along, apart from what is kept") {
    auto text = std::string{web};
    text.insert(text.find("name: web"), "resourceVersion: \"17\", ");
    play it{apply_of({text})};
    it.keeps(2, web_name);
    it.start();
    auto put = std::get<group_request>(it.one_ask().what).put();
    CHECK(put.expected_version() == 17);
    CHECK(put.what().metadata().resource_version() == 0);
    auto what = scale_of(3);
    what.mutable_scale()->set_expected_version(18);
    play other{what};
    other.keeps(2, web_name);
    other.start();
    CHECK(std::get<group_request>(other.one_ask().what).scale().expected_version() == 18);
  }

  TEST_CASE("one bad document, and nothing is sent") {
    play it{apply_of({web, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: bad}\n"})};
    it.start();
    CHECK(it.asked().empty());
    REQUIRE(it.ended());
    CHECK(it.last_said().refused().detail() == "nothing was applied");
    CHECK(it.last_said().diagnostics_size() > 0);
    CHECK(it.last_said().diagnostics(0).file() == "file2.yaml");
  }

  TEST_CASE("a warning is told, and what it is about is applied") {
    auto text = std::string{web};
    text.insert(text.find("command:"), "image: nginx, ");
    for (auto strict : {false, true}) {
      auto what = apply_of({text});
      what.mutable_apply()->set_strict(strict);
      play it{what};
      it.keeps(2, web_name);
      it.start();
      auto ask = it.one_ask();
      CHECK(std::get<group_request>(ask.what).has_put());
      it.answer(ask, done_reply("created"));
      REQUIRE(it.ended());
      CHECK_FALSE(it.last_said().has_refused());
      REQUIRE(it.last_said().diagnostics_size() == 1);
      CHECK(it.last_said().diagnostics(0).warning());
    }
  }

  TEST_CASE("a field that is not honoured yet is refused when strict") {
    auto what = apply_of({std::string{web} + "  revisionHistoryLimit: 3\n"});
    what.mutable_apply()->set_strict(true);
    play it{what};
    it.start();
    CHECK(it.asked().empty());
    CHECK(it.last_said().refused().detail() == "nothing was applied");
  }

  TEST_CASE("the same resource twice is refused") {
    play files{apply_of({web, web})};
    files.start();
    CHECK(files.asked().empty());
    CHECK(files.last_said().diagnostics_size() > 0);
    auto request = request_of();
    for (auto i = 0; i < 2; ++i)
      *request.mutable_delete_()->add_names() = web_name;
    play names{request};
    names.start();
    CHECK(names.asked().empty());
    CHECK(names.last_said().refused().detail()
          == "deployment default/web is named twice: once is allowed");
  }

  TEST_CASE("a dry run asks the keepers what would become of it, and changes nothing") {
    auto what = apply_of({web});
    what.mutable_apply()->set_dry_run(true);
    play it{what};
    it.start();
    auto ask = it.one_ask();
    CHECK(is_trial(ask));
    it.answer(ask, done_reply("unchanged"));
    REQUIRE(it.ended());
    CHECK(it.asked().empty());
    CHECK(it.last_said().results(0).action() == "unchanged (dry run)");
    CHECK_FALSE(it.last_said().has_refused());

    play refused{what};
    refused.start();
    refused.answer(refused.one_ask(), refused_reply(refusal_conflict, "is at version 7"));
    REQUIRE(refused.ended());
    CHECK(refused.last_said().refused().detail() == "is at version 7");
  }

  TEST_CASE("one of several that would be refused: nothing is applied") {
    play it{apply_of({pod_of("p") + pod_of("q")})};
    it.start();
    auto asks = it.asked();
    REQUIRE(asks.size() == 2);
    for (const auto& x : asks)
      CHECK(is_trial(x));
    it.answer(asks[0], done_reply("created"));
    it.answer(asks[1], refused_reply(refusal_conflict, "is at version 7"));
    REQUIRE(it.ended());
    CHECK(it.asked().empty());
    const auto& said = it.last_said();
    CHECK(said.refused().code() == refusal_conflict);
    CHECK(said.refused().detail() == "nothing was applied: 1 of 2 would be refused");
    CHECK(said.results(0).refused().detail() == "others would be refused");
    CHECK(said.results(1).refused().detail() == "is at version 7");
  }

  TEST_CASE("a trial is of the very request: repeated, it is told what came of that") {
    play it{apply_of({pod_of("p") + pod_of("q")})};
    it.start();
    auto trials = it.asked();
    REQUIRE(trials.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      auto name = make_name("Pod", "default", i == 0 ? "p" : "q");
      const auto& trial = std::get<group_request>(trials[i].what);
      CHECK(trial.group() == value(group::group_of(name)));
      CHECK(trial.put().what().metadata().name() == name.name());
    }
    for (const auto& x : trials)
      it.answer(x, done_reply("created"));
    auto asks = it.asked();
    REQUIRE(asks.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK_FALSE(is_trial(asks[i]));
      CHECK(std::get<group_request>(asks[i].what).request_id()
            == std::get<group_request>(trials[i].what).request_id());
      it.answer(asks[i], done_reply("created"));
    }
    REQUIRE(it.ended());
    CHECK(it.last_said().results_size() == 2);
    CHECK(it.last_said().results(0).action() == "created");
  }

  TEST_CASE("what is deleted of a node that is away is told") {
    auto request = request_of();
    *request.mutable_delete_()->add_names() = web_name;
    play it{request};
    it.keeps(2, web_name);
    it.set_member(4, member_dead);
    it.now += std::chrono::seconds{12};
    it.start();
    auto reply = done_reply("deleted");
    for (int node : {3, 4})
      reply.mutable_done()->add_holders(id_of(node));
    it.answer(it.one_ask(), reply);
    REQUIRE(it.ended());
    REQUIRE(it.last_said().notes_size() == 1);
    CHECK(it.last_said().notes(0)
          == "deployment default/web: what may still run of it on legion-4, down for "
             "12 s, ends once that is back");
  }

  TEST_CASE("an empty file is an error") {
    play it{apply_of({"# nothing\n"})};
    it.start();
    REQUIRE(it.ended());
    CHECK(it.last_said().has_refused());
  }

  TEST_CASE("a keeper's refusal is the answer") {
    play it{scale_of(5)};
    it.keeps(2, web_name);
    it.start();
    it.answer(it.one_ask(), refused_reply(refusal_not_found, "no deployment web"));
    REQUIRE(it.ended());
    CHECK(it.last_said().refused().code() == refusal_not_found);
    CHECK(it.last_said().refused().detail() == "no deployment web");
  }

  TEST_CASE("a replica is deleted through its Deployment, and the refusal says so") {
    auto x = request_of();
    *x.mutable_delete_()->add_names() = make_name("Pod", "", "web-s6sm429b8j-2gmkx");
    play it{std::move(x)};
    it.keeps(2, make_name("Pod", "default", "web-s6sm429b8j-2gmkx"));
    it.start();
    it.answer(it.one_ask(),
              refused_reply(refusal_not_found, "Pod default/web-s6sm429b8j-2gmkx does not exist"));
    CHECK(it.last_said().refused().detail()
          == "Pod default/web-s6sm429b8j-2gmkx does not exist of its own; if it is a replica of "
             "deployment web: scale or delete that");
  }

  TEST_CASE("scale: what cannot be") {
    for (auto n : {-1, 100'001}) {
      play it{scale_of(n)};
      it.start();
      CHECK(it.last_said().refused().code() == refusal_invalid);
    }
    auto pod = scale_of(1);
    pod.mutable_scale()->mutable_name()->set_kind("Pod");
    play it{pod};
    it.start();
    CHECK(it.last_said().refused().code() == refusal_unsupported);
  }

  TEST_CASE("many resources: at most 16 at a time, all answered") {
    std::string text;
    for (auto i = 0; i < 40; ++i)
      text += "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p" + std::to_string(i)
              + "}\nspec: {containers: [{name: c, command: [x]}]}\n";
    play it{apply_of({text})};
    it.start();
    std::size_t most = 0, all = 0;
    std::vector<ask> open = it.asked();
    while (!open.empty()) {
      most = std::max(most, open.size());
      auto x = open.front();
      open.erase(open.begin());
      ++all;
      it.answer(x, done_reply("created"));
      for (auto& more : it.asked())
        open.push_back(more);
    }
    CHECK(most == 16);
    CHECK(all == 80); // each is asked first whether it would be done
    REQUIRE(it.ended());
    CHECK(it.last_said().results_size() == 40);
    CHECK(it.last_said().results(39).name().name() == "p39");
  }

  TEST_CASE("a request of another version, or of no kind, is refused in words") {
    auto x = request_of();
    play unknown{x};
    unknown.start();
    CHECK(unknown.last_said().refused().code() == refusal_unsupported);
    x.mutable_version_of();
    x.set_version(2);
    play later{x};
    later.start();
    CHECK(later.last_said().refused().detail()
          == "the request speaks version 2 of the API, legion-1 speaks version 1");
    x.set_version(1);
    play good{x};
    good.start();
    CHECK(good.last_said().version() == "1.2.3");
    x.set_request_id("abc");
    play odd{x};
    odd.start();
    CHECK(odd.last_said().refused().code() == refusal_invalid);
    CHECK(odd.last_said().refused().detail()
          == "legion-1 takes a request_id of 16 bytes, or none: this one has 3");
  }

} // TEST_SUITE

} // namespace legion::changing_test
