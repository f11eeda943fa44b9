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

TEST_SUITE("console/program") {

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
    view.mutable_what()->mutable_deployment()->clear_unstarted();
    view.mutable_what()->mutable_deployment()->set_paused(true);
    view.set_wanted(2);
    view.set_available(2);
    for (auto updated : {1, 2}) { // paused in the middle of a rollout, or when it was over
      view.set_updated(updated);
      x = run_words({"apply", "-f", "-", "--wait", "--target", node.path()}, "x");
      CHECK(x.code == exit_done);
      CHECK((x.err.find("is paused: its replicas keep") != std::string::npos) == (updated < 2));
    }
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

  TEST_CASE(
      "logs and why take a pod of a Deployment: a ready one to read, one that waits to explain") {
    auto there = canned_resources();
    std::swap(*there.mutable_resources(0)->mutable_pods(0),
              *there.mutable_resources(0)->mutable_pods(1));
    fake_node node{[&](const api_request& what) {
      if (what.has_get()) {
        CHECK(what.get().kind() == "deployments");
        CHECK(what.get().names(0) == "web");
        CHECK(what.get().namespace_() == "shop");
        return std::vector{last(there)};
      }
      api_reply x;
      x.mutable_log()->set_text("of " + (what.has_why() ? what.why().pod() : what.logs().pod()));
      if (what.has_why())
        x.add_notes(x.log().text());
      return std::vector{last(x)};
    }};
    auto target = "--target=" + node.path();
    auto x = run_words({"logs", "deploy/web", "-n", "shop", target});
    CHECK(x.code == exit_done);
    CHECK(x.out == "of web-6d5f9c7b8d-x2k41");
    CHECK(x.err == "note: pod web-6d5f9c7b8d-x2k41, of 3 of deployment.apps/web\n");
    CHECK(run_words({"why", "deployment/web", "-n", "shop", target}).err
          == "note: pod web-6d5f9c7b8d-x2k43, of 3 of deployment.apps/web\nnote: of "
             "web-6d5f9c7b8d-x2k43\n");
    auto& pods = *there.mutable_resources(0)->mutable_pods();
    pods[1].set_node_dead(true);
    std::swap(pods[0], pods[2]); // it waits: it has no output
    CHECK(run_words({"logs", "deploy/web", "-n", "shop", target}).out == "of web-6d5f9c7b8d-x2k42");
    pods.Clear();
    x = run_words({"logs", "deploy/web", "-n", "shop", target});
    CHECK(x.code == exit_refused);
    CHECK(x.err == "error: deployment.apps/web has no pod in namespace shop\n");
    for (auto* word : {"node/web", "replicaset/web", "deployment/"}) {
      x = run_words({"logs", word, target});
      CHECK(x.code == exit_usage);
      CHECK(x.err
            == "error: '" + std::string{word}
                   + "': name a pod, or deployment/NAME for one of its pods\n");
    }
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
