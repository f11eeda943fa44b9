#pragma once

#include "messages/api.pb.h"

/// Replies as a small cluster would give them, one hour after its start.
namespace legion::console {

inline constexpr std::int64_t canned_start = 1'800'000'000'000; // 2027-01-15T08:00:00Z
inline constexpr std::int64_t canned_now = canned_start + 3'600'000;

inline node_view canned_node(int i) {
  node_view x;
  auto& who = *x.mutable_member();
  who.set_id("0123456789abcde" + std::to_string(i));
  who.set_name("legion-" + std::to_string(i));
  who.set_start(3);
  who.set_zone("local");
  who.set_endpoint("127.0.0.1:771" + std::to_string(i));
  who.set_binary_version("0.1.0");
  x.set_answered(true);
  x.set_started_ms(canned_start);
  x.set_first_started_ms(canned_start);
  x.mutable_total()->set_cpu_millis(660);
  x.mutable_total()->set_memory_bytes(std::int64_t{2} << 30);
  x.mutable_total()->set_pods(110);
  x.mutable_total()->set_ports(1000);
  x.mutable_free()->CopyFrom(x.total());
  x.mutable_free()->set_cpu_millis(410);
  x.mutable_free()->set_memory_bytes((std::int64_t{2} << 30) - (std::int64_t{384} << 20));
  x.mutable_free()->set_pods(109);
  x.mutable_free()->set_ports(999);
  x.set_promises(1);
  x.set_kept_groups(1);
  x.add_drivers("process");
  x.add_notes("cpu limits are not enforced: no cpu controller");
  x.set_pid(100 + i);
  x.set_supervisor_pid(200 + i);
  return x;
}

inline api_reply canned_nodes() {
  api_reply x;
  for (auto i = 1; i <= 3; ++i)
    *x.add_nodes() = canned_node(i);
  x.mutable_nodes(1)->mutable_member()->set_cordoned(true);
  auto& dead = *x.mutable_nodes(2);
  dead.set_state(member_dead);
  dead.set_answered(false);
  return x;
}

inline assessment canned_assessment(int i) {
  assessment x;
  x.mutable_slot()->set_pod("web-6d5f9c7b8d-x2k4" + std::to_string(i));
  x.mutable_slot()->set_uid("uid-" + std::to_string(i));
  x.mutable_slot()->set_revision("6d5f9c7b8d");
  x.mutable_slot()->mutable_order()->set_incarnation(1);
  x.mutable_slot()->mutable_order()->set_index(7);
  x.mutable_of()->set_kind("Deployment");
  x.mutable_of()->set_namespace_("default");
  x.mutable_of()->set_name("web");
  x.set_node("0123456789abcde" + std::to_string(i));
  x.set_node_name("legion-" + std::to_string(i));
  x.set_keeper("0123456789abcde2");
  x.set_group(12);
  x.set_phase("Running");
  x.set_ready(true);
  x.set_verdict(verdict_kept);
  x.set_host_ip("127.0.0.1");
  x.set_driver("process");
  x.set_started_ms(canned_start + 60'000);
  x.set_ready_since_ms(canned_start + 61'000);
  x.set_observed_ms(canned_now - 5'000);
  auto& container = *x.add_containers();
  container.set_name("main");
  container.set_state("running");
  container.set_ready(true);
  container.set_pid(4711);
  container.set_started_ms(canned_start + 60'000);
  auto& port = *x.add_ports();
  port.set_name("http");
  port.set_container_port(8080);
  port.set_host_port(20012);
  port.set_protocol("TCP");
  x.set_keeper_name("legion-2");
  return x;
}

inline resource_view canned_web() {
  resource_view x;
  auto& what = *x.mutable_what();
  what.set_api_version("apps/v1");
  what.set_kind("Deployment");
  auto& meta = *what.mutable_metadata();
  meta.set_name("web");
  meta.set_namespace_("default");
  meta.set_uid("uid-web");
  meta.set_generation(2);
  meta.set_resource_version(9);
  meta.set_created_ms(canned_start);
  auto& spec = *what.mutable_deployment();
  spec.set_replicas(3);
  spec.set_strategy("RollingUpdate");
  auto& match = *spec.add_match_labels();
  match.set_key("app");
  match.set_value("web");
  auto& inner = *spec.mutable_template_();
  *inner.mutable_metadata()->add_labels() = match;
  auto& container = *inner.mutable_spec()->add_containers();
  container.set_name("main");
  container.set_image("nginx:1.27");
  container.add_command("httpd");
  container.add_command("-p");
  container.add_command("$(PORT)");
  container.mutable_requests()->set_cpu_millis(250);
  container.mutable_requests()->set_memory_bytes(std::int64_t{384} << 20);
  container.add_ports()->set_container_port(8080);
  what.set_document(
      R"x({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{)x"
      R"x("replicas":2,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":)x"
      R"x({"labels":{"app":"web"}},"spec":{"containers":[{"name":"main","image":)x"
      R"x("nginx:1.27","command":["httpd","-p","$(PORT)"],"env":[{"name":"ON",)x"
      R"x("value":"yes"}]}]}}}})x");
  for (auto i = 1; i <= 3; ++i) {
    auto& pod = *x.add_pods();
    *pod.mutable_assessment() = canned_assessment(i);
    *pod.mutable_slot() = pod.assessment().slot();
    *pod.mutable_of() = pod.assessment().of();
    pod.set_state("bound");
    pod.set_node(pod.assessment().node());
    pod.set_node_name(pod.assessment().node_name());
    pod.set_created_ms(canned_start + 59'000);
  }
  auto& crashing = *x.mutable_pods(1);
  crashing.mutable_assessment()->set_ready(false);
  auto& life = *crashing.mutable_assessment()->mutable_containers(0);
  life.set_state("waiting");
  life.set_reason("CrashLoopBackOff");
  life.set_ready(false);
  life.set_restarts(4);
  life.set_last_exit_code(1);
  life.set_last_reason("Error");
  life.set_last_finished_ms(canned_now - 20'000);
  auto& waiting = *x.mutable_pods(2);
  waiting.set_state("missing");
  waiting.clear_node();
  waiting.clear_node_name();
  waiting.clear_assessment();
  waiting.set_note("cpu: needs 250m, the most free is 120m");
  x.set_keeper("0123456789abcde2");
  x.set_keeper_name("legion-2");
  x.set_group(12);
  x.set_wanted(3);
  x.set_ready(1);
  x.set_updated(3);
  x.set_available(1);
  x.set_revision("6d5f9c7b8d");
  auto& first = *x.add_events();
  first.set_time_ms(canned_start + 60'000);
  first.set_type("Normal");
  first.set_reason("Started");
  first.set_message("started container main");
  first.set_source("legion-1");
  first.set_object("web-6d5f9c7b8d-x2k41");
  auto& second = *x.add_events();
  second.set_time_ms(canned_now - 20'000);
  second.set_type("Warning");
  second.set_reason("BackOff");
  second.set_message("container main ended with exit code 1");
  second.set_source("legion-2");
  second.set_object("web-6d5f9c7b8d-x2k42");
  second.set_count(4);
  return x;
}

inline api_reply canned_resources() {
  api_reply x;
  *x.add_resources() = canned_web();
  return x;
}

/// One Deployment, of which this became.
inline api_reply result_reply(std::string action) {
  api_reply x;
  auto& result = *x.add_results();
  result.mutable_name()->set_kind("Deployment");
  result.mutable_name()->set_namespace_("default");
  result.mutable_name()->set_name("web");
  result.set_action(std::move(action));
  result.set_generation(2);
  x.set_last(true);
  return x;
}

/// The answer comes later.
inline api_reply under_way() {
  api_reply x;
  x.set_under_way(true);
  return x;
}

} // namespace legion::console
