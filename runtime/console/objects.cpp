#include "runtime/console/objects.hpp"

#include <map>

#include "messages/ids.hpp"
#include "messages/made_from.hpp"
#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

using labels = google::protobuf::RepeatedPtrField<label>;

/// Printing must not fail over a stranger's bytes.
std::string utf8(const std::string& x) {
  return plain_output(x);
}

json labels_object(const labels& from) {
  auto result = json::object();
  for (const auto& x : from)
    result[utf8(x.key())] = utf8(x.value());
  return result;
}

void set_text(json& to, const char* key, const std::string& text) {
  if (!text.empty())
    to[key] = utf8(text);
}

json resources_object(const quantities& x) {
  auto result = json::object();
  if (x.has_cpu_millis())
    result["cpu"] = cpu(x.cpu_millis());
  if (x.has_memory_bytes())
    result["memory"] = memory(x.memory_bytes());
  if (x.has_ephemeral_storage_bytes())
    result["ephemeral-storage"] = memory(x.ephemeral_storage_bytes());
  return result;
}

json container_object(const container& x) {
  json result{{"name", utf8(x.name())}};
  set_text(result, "image", x.image());
  for (const auto& word : x.command())
    result["command"].push_back(utf8(word));
  for (const auto& word : x.args())
    result["args"].push_back(utf8(word));
  for (const auto& port : x.ports()) {
    json item;
    set_text(item, "name", port.name());
    item["containerPort"] = port.container_port();
    set_text(item, "protocol", port.protocol());
    result["ports"].push_back(std::move(item));
  }
  auto& resources = result["resources"] = json::object();
  if (auto limits = resources_object(x.limits()); !limits.empty())
    resources["limits"] = std::move(limits);
  if (auto requests = resources_object(x.requests()); !requests.empty())
    resources["requests"] = std::move(requests);
  return result;
}

json pod_spec_object(const pod_spec& x) {
  json result;
  for (const auto& y : x.containers())
    result["containers"].push_back(container_object(y));
  set_text(result, "restartPolicy", x.restart_policy());
  result["terminationGracePeriodSeconds"] = x.termination_grace_period_seconds();
  set_text(result, "runtimeClassName", x.runtime_class_name());
  return result;
}

/// The author's document; put together from what is honoured if it was not kept.
json document_of(const resource& x) {
  auto parsed = json::parse(x.document(), nullptr, false);
  if (parsed.is_object())
    return parsed;
  json made{{"apiVersion", utf8(x.api_version())}, {"kind", utf8(x.kind())}};
  made["metadata"] = json::object();
  if (x.has_deployment()) {
    auto& spec = made["spec"];
    spec["replicas"] = x.deployment().replicas();
    spec["selector"]["matchLabels"] = labels_object(x.deployment().match_labels());
    const auto& inner = x.deployment().template_();
    spec["template"]["metadata"]["labels"] = labels_object(inner.metadata().labels());
    spec["template"]["spec"] = pod_spec_object(inner.spec());
  } else {
    made["spec"] = pod_spec_object(x.pod());
  }
  return made;
}

void fill_metadata(json& object, const metadata& from) {
  auto& to = object["metadata"];
  if (!to.is_object())
    to = json::object();
  to["name"] = utf8(from.name());
  to["namespace"] = utf8(from.namespace_());
  if (!from.labels().empty())
    to["labels"] = labels_object(from.labels());
  set_text(to, "uid", from.uid());
  if (from.resource_version())
    to["resourceVersion"] = std::to_string(from.resource_version());
  if (from.generation())
    to["generation"] = from.generation();
  set_text(to, "creationTimestamp", rfc3339(from.created_ms()));
  if (from.deleted_ms())
    to["deletionTimestamp"] = rfc3339(from.deleted_ms());
}

json state_object(const container_status& x) {
  json inner = json::object();
  if (x.state() == "running") {
    set_text(inner, "startedAt", rfc3339(x.started_ms()));
    return {{"running", std::move(inner)}};
  }
  set_text(inner, "reason", x.reason());
  set_text(inner, "message", x.message());
  if (x.state() != "terminated")
    return {{"waiting", std::move(inner)}};
  inner["exitCode"] = x.exit_code();
  if (x.signal())
    inner["signal"] = x.signal();
  set_text(inner, "startedAt", rfc3339(x.started_ms()));
  set_text(inner, "finishedAt", rfc3339(x.finished_ms()));
  return {{"terminated", std::move(inner)}};
}

json container_status_object(const container_status& x) {
  json result{{"name", utf8(x.name())}};
  set_text(result, "image", x.image());
  result["ready"] = x.ready();
  result["restartCount"] = x.restarts();
  result["state"] = state_object(x);
  if (x.last_finished_ms()) {
    json last{{"exitCode", x.last_exit_code()}};
    if (x.last_signal())
      last["signal"] = x.last_signal();
    set_text(last, "reason", x.last_reason());
    set_text(last, "finishedAt", rfc3339(x.last_finished_ms()));
    result["lastState"]["terminated"] = std::move(last);
  }
  if (x.pid())
    result["pid"] = x.pid();
  return result;
}

