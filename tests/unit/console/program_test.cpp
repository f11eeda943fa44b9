#include <doctest/doctest.h>

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "runtime/api/client.hpp"
#include "runtime/api/socket_server.hpp"
#include "runtime/console/legionctl.hpp"
#include "runtime/console/verbs.hpp"
#include "tests/unit/console/canned.hpp"
#include "tests/unit/console/fake_node.hpp"

namespace legion::program_test {

using namespace legion::console;

namespace {

api_reply result_reply(std::string action) {
  api_reply x;
  auto& result = *x.add_results();
  result.mutable_name()->set_kind("Deployment");
  result.mutable_name()->set_namespace_("default");
  result.mutable_name()->set_name("web");
  result.set_action(std::move(action));
  result.set_generation(2);
  return last(x);
}

api_reply under_way() {
  api_reply x;
  x.set_under_way(true);
  return x;
}

} // namespace

TEST_SUITE("console/program") {

  TEST_CASE("a node that serves all the clients it takes refuses plainly, also a change") {
    fake_node node{[](const api_request&) { return std::vector{last({})}; }, 1};
    auto first = api::client::connect({{node.path()}, "a test"}, std::chrono::seconds{10});
    REQUIRE(first);
    auto soon = api::client::clock::now() + std::chrono::seconds{10};
    api_request request;
    request.mutable_version_of();
    REQUIRE(first->send(request, soon));
    REQUIRE(first->receive(soon)); // it is served: the next one is one too many
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

  TEST_CASE("usage: what is wrong goes to stderr, exit code 2; help is no error") {
    for (std::vector<std::string> words : {std::vector<std::string>{},
                                           {"frobnicate"},
                                           {"get"},
                                           {"get", "secrets"},
                                           {"get", "pods", "-o", "xml"},
                                           {"get", "pods", "--nonsense"},
                                           {"apply"},
                                           {"apply", "-f", "/no/such/file.yaml"},
                                           {"scale", "deployment", "web"},
                                           {"scale", "pods", "web", "--replicas", "3"},
                                           {"scale", "deployment", "a", "b", "--replicas", "3"},
                                           {"delete"},
                                           {"delete", "deployment"},
                                           {"completion", "tcsh"},
                                           {"simulate"},
                                           {"--target", "x", "simulate"},
                                           {"version", "--request-timeout", "soon"},
                                           {"version", "--request-timeout", "1m30"},
                                           {"version", "--request-timeout", "1m30x"}}) {
      auto x = run_words(words);
      CAPTURE(x.err);
      CHECK(x.code == exit_usage);
      CHECK_FALSE(x.err.empty());
      CHECK(x.out.empty());
    }
    for (auto* verb : {"apply", "get", "describe", "delete", "scale", "logs", "why", "cordon",
                       "uncordon", "backup", "restore", "charter", "version", "completion"}) {
      auto x = run_words({verb, "--help"});
      CHECK(x.code == exit_done);
      CHECK(x.out.find("Examples:\n  ") != std::string::npos);
      CHECK(x.err.empty());
    }
    CHECK(run_words({"--target", "x", "frobnicate"}).err
          == "error: there is no command 'frobnicate'; there are apply, get, describe, delete, "
             "scale, logs, why, cordon, uncordon, backup, restore, keepers, charter, simulate, "
             "version, completion\nsee: legionctl --help\n");
    CHECK(run_words({"scale", "deployment", "web"}).err
          == "error: --replicas is required\nsee: legionctl scale --help\n");
    CHECK(run_words({"get", "pods", "--outptu", "json"}).err
          == "error: there is no flag '--outptu', did you mean '--output'?\nsee: legionctl get "
             "--help\n");
    CHECK(run_words({"delete", "service", "web"}).err
          == "error: there is no kind 'service': deployments or pods\n");
    CHECK(run_words({"get", "pods", "--colours=no"}).err
          == "error: there is no flag '--colours'\nsee: legionctl get --help\n");
    CHECK(run_words({"--version"}).out == "legionctl " LEGION_VERSION "\n");
    CHECK(run_words({"completion", "bash"}).out.find("complete -F _legionctl legionctl")
          != std::string::npos);
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

  TEST_CASE("exit codes by refusal") {
    struct row {
      refusal_code code;
      int exit;
    };
    for (auto x : {row{refusal_not_found, 1}, row{refusal_invalid, 1}, row{refusal_overloaded, 1},
                   row{refusal_unreachable, 3}, row{refusal_deadline, 4}}) {
      fake_node node{
          [&](const api_request&) { return std::vector{refused(x.code, "because\x1b[2J of it")}; }};
      auto ran = run_words({"scale", "deploy/web", "--replicas", "3", "--target", node.path()});
      CHECK(ran.code == x.exit);
      CHECK(ran.err == "error: because?[2J of it\n");
    }
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

  TEST_CASE("apply: files are sent as they are, results and warnings shown as kubectl does") {
    api_request heard;
    fake_node node{[&](const api_request& what) {
      heard = what;
      auto x = result_reply("unchanged");
      x.add_notes("runs as processes");
      auto& warning = *x.add_diagnostics();
      warning.set_file("standard input");
      warning.set_line(3);
      warning.set_column(7);
      warning.set_warning(true);
      warning.set_text("spec.x is not honoured yet");
      return std::vector{x};
    }};
    auto x = run_words({"apply", "-f", "-", "-n", "shop", "--target", node.path()}, "kind: X\n");
    CHECK(x.code == exit_done);
    CHECK(x.out == "deployment.apps/web unchanged\n");
    CHECK(x.err
          == "standard input:3:7: warning: spec.x is not honoured yet\nnote: runs as processes\n");
    CHECK(heard.apply().files(0).text() == "kind: X\n");
    CHECK(heard.apply().namespace_() == "shop");
    CHECK(heard.request_id().size() == 16);
  }

  TEST_CASE("apply: a file without an end is read no further than the limit") {
    auto x = run_words({"apply", "-f", "/dev/zero", "--target", "/no/api.sock"});
    CHECK(x.code == exit_usage);
    CHECK(x.err.find("more than 15 MiB") != std::string::npos);
  }

  TEST_CASE("apply: a folder's manifests in order, other files left out") {
    std::vector<std::string> names;
    fake_node node{[&](const api_request& what) {
      for (const auto& x : what.apply().files())
        names.push_back(std::filesystem::path{x.name()}.filename().string());
      return std::vector{result_reply("created")};
    }};
    auto folder = node.folder() + "/manifests";
    std::filesystem::create_directory(folder);
    for (auto* name : {"b.yaml", "a.yml", "c.json", "README.md"})
      std::ofstream{folder + "/" + name} << "x\n";
    CHECK(run_words({"apply", "-f", folder, "--target", node.path()}).code == exit_done);
    CHECK(names == std::vector<std::string>{"a.yml", "b.yaml", "c.json"});
    std::filesystem::create_directory(folder + "/empty");
    auto empty = run_words({"apply", "-f", folder + "/empty", "--target", node.path()});
    CHECK(empty.code == exit_usage);
    CHECK(empty.err.find("no .yaml, .yml or .json file in it") != std::string::npos);
  }

  TEST_CASE("apply --wait: progress, then done; at the time-out what is missing, exit code 4") {
    auto polls = 0;
    fake_node node{[&](const api_request& what) {
      if (what.has_apply())
        return std::vector{result_reply("created")};
      auto x = canned_resources();
      if (++polls > 1) {
        x.mutable_resources(0)->set_ready(3);
        x.mutable_resources(0)->set_available(3);
      }
      return std::vector{last(x)};
    }};
    auto x = run_words({"apply", "-f", "-", "--wait", "--target", node.path()}, "x");
    CHECK(x.code == exit_done);
    CHECK(x.out.rfind("deployment.apps/web created\nall ready after ", 0) == 0);
    CHECK(x.err == "deployment.apps/web: 1 of 3 ready (web-6d5f9c7b8d-x2k42 CrashLoopBackOff)\n");
    polls = -1000;
    x = run_words({"apply", "-f", "-", "--wait", "--timeout", "1ms", "--target", node.path()}, "x");
    CHECK(x.code == exit_unknown);
    CHECK(x.err.find("not ready after 0 s; it goes on:\n  deployment.apps/web: 1 of 3 ready")
          != std::string::npos);
  }

  TEST_CASE("apply --wait does not wait for what has failed for good, nor says that all is ready "
            "of what is paused") {
    api_reply seen;
    fake_node node{[&](const api_request& what) {
      if (!what.has_apply())
        return std::vector{last(seen)};
      auto x = result_reply("created");
      auto& of = *x.mutable_results(0);
      of.mutable_name()->set_kind(seen.resources(0).what().kind());
      return std::vector{x};
    }};
    auto& view = *seen.add_resources();
    view.mutable_what()->set_kind("Pod");
    view.mutable_what()->mutable_metadata()->set_name("web");
    view.mutable_what()->mutable_metadata()->set_namespace_("default");
    view.mutable_what()->mutable_metadata()->set_generation(9);
    view.mutable_what()->mutable_pod()->set_restart_policy("Never");
    auto& pod = *view.add_pods();
    pod.set_state("bound");
    pod.mutable_slot()->set_pod("web");
    pod.mutable_assessment()->set_phase("Failed");
    auto& container = *pod.mutable_assessment()->add_containers();
    container.set_state("terminated");
    container.set_exit_code(5);
    auto x = run_words({"apply", "-f", "-", "--wait", "--target", node.path()}, "x");
    CHECK(x.code == exit_refused);
    CHECK(x.err.find("failed, and is not begun again:\n  pod/web: not ready (web ExitCode:5")
          != std::string::npos);
    view.clear_pods();
    view.mutable_what()->set_kind("Deployment");
    view.mutable_what()->mutable_deployment()->set_unstarted(true);
    x = run_words({"apply", "-f", "-", "--wait", "--target", node.path()}, "x");
    CHECK(x.code == exit_done);
    CHECK(x.out == "deployment.apps/web created\n");
    CHECK(x.err.find("is paused: nothing of it runs") != std::string::npos);
  }

  TEST_CASE("get: tables, names and objects; notes on stderr") {
    fake_node node{[](const api_request& what) {
      auto x = what.get().kind() == "nodes" ? canned_nodes() : canned_resources();
      x.add_notes("legion-3 is down");
      return std::vector{last(x)};
    }};
    auto target = "--target=" + node.path();
    auto x = run_words({"get", "po", target});
    CHECK(x.code == exit_done);
    CHECK(x.out.rfind("NAME                   READY   STATUS", 0) == 0);
    CHECK(x.err == "note: legion-3 is down\n");
    CHECK(run_words({"get", "pods", "--no-headers", target}).out.rfind("web-", 0) == 0);
    CHECK(run_words({"get", "no", "-o=name", "--request-timeout=1m0.5s", target}).out
          == run_words({"get", "no", "-oname", target}).out);
    CHECK(run_words({"get", "deployments.apps", "-o=name", target}).code == exit_done);
    CHECK(run_words({"get", "no", "-o", "name", target}).out
          == "node/legion-1\nnode/legion-2\nnode/legion-3\n");
    CHECK(run_words({"get", "deploy,po", "-o", "name", target}).out
          == "deployment.apps/web\npod/web-6d5f9c7b8d-x2k41\npod/web-6d5f9c7b8d-x2k42\n"
             "pod/web-6d5f9c7b8d-x2k43\n");
    CHECK(run_words({"get", "deploy/web", "-o", "yaml", target})
              .out.rfind("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n", 0)
          == 0);
    CHECK(run_words({"get", "deployments", "-o", "json", target})
              .out.rfind("{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"List\"", 0)
          == 0);
  }

  TEST_CASE("get: nothing there is said, and is no error") {
    fake_node node{[](const api_request&) { return std::vector{last({})}; }};
    auto x = run_words({"get", "pods", "--target", node.path()});
    CHECK(x.code == exit_done);
    CHECK(x.err == "No pods found in namespace default.\n");
    CHECK(run_words({"get", "pods", "-A", "--target", node.path()}).err == "No pods found.\n");
  }

  TEST_CASE("get -w: rows that changed, the headings once") {
    fake_node node{[](const api_request& what) {
      CHECK(what.get().watch());
      auto first = canned_resources();
      auto second = first;
      second.mutable_resources(0)->mutable_pods(2)->set_state("gone");
      return std::vector{first, first, last(second)};
    }};
    auto x = run_words({"get", "pods", "-w", "--target", node.path()});
    CHECK(x.out
          == "NAME                   READY   STATUS             RESTARTS      AGE   NODE\n"
             "web-6d5f9c7b8d-x2k41   1/1     Running            0             59m   legion-1\n"
             "web-6d5f9c7b8d-x2k42   0/1     CrashLoopBackOff   4 (20s ago)   59m   legion-2\n"
             "web-6d5f9c7b8d-x2k43   0/1     Pending            0             59m   <none>\n"
             "web-6d5f9c7b8d-x2k43   0/1     Gone               0             59m   <none>\n");
  }

  TEST_CASE("logs come through as bytes, in pieces") {
    fake_node node{[](const api_request& what) {
      CHECK(what.logs().pod() == "web-1");
      CHECK(what.logs().tail_lines() == 5);
      CHECK(what.logs().follow());
      api_reply a, b;
      a.mutable_log()->set_text("one\n");
      b.mutable_log()->set_text("two \xff\n");
      return std::vector{a, last(b)};
    }};
    auto x = run_words({"logs", "-f", "pod/web-1", "--tail", "5", "--target", node.path()});
    CHECK(x.code == exit_done);
    CHECK(x.out == "one\ntwo \xff\n");
  }

  TEST_CASE("delete and cordon say what they did") {
    std::vector<api_request> heard;
    fake_node node{[&](const api_request& what) {
      heard.push_back(what);
      return std::vector{what.has_cordon() ? last({}) : result_reply("deleted")};
    }};
    auto target = "--target=" + node.path();
    CHECK(run_words({"delete", "deployment/web", "pod/a", target}).out
          == "deployment.apps \"web\" deleted\n");
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].delete_().names_size() == 2);
    CHECK(heard[0].delete_().names(1).kind() == "Pod");
    CHECK(run_words({"cordon", "node/legion-2", target}).out == "node/legion-2 cordoned\n");
    CHECK(heard[1].cordon().node() == "legion-2");
    CHECK(run_words({"uncordon", "legion-2", target}).out == "node/legion-2 uncordoned\n");
  }

  TEST_CASE("the charter is shown, with or without a quorum, and rebuilt") {
    charter_view whole;
    whole.set_index(9);
    whole.set_nodes(4);
    whole.set_quorum(true);
    for (auto* name : {"legion-1", "legion-2", "legion-3"}) {
      auto& x = *whole.add_members();
      x.set_name(name);
      x.set_votes(true);
      x.set_heard(true);
      x.set_leads(name == std::string{"legion-2"});
    }
    auto lost = whole;
    lost.set_quorum(false);
    lost.set_incarnation(5);
    lost.set_detail("the charter of zone 'local' has no quorum");
    lost.mutable_members(1)->set_leads(false);
    lost.mutable_members(1)->set_heard(false);
    std::vector<api_request> heard;
    fake_node node{[&](const api_request& what) {
      heard.push_back(what);
      api_reply reply;
      if (what.has_charter())
        *reply.mutable_charter() = heard.size() == 1 ? whole : lost;
      else
        reply.add_notes("raised again by legion-1");
      reply.set_answered_by("legion-1");
      return std::vector{last(reply)};
    }};
    auto target = "--target=" + node.path();
    CHECK(run_words({"charter", target}).out
          == "Roster:       4 nodes, as of entry 9\n"
             "Voters:       legion-1, legion-2, legion-3\n"
             "Leader:       legion-2\n"
             "Quorum:       legion-2 (leads), legion-1, legion-3: 3 of 3 are up, the quorum\n"
             "              is whole\n");
    CHECK(run_words({"charter", target}).out
          == "Roster:       4 nodes, as of entry 9 of incarnation 5\n"
             "Voters:       legion-1, legion-2 (not heard), legion-3\n"
             "Leader:       none\n"
             "Quorum:       NO: the charter of zone 'local' has no quorum\n");
    auto rebuilt = run_words({"charter", "rebuild", "--force", target});
    CHECK(rebuilt.out == "charter rebuilt by node legion-1\n");
    CHECK(rebuilt.err.find("raised again by legion-1") != std::string::npos);
    CHECK(heard[2].rebuild_charter().force());
    CHECK(run_words({"charter", "burn", target}).code == exit_usage);
  }

  TEST_CASE("names on the command line: kubectl's two forms, not mixed") {
    auto x = read_names({"deploy/web", "po/a", "deployment/b"});
    REQUIRE(x);
    REQUIRE(x->size() == 2);
    CHECK((*x)[0].names == std::vector<std::string>{"web", "b"});
    CHECK((*x)[1].kind == "pods");
    CHECK_FALSE(read_names({"deploy/web", "a"}));
    CHECK_FALSE(read_names({"deploy", "po/a"}));
    CHECK_FALSE(read_names({"deploy/"}));
    CHECK_FALSE(read_names({"x/a"}));
    CHECK_FALSE(read_names({}));
  }

} // TEST_SUITE

} // namespace legion::program_test
