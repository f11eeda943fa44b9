#include "runtime/console/waiting.hpp"

#include <doctest/doctest.h>

#include "tests/unit/console/canned.hpp"
#include "tests/unit/console/fake_node.hpp"

namespace legion::waiting_test {

using namespace legion::console;

namespace {

/// Pods that are not begun again, and how each of them is at each look.
struct pods {
  using course = std::function<std::string(int look)>; // a phase

  std::vector<std::pair<std::string, course>> all;
  int looks = 0;

  std::vector<api_reply> answer(const api_request& what) {
    api_reply reply;
    if (what.has_apply()) {
      for (const auto& [name, phase] : all) {
        auto& result = *reply.add_results();
        result.mutable_name()->set_kind("Pod");
        result.mutable_name()->set_namespace_("default");
        result.mutable_name()->set_name(name);
        result.set_action("created");
      }
      return {last(reply)};
    }
    ++looks;
    for (const auto& asked : what.get().names())
      for (const auto& [name, phase] : all)
        if (name == asked)
          add(reply, name, phase(looks));
    return {last(reply)};
  }

  static void add(api_reply& to, const std::string& name, const std::string& phase) {
    auto& view = *to.add_resources();
    view.mutable_what()->set_kind("Pod");
    view.mutable_what()->mutable_metadata()->set_name(name);
    view.mutable_what()->mutable_metadata()->set_namespace_("default");
    view.mutable_what()->mutable_pod()->set_restart_policy("Never");
    auto& pod = *view.add_pods();
    pod.set_state("bound");
    pod.mutable_slot()->set_pod(name);
    pod.mutable_assessment()->set_phase(phase);
    pod.mutable_assessment()->set_ready(phase == "Running");
    pod.mutable_assessment()->set_reason(phase == "Failed" ? "Error" : "");
    pod.mutable_assessment()->set_message(phase == "Failed" ? "exit code 3" : "");
  }