json pod_status_object(const pod_view& x) {
  const auto& seen = x.assessment();
  json result{{"phase", seen.phase().empty() ? "Pending" : utf8(seen.phase())}};
  if (x.node_dead())
    result["phase"] = "Unknown";
  json ready{{"type", "Ready"},
             {"status", x.node_dead()  ? "Unknown"
                        : seen.ready() ? "True"
                                       : "False"}};
  if (seen.ready() && !x.node_dead()) // since when nobody knows, nobody knows
    set_text(ready, "lastTransitionTime", rfc3339(seen.ready_since_ms()));
  result["conditions"].push_back(std::move(ready));
  set_text(result, "reason", seen.reason());
  set_text(result, "message", seen.message().empty() ? x.note() : seen.message());
  set_text(result, "hostIP", seen.host_ip());
  set_text(result, "podIP", seen.host_ip());
  set_text(result, "startTime", rfc3339(seen.started_ms()));
  for (const auto& y : seen.containers())
    result["containerStatuses"].push_back(container_status_object(y));
  for (const auto& y : seen.ports()) {
    json port;
    set_text(port, "name", y.name());
    port["containerPort"] = y.container_port();
    port["hostPort"] = y.host_port();
    set_text(port, "protocol", y.protocol());
    result["legion.dev/ports"].push_back(std::move(port));
  }
  result["legion.dev/state"] = utf8(x.state());
  return result;
}

json capacity_object(const capacity& x) {
  return {{"cpu", cpu(x.cpu_millis())},
          {"memory", memory(x.memory_bytes())},
          {"pods", std::to_string(x.pods())},
          {"legion.dev/ports", std::to_string(x.ports())}};
}

} // namespace

