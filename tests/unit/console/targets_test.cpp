#include <doctest/doctest.h>

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <sstream>

#include "runtime/api/client.hpp"
#include "runtime/api/socket_server.hpp"
#include "runtime/console/legionctl.hpp"
#include "runtime/console/verbs.hpp"
#include "tests/unit/console/canned.hpp"
#include "tests/unit/console/fake_node.hpp"

namespace legion::targets_test {

using namespace legion::console;

TEST_SUITE("console/targets") {

  TEST_CASE("a node that serves all the clients it takes refuses plainly, also a change") {
    std::promise<void> served;
    fake_node node{[&](const api_request&) {
                     served.set_value();
                     return std::vector<api_reply>{}; // it is at it
                   },
                   1};
    auto first = api::client::connect({{node.path()}, "a test"}, std::chrono::seconds{10});
    REQUIRE(first);
    auto soon = api::client::clock::now() + std::chrono::seconds{10};
    api_request request;
    request.mutable_version_of();
    REQUIRE(first->send(request, soon));
    served.get_future().wait(); // the next one is one too many
    for (std::vector<std::string> words : {std::vector<std::string>{"get", "nodes"},
                                           {"scale", "deployment", "web", "--replicas", "2"}}) {
      words.insert(words.begin(), {"--target", node.path()});
      auto x = run_words(words);
      CHECK(x.code == exit_refused);
      CHECK(
          x.err
          == "error: overloaded: legion-1 serves 1 clients already; try again, or another node\n");
    }
  }

  TEST_CASE("nobody answers: every target is listed, exit code 3") {
    auto x = run_words({"get", "nodes", "--target", "/no/api.sock,127.0.0.1:1"});
    CHECK(x.code == exit_unreachable);
    CHECK(x.err
          == "error: no node answers (targets from --target):\n"
             "  /no/api.sock: no such socket: no node runs with this data folder\n"
             "  127.0.0.1:1: Connection refused\n"
             "name one with --target HOST:PORT or --target SOCKET, or start one: legion-node\n");
  }

  TEST_CASE("the next target is tried") {
    fake_node node{[](const api_request&) {
      api_reply x;
      x.set_version("9.9.9");
      x.set_answered_by("legion-1");
      return std::vector{last(x)};
    }};
    auto x = run_words({"version", "--target", "/no/api.sock," + node.path()});
    CHECK(x.code == exit_done);
    CHECK(x.out == "legionctl " LEGION_VERSION "\nnode legion-1: legion-node 9.9.9\n");
  }

  TEST_CASE("no answer in time: a change's state is unknown, exit code 4") {
    fake_node silent{[](const api_request&) { return std::vector<api_reply>{}; }};
    auto x = run_words({"scale", "deployment", "web", "--replicas=3", "--request-timeout", "50ms",
                        "--target", silent.path()});
    CHECK(x.code == exit_unknown);
    CHECK(x.err.find("gave no answer in time: whether it was done is unknown")
          != std::string::npos);
  }

  TEST_CASE("a node that says that it is at it is waited for, and nothing is shown of that") {
    fake_node slow{[&](const api_request&) {
      return std::vector{under_way(), result_reply("scaled")};
    }};
    auto x = run_words({"scale", "deploy/web", "--replicas", "3", "--target", slow.path()});
    CHECK(x.code == exit_done);
    CHECK(x.out.find("scaled") == x.out.rfind("scaled"));
    CHECK(x.err.empty());

    std::vector<std::string> ids;
    fake_node stuck{[&](const api_request& x) {
      ids.push_back(x.request_id());
      return std::vector{under_way()};
    }};
    fake_node other{[&](const api_request& x) {
      ids.push_back(x.request_id());
      return std::vector{result_reply("scaled")};
    }};
    std::istringstream in;
    std::ostringstream out, err;
    terminal with{in, out, err, false, false, [] { return canned_now; }};
    conversation talk{
        {{stuck.path(), other.path()}, "--target"}, std::chrono::milliseconds{80}, with};
    api_request change;
    change.mutable_scale()->set_replicas(3);
    // Another is asked under the same id: it is done once, whoever did it.
    CHECK(talk.ask(change, [](const api_reply&) { return true; }) == exit_done);
    CHECK(err.str().find("has gone silent; asking") != std::string::npos);
    REQUIRE(ids.size() == 2);
    CHECK(ids[0] == ids[1]);
    conversation alone{{{stuck.path()}, "--target"}, std::chrono::milliseconds{80}, with};
    CHECK(alone.ask(change, [](const api_reply&) { return true; }) == exit_unknown);
    CHECK(err.str().find("whether it was done is unknown") != std::string::npos);
    CHECK(err.str().find("says nothing") == std::string::npos);
    api_request question;
    question.mutable_get()->set_kind("nodes");
    CHECK(talk.ask(question, [](const api_reply&) { return true; }) == exit_done);
  }

  TEST_CASE("after a silent node nobody says that nothing was changed") {
    fake_node silent{[](const api_request&) { return std::vector<api_reply>{}; }};
    fake_node other{[](const api_request&) {
      return std::vector{
          refused(refusal_unreachable, "web: no leader; nothing was changed: try again")};
    }};
    std::istringstream in;
    std::ostringstream out, err;
    terminal with{in, out, err, false, false, [] { return canned_now; }};
    conversation talk{
        {{silent.path(), other.path()}, "--target"}, std::chrono::milliseconds{80}, with};
    api_request change;
    change.mutable_scale()->set_replicas(3);
    CHECK(talk.ask(change, [](const api_reply&) { return true; }) == exit_unknown);
    CHECK(err.str().find("error: web: no leader\n") != std::string::npos);
    CHECK(err.str().find("nothing was changed") == std::string::npos);
  }

  TEST_CASE("a node that says nothing is passed over, with the same request id, and asked last") {
    std::vector<std::string> asked;
    fake_node silent{[&](const api_request& x) {
      asked.push_back("silent " + x.request_id());
      return std::vector<api_reply>{};
    }};
    fake_node other{[&](const api_request& x) {
      asked.push_back("other " + x.request_id());
      return std::vector{result_reply("scaled")};
    }};
    std::istringstream in;
    std::ostringstream out, err;
    terminal with{in, out, err, false, false, [] { return canned_now; }};
    conversation talk{{{silent.path(), other.path()}, "--target"},
                      std::chrono::milliseconds{80}, // below `patience`: then it is the limit
                      with};
    api_request change;
    change.mutable_scale()->set_replicas(3);
    for (auto i = 0; i < 2; ++i)
      CHECK(talk.ask(change, [](const api_reply&) { return true; }) == exit_done);
    REQUIRE(asked.size() == 3);
    CHECK(asked[0].substr(7) == asked[1].substr(6));
    CHECK(asked[2].starts_with("other"));
    CHECK(err.str() == "note: " + silent.path() + " says nothing; asking " + other.path() + "\n");
  }

  TEST_CASE(
      "a node that can reach nobody who decides is passed over, and told of if none does better") {
    std::vector<std::string> ids;
    auto says = [&](refusal_code code, const char* text) {
      return [&ids, code, text](const api_request& x) {
        ids.push_back(x.request_id());
        return std::vector{refused(code, text)};
      };
    };
    auto lost = "web: only 1 of the 3 nodes that keep it is up; nothing was changed: try again";
    fake_node cut_off{says(refusal_unreachable, lost)};
    fake_node in_doubt{says(refusal_deadline, "web: whether it was changed is unknown")};
    fake_node whole{[&](const api_request& x) {
      ids.push_back(x.request_id());
      return std::vector{result_reply("scaled")};
    }};
    auto scale = [&](const std::string& targets) {
      return run_words({"scale", "deployment", "web", "--replicas", "3", "--target", targets});
    };
    auto x = scale(cut_off.path() + "," + in_doubt.path() + "," + whole.path());
    CHECK(x.code == exit_done);
    CHECK(x.out == "deployment.apps/web scaled\n");
    CHECK(x.err.find("note: " + cut_off.path() + " can reach nobody who decides; asking ") == 0);
    REQUIRE(ids.size() == 3);
    CHECK(ids[0] == ids[2]);
    x = scale(cut_off.path() + ",/no/api.sock");
    CHECK(x.code == exit_unreachable);
    CHECK(x.err.find(std::string{"error: "} + lost + "\n") != std::string::npos);
    x = scale(in_doubt.path() + "," + cut_off.path());
    CHECK(x.code == exit_unknown);
    CHECK(x.err.find("nothing was changed") == std::string::npos);
    x = scale(cut_off.path() + "," + in_doubt.path());
    CHECK(x.code == exit_unknown);
    fake_node silent{[](const api_request&) { return std::vector<api_reply>{}; }};
    x = run_words({"scale", "deployment", "web", "--replicas", "3", "--request-timeout", "80ms",
                   "--target", cut_off.path() + "," + silent.path()});
    CHECK(x.code == exit_unknown);
    CHECK(x.err.find("nothing was changed") == std::string::npos);
    CHECK(x.err.find("whether it was done is unknown") != std::string::npos);
    // What a raise has done is in its refusal.
    x = run_words(
        {"charter", "rebuild", "--force", "--target", cut_off.path() + "," + whole.path()});
    CHECK(x.code == exit_unreachable);
    CHECK(x.err.find("asking") == std::string::npos);
    x = run_words({"get", "pods", "--target", cut_off.path() + ",/no/api.sock"});
    CHECK(x.code == exit_unreachable);
    x = run_words({"get", "pods", "--target", cut_off.path()});
    CHECK(x.code == exit_unreachable);
  }

  TEST_CASE("of looks that are repeated each asks one node, and the next one another") {
    std::string asked;
    fake_node cut_off{[&](const api_request&) {
      asked += "cut off, ";
      return std::vector{refused(refusal_unreachable, "no leader")};
    }};
    fake_node whole{[&](const api_request&) {
      asked += "whole, ";
      return std::vector{last({})};
    }};
    std::istringstream in;
    std::ostringstream out, err;
    terminal with{in, out, err, false, false, [] { return canned_now; }};
    conversation talk{{{cut_off.path(), whole.path()}, "--target"}, std::chrono::seconds{5}, with};
    auto look = talk.speaking_to(with);
    api_request question;
    question.mutable_get()->set_kind("nodes");
    auto any = [](const api_reply&) { return true; };
    CHECK(look.ask(question, any) == exit_unreachable);
    CHECK(look.ask(question, any) == exit_done);
    CHECK(look.ask(question, any) == exit_done);
    CHECK(asked == "cut off, whole, whole, ");
  }

  TEST_CASE("logs that break off go on at the next node, where they stopped") {
    auto piece = [](const char* text, std::int64_t next, bool is_last) {
      api_reply x;
      x.mutable_log()->set_text(text);
      x.mutable_log()->set_next_offset(next);
      x.mutable_log()->set_life(2);
      x.mutable_log()->set_workload("uid");
      x.set_last(is_last);
      return std::vector{x};
    };
    fake_node dies{[&](const api_request&) { return piece("one\n", 4, false); }};
    logs_request asked;
    fake_node other{[&](const api_request& x) {
      asked = x.logs();
      return piece("two\n", 8, true);
    }};
    auto x = run_words({"logs", "web-1", "--tail", "9", "--request-timeout", "80ms", "--target",
                        dies.path() + "," + other.path()});
    CHECK(x.code == exit_done);
    CHECK(x.out == "one\ntwo\n");
    CHECK(x.err.find(" broke off; asking ") != std::string::npos);
    CHECK(asked.life_given());
    CHECK(asked.workload() == "uid");
    CHECK(asked.life() == 2);
    CHECK(asked.offset() == 4);
    CHECK(asked.tail_lines() == -1);
  }

  TEST_CASE("a change that the first may have done stays unknown when the second is not there") {
    fake_node silent{[](const api_request&) { return std::vector<api_reply>{}; }};
    auto x = run_words({"scale", "deployment", "web", "--replicas=3", "--request-timeout", "50ms",
                        "--target", silent.path() + ",/no/api.sock"});
    CHECK(x.code == exit_unknown);
  }

  TEST_CASE(
      "a change that the first may have done stays unknown, whatever the second says of its own") {
    fake_node silent{[](const api_request&) { return std::vector<api_reply>{}; }};
    fake_node other{[](const api_request&) {
      api_reply x;
      x.set_last(true);
      x.mutable_refused()->set_code(refusal_unreachable);
      x.mutable_refused()->set_detail("no leader; nothing was changed");
      return std::vector{x};
    }};
    auto x = run_words({"scale", "deployment", "web", "--replicas=3", "--request-timeout", "80ms",
                        "--target", silent.path() + "," + other.path()});
    CHECK(x.code == exit_unknown);
    CHECK(x.err.find("whether it was done is unknown") != std::string::npos);
  }

} // TEST_SUITE

} // namespace legion::targets_test
