#include <doctest/doctest.h>

#include <sstream>

#include "runtime/console/describe.hpp"
#include "runtime/console/explain.hpp"
#include "runtime/console/object_text.hpp"
#include "runtime/console/objects.hpp"
#include "runtime/console/tables.hpp"
#include "runtime/console/words.hpp"
#include "tests/unit/console/canned.hpp"

namespace legion::rendering_test {

using namespace legion::console;

namespace {

std::size_t widest(const std::string& text) {
  std::istringstream lines{text};
  std::size_t most = 0;
  for (std::string line; std::getline(lines, line);)
    most = std::max(most, line.size());
  return most;
}

const look narrow{false, false, canned_now};
const look wide{true, true, canned_now};

} // namespace

TEST_SUITE("console/rendering") {

  TEST_CASE("nodes") {
    auto text = node_table(canned_nodes(), narrow).text();
    CHECK(text
          == "NAME       STATUS                     PODS    CPU         MEMORY      AGE   VERSION\n"
             "legion-1   Ready                      1/110   250m/660m   384Mi/2Gi   60m   0.1.0\n"
             "legion-2   Ready,SchedulingDisabled   1/110   250m/660m   384Mi/2Gi   60m   0.1.0\n"
             "legion-3   NotReady                   ?       ?           ?           ?     0.1.0\n");
    auto usual = canned_nodes();
    usual.mutable_nodes()->DeleteSubrange(1, 1);
    CHECK(widest(node_table(usual, narrow).text()) <= 80);
  }

  TEST_CASE("deployments") {
    CHECK(deployment_table(canned_resources(), narrow).text()
          == "NAME   READY   UP-TO-DATE   AVAILABLE   AGE\n"
             "web    1/3     3            1           60m\n");
    auto deleted = canned_resources();
    deleted.mutable_resources(0)->set_deleting(true);
    CHECK(deployment_table(deleted, narrow).text().find("web    Deleting   ") != std::string::npos);
    auto down = canned_resources();
    down.mutable_resources(0)->set_keeper_dead(true);
    CHECK(deployment_table(down, wide).text()
          == "NAMESPACE   NAME   READY   UP-TO-DATE   AVAILABLE   AGE   KEEPER            "
             "CONTAINERS   IMAGES       SELECTOR\n"
             "default     web    1/3     3            1           60m   legion-2 (down)   main "
             "        nginx:1.27   app=web\n");
    auto three = canned_resources();
    for (auto x : {2, 1, 3}) {
      auto& one = *three.mutable_resources(0)->add_members();
      one.set_name("legion-" + std::to_string(x));
      one.set_votes(true);
      one.set_heard(x != 3);
      one.set_leads(x == 2);
    }
    CHECK(deployment_table(three, wide).text().find("legion-2 (2/3 up)") != std::string::npos);
    CHECK(pod_table(three, wide).text().find("legion-2 (2/3 up)") != std::string::npos);
    auto& silent = *down.mutable_resources(0);
    auto& keeper = *silent.add_members();
    keeper.set_name("legion-2");
    keeper.set_heard(true);
    CHECK(deployment_table(down, wide).text().find("legion-2 (silent)") != std::string::npos);
    silent.add_members()->set_name("legion-3");
    silent.clear_keeper_name();
    CHECK(deployment_table(down, wide).text().find("none (no quorum)") != std::string::npos);
  }

  TEST_CASE("pods") {
    auto text = pod_table(canned_resources(), narrow).text();
    CHECK(text
          == "NAME                   READY   STATUS             RESTARTS      AGE   NODE\n"
             "web-6d5f9c7b8d-x2k41   1/1     Running            0             59m   legion-1\n"
             "web-6d5f9c7b8d-x2k42   0/1     CrashLoopBackOff   4 (20s ago)   59m   legion-2\n"
             "web-6d5f9c7b8d-x2k43   0/1     Pending            0             59m   <none>\n");
    CHECK(widest(text) <= 80);
    CHECK(pod_table(canned_resources(), {true, false, canned_now})
              .text()
              .find("legion-1   http:8080->127.0.0.1:20012   legion-2   process")
          != std::string::npos);
  }

  TEST_CASE("promises") {
    auto nodes = canned_nodes();
    *nodes.mutable_nodes(0)->add_assessments() = canned_assessment(1);
    CHECK(promise_table(nodes, narrow).text()
          == "POD                    PROMISER   PROMISEE   VERDICT   AGE\n"
             "web-6d5f9c7b8d-x2k41   legion-1   legion-2   kept      59m\n");
  }

  TEST_CASE("a deployment as an object: the author's fields, what is wanted now, and status") {
    auto x = deployment_object(canned_web());
    CHECK(x["spec"]["template"]["spec"]["containers"][0]["env"][0]["name"] == "ON");
    CHECK(x["spec"]["replicas"] == 3); // scaled since
    CHECK(x["metadata"]["creationTimestamp"] == "2027-01-15T08:00:00Z");
    CHECK(x["metadata"]["resourceVersion"] == "9");
    CHECK(x["status"]["readyReplicas"] == 1);
    CHECK(x["status"]["unavailableReplicas"] == 2);
    CHECK(!x["metadata"].contains("deletionTimestamp"));
    auto conditions = [](const resource_view& of) {
      auto all = deployment_object(of)["status"]["conditions"];
      return all[0]["status"].get<std::string>() + " " + all[1]["reason"].get<std::string>();
    };
    auto some = canned_web();
    some.set_enough(1);
    CHECK(conditions(some) == "True ReplicaSetUpdated");
    some.set_enough(3);
    CHECK(conditions(some) == "False ReplicaSetUpdated");
    some.set_available(3);
    some.set_updated(3);
    CHECK(conditions(some) == "True NewReplicaSetAvailable");
    some.mutable_what()->mutable_deployment()->set_paused(true);
    CHECK(conditions(some) == "True DeploymentPaused");
    auto deleted = canned_web();
    deleted.mutable_what()->mutable_metadata()->set_deleted_ms(
        deleted.what().metadata().created_ms());
    CHECK(deployment_object(deleted)["metadata"]["deletionTimestamp"] == "2027-01-15T08:00:00Z");
    auto without = canned_web();
    without.mutable_what()->clear_document();
    auto made = deployment_object(without);
    CHECK(made["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"]
          == "384Mi");
    without.mutable_what()->set_document("[not an object");
    CHECK(deployment_object(without)["kind"] == "Deployment");
  }

  TEST_CASE("a pod of an earlier template is shown as it was made") {
    auto web = canned_web();
    auto& earlier = *web.add_earlier();
    earlier.set_revision(web.pods(1).slot().revision());
    earlier.set_document(
        R"({"spec": {"template": {"spec": {"containers": [{"image": "old:1"}]}}}})");
    auto& label = *earlier.mutable_template_()->mutable_metadata()->add_labels();
    label.set_key("v");
    label.set_value("1");
    auto x = pod_object(web.pods(1), web);
    CHECK(x["spec"]["containers"][0]["image"] == "old:1");
    CHECK(x["metadata"]["labels"]["v"] == "1");
    web.mutable_pods(1)->mutable_slot()->set_revision("another");
    CHECK(pod_object(web.pods(1), web)["spec"]["containers"][0]["image"] == "nginx:1.27");
  }

  TEST_CASE("a pod as an object") {
    auto web = canned_web();
    auto x = pod_object(web.pods(1), web);
    CHECK(x["apiVersion"] == "v1");
    CHECK(x["metadata"]["name"] == "web-6d5f9c7b8d-x2k42");
    CHECK(x["metadata"]["labels"]["pod-template-hash"] == "6d5f9c7b8d");
    CHECK(x["metadata"]["ownerReferences"][0]["name"] == "web");
    CHECK(x["spec"]["nodeName"] == "legion-2");
    CHECK(x["spec"]["containers"][0]["image"] == "nginx:1.27");
    CHECK(x["status"]["phase"] == "Running");
    CHECK(x["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff");
    CHECK(x["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1);
    CHECK(x["status"]["conditions"][0]["status"] == "False");
    auto pending = pod_object(web.pods(2), web);
    CHECK(pending["status"]["phase"] == "Pending");
    CHECK(pending["status"]["message"] == "cpu: needs 250m, the most free is 120m");
    auto lost = web.pods(0);
    CHECK(pod_object(lost, web)["status"]["conditions"][0].contains("lastTransitionTime"));
    lost.set_node_dead(true);
    CHECK(pod_object(lost, web)["status"]["conditions"][0]["status"] == "Unknown");
    CHECK(!pod_object(lost, web)["status"]["conditions"][0].contains("lastTransitionTime"));
  }

  TEST_CASE("a node as an object says whether it is ready") {
    auto x = canned_node(1);
    CHECK(node_object(x)["status"]["conditions"][0]["type"] == "Ready");
    CHECK(node_object(x)["status"]["conditions"][0]["status"] == "True");
    x.set_joining("it waits");
    CHECK(node_object(x)["status"]["conditions"][0]["status"] == "False");
    x.set_answered(false);
    CHECK(node_object(x)["status"]["conditions"][0]["status"] == "Unknown");
  }

  TEST_CASE("several objects are a v1 List; nodes and promises are legion.dev/v1") {
    auto nodes = canned_nodes();
    *nodes.mutable_nodes(0)->add_assessments() = canned_assessment(1);
    auto list = listed(objects_of("nodes", nodes), false);
    CHECK(list["kind"] == "List");
    CHECK(list["items"].size() == 3);
    CHECK(list["items"][0]["apiVersion"] == "legion.dev/v1");
    CHECK(list["items"][0]["status"]["capacity"]["cpu"] == "660m");
    auto promise = listed(objects_of("promises", nodes), false);
    CHECK(promise["kind"] == "Promise");
    CHECK(promise["spec"]["promisee"] == "legion-2");
    CHECK(listed({}, false)["items"].empty());
    CHECK(listed(objects_of("promises", nodes), true)["kind"] == "List");
  }

  TEST_CASE("YAML quotes what would be read as something else") {
    json x{{"word", "plain"},
           {"yes", "yes"},
           {"number", "12"},
           {"empty", ""},
           {"n", 12},
           {"flag", true},
           {"lines", "a\nb"},
           {"time", "2027-01-15T08:00:00Z"},
           {"colon", "a: b"},
           {"list", json::array({"a", json::object()})},
           {"none", json::array()}};
    CHECK(to_yaml(x)
          == "word: plain\n\"yes\": \"yes\"\nnumber: \"12\"\nempty: \"\"\n\"n\": 12\nflag: true\n"
             "lines: \"a\\nb\"\ntime: \"2027-01-15T08:00:00Z\"\ncolon: \"a: b\"\nlist:\n  - a\n  - "
             "{}\nnone: []\n");
  }

  TEST_CASE("describe: a deployment, ending with its events") {
    auto text = describe_deployment(canned_web(), canned_now);
    CHECK(text
          == "Name:         web\n"
             "Namespace:    default\n"
             "Created:      2027-01-15T08:00:00Z (60m ago)\n"
             "Labels:       <none>\n"
             "Annotations:  <none>\n"
             "Selector:     app=web\n"
             "Replicas:     3 wanted, 3 updated, 1 ready, 1 available\n"
             "Strategy:     RollingUpdate, at most 1 above and 0 below what is wanted\n"
             "Revision:     6d5f9c7b8d\n"
             "Keeper:       legion-2, group 12\n"
             "Containers:\n"
             "  main:\n"
             "    Image:        nginx:1.27 (kept, not pulled)\n"
             "    Command:      httpd -p '$(PORT)'\n"
             "    Ports:        8080\n"
             "    Requests:     cpu 250m, memory 384Mi\n"
             "    Limits:       <none>\n"
             "Pods:\n"
             "  POD                    STATUS             RESTARTS   AGE   NODE\n"
             "  web-6d5f9c7b8d-x2k41   Running            0          59m   legion-1\n"
             "  web-6d5f9c7b8d-x2k42   CrashLoopBackOff   4          59m   legion-2\n"
             "  web-6d5f9c7b8d-x2k43   Pending            0          59m   <none>\n"
             "  web-6d5f9c7b8d-x2k43: cpu: needs 250m, the most free is 120m\n"
             "Events:\n"
             "  AGE        TYPE      REASON    FROM       MESSAGE\n"
             "  59m        Normal    Started   legion-1   web-6d5f9c7b8d-x2k41: started\n"
             "                                            container main\n"
             "  20s (x4)   Warning   BackOff   legion-2   web-6d5f9c7b8d-x2k42: container main\n"
             "                                            ended with exit code 1\n");
    auto paused = canned_web(); // maybe in the middle of a rollout
    paused.mutable_what()->mutable_deployment()->set_paused(true);
    CHECK(describe_deployment(paused, canned_now).find("yes: each replica keeps the template that")
          != std::string::npos);
  }

  TEST_CASE("describe: a pod has its own events only, at most 20") {
    auto web = canned_web();
    for (auto i = 0; i < 30; ++i) {
      auto& x = *web.add_events();
      x.set_object("web-6d5f9c7b8d-x2k41");
      x.set_message("number " + std::to_string(i));
      x.set_time_ms(canned_now);
    }
    auto text = describe_pod(web.pods(0), web, canned_now);
    CHECK(text.find("Node:         legion-1\n") != std::string::npos);
    CHECK(text.find("Promise:      bound, order 1.7, kept\n") != std::string::npos);
    CHECK(text.find("Ports:        http:8080->127.0.0.1:20012\n") != std::string::npos);
    CHECK(text.find("State:        running since 2027-01-15T08:01:00Z (59m ago), pid 4711")
          != std::string::npos);
    CHECK(text.find("number 9\n") == std::string::npos);
    CHECK(text.find("number 10\n") != std::string::npos);
    CHECK(text.find("BackOff") == std::string::npos);
    CHECK(text.ends_with("number 29\n"));
  }

  TEST_CASE("describe: what happened to an earlier Pod of the name is not told of this one") {
    resource_view view;
    view.mutable_what()->set_kind("Pod");
    view.mutable_what()->mutable_metadata()->set_name("one");
    view.mutable_what()->mutable_metadata()->set_created_ms(canned_now - 60'000);
    view.mutable_what()->mutable_pod()->set_restart_policy("Never");
    for (auto ago : {90'000, 61'000, 10'000}) {
      auto& x = *view.add_events();
      x.set_message("ago " + std::to_string(ago));
      x.set_time_ms(canned_now - ago);
    }
    auto text = describe_pod(*view.add_pods(), view, canned_now);
    CHECK(text.find("ago 90000") == std::string::npos);
    CHECK(text.find("ago 61000") != std::string::npos); // clocks differ
    CHECK(text.find("ago 10000") != std::string::npos);
  }

  TEST_CASE("describe: a node says what it cannot give") {
    auto node = canned_node(1);
    *node.add_assessments() = canned_assessment(1);
    auto text = describe_node(node, canned_now);
    CHECK(text.find("Free:         410m cpu, 1.6Gi memory, 999 ports, 109 pods\n")
          != std::string::npos);
    CHECK(text.find("Notes:        cpu limits are not enforced: no cpu controller\n")
          != std::string::npos);
    CHECK(text.find("  default     web-6d5f9c7b8d-x2k41   Running   kept      59m\n")
          != std::string::npos);
  }

  TEST_CASE("a node's condition that is true is in its status, and described with its cure, at 80 "
            "columns") {
    auto node = canned_node(1);
    auto& x = *node.add_conditions();
    x.set_type("DiskPressure");
    x.set_reason("JournalHasSpace");
    CHECK(node_status(node) == "Ready");
    x.set_status(true);
    x.set_reason("JournalFull");
    x.set_message("the data folder is full");
    x.set_since_ms(canned_now - 60'000);
    CHECK(node_status(node) == "Ready,DiskPressure");
    node.mutable_member()->set_draining(true);
    CHECK(node_status(node) == "Ready,DiskPressure,Draining");
    node.mutable_member()->set_draining(false);
    CHECK(describe_node(node, canned_now)
              .find("DiskPressure=True JournalFull: the data folder is full, since\n"
                    "              20")
          != std::string::npos);
  }

  TEST_CASE("describe: a node's lost messages are shown if there are any") {
    auto node = canned_node(1);
    CHECK(describe_node(node, canned_now).find("Lost") == std::string::npos);
    auto& sent = *node.add_lost();
    sent.set_peer_name("legion-3");
    sent.set_reason("unreachable");
    sent.set_messages(12);
    auto& gap = *node.add_lost();
    gap.set_peer("0123456789abcde2");
    gap.set_reason("gap");
    gap.set_messages(2);
    CHECK(describe_node(node, canned_now)
              .find("Lost messages:\n"
                    "  12 with legion-3: unreachable\n"
                    "  2 from 30313233 never came\n")
          != std::string::npos);
  }

  TEST_CASE("describe: a node and a promise end with their events") {
    auto node = canned_node(1);
    CHECK(describe_node(node, canned_now).ends_with("Events:       <none>\n"));
    *node.add_assessments() = canned_assessment(1);
    for (const auto* pod : {"web-6d5f9c7b8d-x2k41", "other-6d5f9c7b8d-99999"}) {
      auto& x = *node.add_events();
      x.set_object(pod);
      x.set_type("Warning");
      x.set_reason("FailedScheduling");
      x.set_source("legion-1");
      x.set_time_ms(canned_now - 3'000);
      x.set_count(123);
      x.set_message("a probe failed: connection refused, for the third time in a row");
    }
    auto text = describe_node(node, canned_now);
    auto room = "\n" + std::string(54, ' ');
    CHECK(text.ends_with("  AGE         TYPE      REASON             FROM       MESSAGE\n"
                         "  3s (x123)   Warning   FailedScheduling   legion-1   "
                         "web-6d5f9c7b8d-x2k41: a"
                         + room + "probe failed: connection" + room + "refused, for the third"
                         + room
                         + "time in a row\n"
                           "  3s (x123)   Warning   FailedScheduling   legion-1   "
                           "other-6d5f9c7b8d-99999: a"
                         + room + "probe failed: connection" + room + "refused, for the third"
                         + room + "time in a row\n"));
    CHECK(widest(text) <= 80);
    api_reply all;
    *all.add_nodes() = node;
    all.mutable_nodes(0)->mutable_member()->set_id(node.assessments(0).node());
    text = describe_promise(node.assessments(0), all, canned_now);
    CHECK(text.ends_with(room + "time in a row\n"));
    CHECK(text.find("other-") == std::string::npos);
  }

} // TEST_SUITE

} // namespace legion::rendering_test