namespace {

/// As Kubernetes' deployment controller words them.
json deployment_conditions(const resource_view& x) {
  auto available = x.available() >= x.enough();
  auto done =
      x.updated() >= x.wanted() && x.available() >= x.wanted() && x.pods_size() <= x.wanted();
  auto paused = x.what().deployment().paused();
  return {{{"type", "Available"},
           {"status", available ? "True" : "False"},
           {"reason", available ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable"}},
          {{"type", "Progressing"},
           {"status", paused ? "Unknown" : "True"},
           {"reason", paused ? "DeploymentPaused"
                      : done ? "NewReplicaSetAvailable"
                             : "ReplicaSetUpdated"}}};
}

/// Who keeps it, and whether its quorum is whole.
void add_keepers(json& status, const resource_view& of) {
  set_text(status, "legion.dev/keeper", of.keeper_name());
  status["legion.dev/keeperDown"] = of.keeper_dead();
  auto members = json::array();
  for (const auto& y : of.members())
    members.push_back(
        {{"name", y.name()}, {"votes", y.votes()}, {"heard", y.heard()}, {"leads", y.leads()}});
  if (!members.empty())
    status["legion.dev/keepers"] = std::move(members);
}

} // namespace

json deployment_object(const resource_view& x) {
  auto result = document_of(x.what());
  fill_metadata(result, x.what().metadata());
  auto& spec = result["spec"];
  if (spec.is_object() || spec.is_null())
    spec["replicas"] = x.what().deployment().replicas();
  json status{{"observedGeneration", x.what().metadata().generation()},
              {"replicas", x.pods_size()},
              {"updatedReplicas", x.updated()},
              {"readyReplicas", x.ready()},
              {"availableReplicas", x.available()},
              {"unavailableReplicas", std::max(0, x.wanted() - x.available())},
              {"conditions", deployment_conditions(x)}};
  add_keepers(status, x);
  result["status"] = std::move(status);
  return result;
}

json pod_object(const pod_view& x, const resource_view& of) {
  const auto what = made_from(of, x.slot().revision());
  json result{{"apiVersion", "v1"}, {"kind", "Pod"}};
  auto document = document_of(what);
  auto inner = what.has_deployment() && document.contains("/spec/template"_json_pointer)
                   ? document["spec"]["template"]
                   : document;
  auto meta = what.metadata();
  if (what.has_deployment()) {
    *meta.mutable_labels() = what.deployment().template_().metadata().labels();
    meta.clear_generation();
    meta.clear_resource_version();
  }
  meta.set_name(x.slot().pod());
  if (what.has_deployment() && !x.slot().uid().empty()) // as the pod itself is told
    meta.set_uid(x.slot().uid());
  meta.set_created_ms(x.created_ms() ? x.created_ms() : x.assessment().started_ms());
  if (inner.is_object() && inner.contains("metadata"))
    result["metadata"] = inner["metadata"];
  fill_metadata(result, meta);
  if (what.has_deployment()) {
    result["metadata"]["labels"]["pod-template-hash"] = utf8(x.slot().revision());
    result["metadata"]["ownerReferences"].push_back({{"apiVersion", "apps/v1"},
                                                     {"kind", "Deployment"},
                                                     {"name", utf8(what.metadata().name())},
                                                     {"uid", utf8(what.metadata().uid())},
                                                     {"controller", true}});
  }
  result["spec"] = inner.is_object() && inner.contains("spec") ? inner["spec"] : json::object();
  if (result["spec"].is_object())
    set_text(result["spec"], "nodeName", x.node_name());
  result["status"] = pod_status_object(x);
  add_keepers(result["status"], of);
  return result;
}

json node_object(const node_view& x) {
  const auto& who = x.member();
  json result{{"apiVersion", "legion.dev/v1"}, {"kind", "Node"}};
  auto& meta = result["metadata"];
  meta["name"] = utf8(who.name());
  meta["uid"] = node_id::from_bytes(who.id()).text();
  set_text(meta, "creationTimestamp", rfc3339(x.first_started_ms()));
  meta["labels"] = labels_object(who.labels());
  auto& spec = result["spec"];
  spec["zone"] = utf8(who.zone());
  spec["address"] = utf8(who.endpoint());
  spec["unschedulable"] = who.cordoned();
  spec["taints"] = json::array();
  for (const auto& y : who.taints())
    spec["taints"].push_back(
        {{"key", utf8(y.key())}, {"value", utf8(y.value())}, {"effect", utf8(y.effect())}});
  auto& status = result["status"];
  status["state"] = node_status(x);
  status["answered"] = x.answered();
  status["start"] = who.start();
  status["version"] = utf8(who.binary_version());
  status["conditions"] = json::array();
  auto ready = x.state() == member_alive && x.answered() && x.joining().empty();
  status["conditions"].push_back({{"type", "Ready"},
                                  {"status", ready          ? "True"
                                             : x.answered() ? "False"
                                                            : "Unknown"}});
  if (!x.answered())
    return result;
  status["capacity"] = capacity_object(x.total());
  status["free"] = capacity_object(x.free());
  status["promises"] = x.promises();
  status["keptGroups"] = x.kept_groups();
  status["drivers"] = json::array();
  for (const auto& y : x.drivers())
    status["drivers"].push_back(utf8(y));
  status["notes"] = json::array();
  for (const auto& y : x.notes())
    status["notes"].push_back(utf8(y));
  for (const auto& y : x.conditions()) {
    auto& z = status["conditions"].emplace_back();
    z["type"] = utf8(y.type());
    z["status"] = y.status() ? "True" : "False";
    z["reason"] = utf8(y.reason());
    z["message"] = utf8(y.message());
    set_text(z, "lastTransitionTime", rfc3339(y.since_ms()));
  }
  set_text(status, "startTime", rfc3339(x.started_ms()));
  set_text(status, "joining", x.joining());
  status["pid"] = x.pid();
  status["supervisorPid"] = x.supervisor_pid();
  return result;
}

json promise_object(const assessment& x, const std::string& promiser, const std::string& promisee) {
  json result{{"apiVersion", "legion.dev/v1"}, {"kind", "Promise"}};
  auto& meta = result["metadata"];
  meta["name"] = utf8(x.slot().pod());
  meta["namespace"] = utf8(x.of().namespace_());
  meta["uid"] = utf8(x.slot().uid());
  auto& spec = result["spec"];
  spec["promiser"] = utf8(promiser);
  spec["promisee"] = utf8(promisee);
  spec["of"] = {{"kind", utf8(x.of().kind())}, {"name", utf8(x.of().name())}};
  spec["order"] = {{"incarnation", x.slot().order().incarnation()},
                   {"index", x.slot().order().index()}};
  spec["revision"] = utf8(x.slot().revision());
  spec["group"] = x.group();
  spec["driver"] = utf8(x.driver());
  auto& status = result["status"];
  status["verdict"] = verdict_word(x.verdict());
  status["phase"] = utf8(x.phase());
  status["ready"] = x.ready();
  status["withdrawn"] = x.withdrawn();
  set_text(status, "reason", x.reason());
  set_text(status, "message", x.message());
  set_text(status, "observedAt", rfc3339(x.observed_ms()));
  set_text(status, "startedAt", rfc3339(x.started_ms()));
  return result;
}

std::vector<json> objects_of(const std::string& kind, const api_reply& x) {
  std::vector<json> result;
  if (kind == "nodes")
    for (const auto& node : x.nodes())
      result.push_back(node_object(node));
  if (kind == "deployments")
    for (const auto& view : x.resources())
      result.push_back(deployment_object(view));
  if (kind == "pods")
    for (const auto& view : x.resources())
      for (const auto& pod : view.pods())
        result.push_back(pod_object(pod, view));
  if (kind != "promises")
    return result;
  for (const auto& node : x.nodes())
    for (const auto& promise : node.assessments())
      result.push_back(promise_object(promise, node.member().name(),
                                      promise.keeper_name().empty()
                                          ? node_id::from_bytes(promise.keeper()).text()
                                          : promise.keeper_name()));
  return result;
}

json listed(std::vector<json> items, bool always_list) {
  if (items.size() == 1 && !always_list)
    return std::move(items.front());
  json result{{"apiVersion", "v1"}, {"kind", "List"}};
  result["metadata"] = json::object();
  result["items"] = json::array();
  for (auto& x : items)
    result["items"].push_back(std::move(x));
  return result;
}

} // namespace legion::console