  outcome applied() {
    fake_node node{[this](const api_request& what) { return answer(what); }};
    return run_words({"apply", "-f", "-", "--wait", "--target", node.path()}, "x");
  }
};

pods::course after(int looks, std::string first, std::string then) {
  return [=](int look) { return look > looks ? then : first; };
}

} // namespace

TEST_SUITE("console/waiting") {

  TEST_CASE("what a resource still lacks, in a line") {
    put_result applied;
    applied.set_generation(2);
    auto web = canned_web();
    CHECK(still_missing(web, applied) == "1 of 3 ready (web-6d5f9c7b8d-x2k42 CrashLoopBackOff)");
    web.mutable_pods(1)->set_node_dead(true); // the other is more of a reason
    CHECK(still_missing(web, applied).rfind("1 of 3 ready (web-6d5f9c7b8d-x2k43 Pending", 0) == 0);
    web.mutable_pods()->DeleteSubrange(1, 1);
    CHECK(still_missing(web, applied)
          == "1 of 3 ready (web-6d5f9c7b8d-x2k43 Pending: cpu: needs 250m, the most free is "
             "120m)");
    auto& ended = *web.mutable_pods(1);
    ended.clear_note();
    *ended.mutable_assessment() = canned_assessment(3);
    ended.mutable_assessment()->set_ready(false);
    ended.mutable_assessment()->set_phase("Failed");
    ended.mutable_assessment()->mutable_containers(0)->set_ready(false);
    ended.mutable_assessment()->mutable_containers(0)->set_state("terminated");
    ended.mutable_assessment()->mutable_containers(0)->set_exit_code(7);
    CHECK(still_missing(web, applied).find(": exit code 7)") != std::string::npos);
    web.set_updated(2);
    CHECK(still_missing(web, applied).rfind("2 of 3 updated, 1 ready", 0) == 0);
    web.set_updated(3);
    web.set_ready(3);
    web.set_available(3);
    CHECK(still_missing(web, applied).empty());
    for (auto i = 0; i < 2; ++i)
      web.add_pods()->set_state("bound");
    CHECK(still_missing(web, applied) == "1 old replica is ending");
    web.mutable_what()->mutable_deployment()->set_paused(true); // in the middle of a rollout
    web.set_updated(1);
    CHECK(still_missing(web, applied).empty());
    applied.set_generation(3);
    CHECK(still_missing(web, applied) == "the change is not seen yet");
  }

  TEST_CASE("a Pod is ready by the replica that it is now, not by one that ends") {
    resource_view x;
    x.mutable_what()->mutable_pod();
    x.set_revision("new");
    auto& old = *x.add_pods();
    old.mutable_slot()->set_pod("tool");
    old.mutable_slot()->set_revision("old");
    old.set_state("bound");
    old.mutable_assessment()->set_phase("Running");
    old.mutable_assessment()->set_ready(true);
    CHECK(!still_missing(x, {}).empty());
    old.set_state("ending");
    CHECK(!still_missing(x, {}).empty());
    auto& now = *x.add_pods();
    now = old;
    now.mutable_slot()->set_revision("new");
    now.set_state("bound");
    now.mutable_assessment()->set_ready(false);
    CHECK(!still_missing(x, {}).empty());
    now.mutable_assessment()->set_ready(true);
    CHECK(still_missing(x, {}).empty());
    now.mutable_assessment()->set_ready(false);
    now.mutable_assessment()->set_phase("Succeeded");
    CHECK(still_missing(x, {}).empty());
  }

  TEST_CASE("a Pod that was ready for a moment, and then has failed for good, is not ready") {
    auto x = pods{{{"brief", after(2, "Running", "Failed")}}}.applied();
    CHECK(x.code == exit_refused);
    CHECK(x.out.find("all ready") == std::string::npos);
    CHECK(x.err.find("failed, and is not begun again:\n  pod/brief: ") != std::string::npos);
    x = pods{{{"well", after(2, "Running", "Succeeded")}}}.applied();
    CHECK(x.code == exit_done);
  }

  TEST_CASE("one that was ready before the others is looked at again when they are") {
    auto x =
        pods{{{"brief", after(1, "Running", "Failed")}, {"slow", after(2, "Pending", "Succeeded")}}}
            .applied();
    CHECK(x.code == exit_refused);
    CHECK(x.err.find("\n  pod/brief: ") != std::string::npos);
    CHECK(x.err.find("pod/slow: not ready (slow Pending)\nerror:") != std::string::npos);
  }

  TEST_CASE("all that have failed are named, also what fails a little later, or was ready before") {
    auto x = pods{{{"a", after(0, "", "Failed")},
                   {"b", after(1, "Running", "Failed")},
                   {"c", after(2, "Pending", "Failed")},
                   {"d", after(3, "Pending", "Succeeded")}}}
                 .applied();
    CHECK(x.code == exit_refused);
    auto text = x.err.substr(std::min(x.err.size(), x.err.find("error: ")));
    CHECK(text.find("\n  pod/a: ") != std::string::npos);
    CHECK(text.find("\n  pod/b: ") != std::string::npos);
    CHECK(text.find("\n  pod/c: ") != std::string::npos);
    CHECK(text.find("pod/d") == std::string::npos);
  }

  TEST_CASE("what was paused at one look and is not at the last is not called paused") {
    auto looks = 0;
    fake_node node{[&](const api_request& what) {
      api_reply reply;
      looks += what.has_get();
      for (auto* name : {"a", "b"}) {
        auto web = canned_web();
        web.mutable_what()->mutable_metadata()->set_name(name);
        web.set_available(web.wanted());
        web.set_updated(web.wanted());
        if (looks == 1) {
          web.mutable_what()->mutable_deployment()->set_paused(true);
          web.set_updated(*name == 'a' ? 1 : 2);
          web.set_available(*name == 'a' ? web.wanted() : 0);
        }
        if (what.has_apply()) {
          auto& result = *reply.add_results() = result_reply("configured").results(0);
          result.mutable_name()->set_name(name);
        } else {
          *reply.add_resources() = web;
        }
      }
      return std::vector{last(reply)};
    }};
    auto x = run_words({"apply", "-f", "-", "--wait", "--target", node.path()}, "x");
    CHECK(x.code == exit_done);
    CHECK(x.err.find("is paused") == std::string::npos);
    CHECK(looks > 1);
  }

  TEST_CASE("what waits for the end of an exclusive replica says so") {
    auto web = canned_web();
    put_result applied;
    web.clear_pods();
    web.set_wanted(1);
    web.set_updated(1);
    web.set_available(0);
    auto& old = *web.add_pods();
    old.mutable_slot()->set_pod("web-1");
    old.set_state("ending");
    CHECK(still_missing(web, applied) == "0 of 1 ready");
    old.set_node_dead(true);
    old.set_note("may run until its last lease is over, in 9 s; no other one starts before");
    CHECK(still_missing(web, applied)
          == "0 of 1 ready (web-1 Unknown: may run until its last lease is over, in 9 s; no other "
             "one starts before)");
  }

} // TEST_SUITE

} // namespace legion::waiting_test
