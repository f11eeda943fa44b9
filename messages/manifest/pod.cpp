// What a pod runs: containers, their ports, environment, resources and probes.
#include <algorithm>
#include <set>
#include <tuple>
#include <vector>

#include "messages/manifest/names.hpp"
#include "messages/manifest/quantity.hpp"
#include "messages/manifest/resources.hpp"
#include "messages/manifest/scalar.hpp"

namespace legion::manifest {

namespace {

/// "metadata.labels['app']" gives "app"; nothing: it is no such path.
std::optional<std::string_view> subscript(std::string_view path, std::string_view of) {
  if (!path.starts_with(of) || !path.substr(of.size()).starts_with("['") || !path.ends_with("']")
      || path.size() < of.size() + 5)
    return std::nullopt;
  return path.substr(of.size() + 2, path.size() - of.size() - 4);
}

bool field_path_honoured(std::string_view path) {
  static const std::set<std::string_view> known{
      "metadata.name", "metadata.namespace", "metadata.uid",   "spec.nodeName",
      "status.hostIP", "status.podIP",       "status.hostIPs", "status.podIPs"};
  if (known.contains(path))
    return true;
  for (auto of : {"metadata.labels", "metadata.annotations"})
    if (auto key = subscript(path, of))
      return qualified_name(*key);
  return false;
}

/// True: the variable has a value that can be known.
bool read_value_from(const spot& from, env_var& into, context& in) {
  std::size_t sources = 0;
  for (const auto& e : from.what->entries)
    sources += e.value->kind != node_kind::null ? 1 : 0;
  if (sources != 1)
    in.to.error(from.what->at, from.path, std::to_string(sources) + " sources",
                "exactly one, such as fieldRef");
  auto path = from["fieldRef"]["fieldPath"];
  if (!path)
    return false;
  if (path.text() == "spec.serviceAccountName") {
    in.to.warning(path.what->at, path.path,
                  shown(*path.what) + " is not yet honoured: the variable is left out");
    return false;
  }
  if (!field_path_honoured(path.text()))
    in.to.error(
        path.what->at, path.path, shown(*path.what),
        "metadata.name, metadata.namespace, metadata.uid, metadata.labels['KEY'], "
        "metadata.annotations['KEY'], spec.nodeName, status.hostIP, status.podIP or their plurals");
  into.set_field_path(path.text());
  return true;
}

/// What is told apart in a whole pod.
struct port_words {
  std::set<std::string> names;
  std::set<std::tuple<std::int32_t, std::string, std::string>> host_ports; // protocol, address
};

void read_ports(const spot& from, container& into, port_words& of_pod, context& in) {
  std::set<std::pair<std::int64_t, std::string>> seen;
  for (std::size_t i = 0; i < from.size(); ++i) {
    auto p = from.item(i);
    auto& x = *into.add_ports();
    x.set_name(p["name"].text());
    x.set_container_port(static_cast<std::int32_t>(p["containerPort"].number(0)));
    x.set_protocol(p["protocol"] ? p["protocol"].text() : "TCP");
    x.set_host_port(static_cast<std::int32_t>(p["hostPort"].number(0)));
    x.set_host_ip(p["hostIP"].text());
    auto name = p["name"];
    if (name && !port_name(name.text()))
      in.to.error(name.what->at, name.path, shown(*name.what), port_name_words);
    else if (name && !of_pod.names.insert(name.text()).second)
      in.to.error(name.what->at, name.path, shown(*name.what) + " again",
                  "each port name once in a pod");
    if (!seen.emplace(x.container_port(), x.protocol()).second)
      in.to.error(p["containerPort"].what->at, p["containerPort"].path,
                  std::to_string(x.container_port()) + '/' + x.protocol() + " again",
                  "each containerPort and protocol once in a container");
    if (x.host_port() != 0
        && !of_pod.host_ports.emplace(x.host_port(), x.protocol(), x.host_ip()).second)
      in.to.error(p["hostPort"].what->at, p["hostPort"].path,
                  std::to_string(x.host_port()) + '/' + x.protocol() + " again",
                  "each hostPort and protocol once in a pod");
  }
}

std::optional<std::int64_t> amount(const spot& from, unit in) {
  if (!from)
    return std::nullopt;
  return parse_quantity(quantity_text(*from.what), in);
}

/// What is limited and not requested is requested as it is limited.
void read_resources(const spot& from, container& into, context& in) {
  struct kind {
    const char* name;
    unit in;
    void (quantities::*set)(std::int64_t);
  };
  for (const auto& k :
       {kind{"cpu", unit::thousandths, &quantities::set_cpu_millis},
        kind{"memory", unit::ones, &quantities::set_memory_bytes},
        kind{"ephemeral-storage", unit::ones, &quantities::set_ephemeral_storage_bytes}}) {
    auto limit = amount(from["limits"][k.name], k.in);
    auto request = amount(from["requests"][k.name], k.in);
    if (limit && request && *request > *limit) {
      auto at = from["requests"][k.name];
      in.to.error(at.what->at, at.path, shown(*at.what),
                  "at most the limit, " + from["limits"][k.name].text());
    }
    if (limit)
      (into.mutable_limits()->*k.set)(*limit);
    if (request || limit)
      (into.mutable_requests()->*k.set)(request ? *request : *limit);
  }
}

void read_user(const spot& pod, const spot& own, container& into) {
  auto user = own["runAsUser"] ? own["runAsUser"] : pod["runAsUser"];
  auto group = own["runAsGroup"] ? own["runAsGroup"] : pod["runAsGroup"];
  if (user)
    into.set_run_as_user(user.number(0));
  if (group)
    into.set_run_as_group(group.number(0));
}

bool breaks_line(const std::string& text) {
  return text.find_first_of(std::string_view{"\r\n\0", 3}) != std::string::npos;
}

/// Kubernetes refuses these of fields that are not yet honoured, too.
void check_others(const spot& from, const spot& pod, context& in) {
  for (auto name : {"livenessProbe", "startupProbe"})
    if (auto x = from[name]["successThreshold"]; x.number(1) > 1)
      in.to.error(x.what->at, x.path, shown(*x.what), "1: it succeeds at once");
  std::set<std::string> volumes;
  for (std::size_t i = 0; i < pod["volumes"].size(); ++i)
    volumes.insert(pod["volumes"].item(i)["name"].text());
  for (std::size_t i = 0; i < from["volumeMounts"].size(); ++i)
    if (auto x = from["volumeMounts"].item(i)["name"]; x && !volumes.contains(x.text()))
      in.to.error(x.what->at, x.path, shown(*x.what), "the name of one of the pod's volumes");
}

void read_strings(const spot& from, google::protobuf::RepeatedPtrField<std::string>& into) {
  for (std::size_t i = 0; i < from.size(); ++i)
    *into.Add() = from.item(i).text();
}

void read_container(const spot& from, const spot& pod, port_words& ports, container& into,
                    context& in) {
  auto name = from["name"];
  if (!dns_label(name.text()))
    in.to.error(name.what->at, name.path, shown(*name.what), dns_label_words);
  into.set_name(name.text());
  into.set_image(from["image"].text());
  into.set_image_pull_policy(from["imagePullPolicy"].text());
  into.set_working_dir(from["workingDir"].text());
  if (auto x = from["workingDir"]; x && !x.text().empty() && !x.text().starts_with('/'))
    in.to.error(x.what->at, x.path, shown(*x.what), "an absolute path");
  check_others(from, pod, in);
  read_strings(from["command"], *into.mutable_command());
  read_strings(from["args"], *into.mutable_args());
  if (auto image = from["image"]; image && !in.image_told) {
    in.image_told = true;
    in.to.remark(image.what->at, image.path,
                 "kept and shown, but never pulled: runtime class process runs `command` as it is "
                 "on the node");
  }
  if (auto command = from["command"]; command.size() == 0 || command.item(0).text().empty())
    in.to.error(command ? command.what->at : from.what->at, command.path, "nothing to run",
                "a program to run: runtime class process has no image to take it from");
  read_env(from["env"], into, in);
  read_ports(from["ports"], into, ports, in);
  read_resources(from["resources"], into, in);
  read_user(pod["securityContext"], from["securityContext"], into);
  if (auto probe = from["readinessProbe"])
    read_probe(probe, into, *into.mutable_readiness_probe(), in);
  if (!into.readiness_probe().has_http_get() && !into.readiness_probe().has_tcp_socket())
    into.clear_readiness_probe();
}

void read_probe_port(const spot& from, const container& of, int_or_string& into, context& in) {
  if (from.what->kind == node_kind::integer) {
    auto number = from.number(0);
    if (number < 1 || number > 65535)
      in.to.error(from.what->at, from.path, shown(*from.what),
                  "a port from 1 to 65535, or a port's name");
    into.set_number(static_cast<std::int32_t>(number));
    return;
  }
  into.set_text(from.text());
  std::string names;
  for (const auto& p : of.ports()) {
    if (p.name() == from.text() && !p.name().empty())
      return;
    if (!p.name().empty())
      names += (names.empty() ? "" : ", ") + p.name();
  }
  in.to.error(from.what->at, from.path, shown(*from.what),
              names.empty()
                  ? "a port from 1 to 65535 (no port of this container has a name)"
                  : "a port from 1 to 65535, or the name of a port of this container: " + names);
}

} // namespace

void read_env(const spot& from, container& into, context& in) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    auto e = from.item(i);
    env_var x;
    x.set_name(e["name"].text());
    x.set_value(e["value"].text());
    if (!variable_name(x.name()))
      in.to.error(e["name"].what->at, e["name"].path, shown(*e["name"].what), variable_name_words);
    bool has_value = true;
    if (auto source = e["valueFrom"]) {
      if (!x.value().empty())
        in.to.error(source.what->at, source.path, "valueFrom beside value", "one of the two");
      has_value = read_value_from(source, x, in);
    }
    if (has_value) { // also of a name that is there already: what comes between may use that one
      *into.add_env() = std::move(x);
      continue;
    }
    auto* all = into.mutable_env();
    all->erase(std::remove_if(all->begin(), all->end(),
                              [&](const env_var& o) { return o.name() == x.name(); }),
               all->end());
  }
}

void read_probe(const spot& from, const container& of, probe& into, context& in) {
  std::string handlers;
  for (auto name : {"exec", "httpGet", "tcpSocket", "grpc"})
    if (from[name])
      handlers += (handlers.empty() ? "" : " and ") + std::string(name);
  if (handlers.empty() || handlers.find(' ') != std::string::npos)
    in.to.error(from.what->at, from.path, handlers.empty() ? "no way to probe" : handlers,
                "exactly one of exec, httpGet, tcpSocket and grpc");
  if (auto grace = from["terminationGracePeriodSeconds"])
    in.to.error(grace.what->at, grace.path, shown(*grace.what),
                "nothing: a readiness probe ends no container");
  if (auto http = from["httpGet"]) {
    auto& x = *into.mutable_http_get();
    x.set_path(http["path"] && !http["path"].text().empty() ? http["path"].text() : "/");
    if (breaks_line(x.path()))
      in.to.error(http["path"].what->at, http["path"].path, shown(*http["path"].what),
                  "a path: one line");
    x.set_host(http["host"].text());
    x.set_scheme(http["scheme"] ? http["scheme"].text() : "HTTP");
    if (x.scheme() == "HTTPS")
      in.to.warning(http["scheme"].what->at, http["scheme"].path,
                    "HTTPS is not yet honoured: the probe speaks HTTP");
    read_probe_port(http["port"], of, *x.mutable_port(), in);
    auto headers = http["httpHeaders"];
    for (std::size_t i = 0; i < headers.size(); ++i) {
      auto& h = *x.add_headers();
      auto name = headers.item(i)["name"], value = headers.item(i)["value"];
      h.set_name(name.text());
      h.set_value(value.text());
      if (!header_name(h.name()))
        in.to.error(name.what->at, name.path, shown(*name.what), header_name_words);
      if (breaks_line(h.value()))
        in.to.error(value.what->at, value.path, shown(*value.what), "a header's value: one line");
    }
  }
  if (auto tcp = from["tcpSocket"]) {
    into.mutable_tcp_socket()->set_host(tcp["host"].text());
    read_probe_port(tcp["port"], of, *into.mutable_tcp_socket()->mutable_port(), in);
  }
  into.set_initial_delay_seconds(static_cast<std::int32_t>(from["initialDelaySeconds"].number(0)));
  auto above_zero = [&](const char* name, std::int64_t otherwise) { // 0 is as left out there
    auto x = from[name].number(otherwise);
    return static_cast<std::int32_t>(x == 0 ? otherwise : x);
  };
  into.set_timeout_seconds(above_zero("timeoutSeconds", 1));
  into.set_period_seconds(above_zero("periodSeconds", 10));
  into.set_success_threshold(above_zero("successThreshold", 1));
  into.set_failure_threshold(above_zero("failureThreshold", 3));
}

void read_pod_spec(const spot& from, pod_spec& into, context& in) {
  auto runtime = from["runtimeClassName"];
  if (runtime && runtime.text() != "process")
    in.to.error(runtime.what->at, runtime.path, shown(*runtime.what),
                "process, the one runtime class there is so far");
  into.set_runtime_class_name(runtime.text());
  into.set_restart_policy(from["restartPolicy"] ? from["restartPolicy"].text() : "Always");
  into.set_termination_grace_period_seconds(from["terminationGracePeriodSeconds"].number(30));
  auto node = from["nodeName"];
  if (node && !node.text().empty() && !dns_subdomain(node.text()))
    in.to.error(node.what->at, node.path, shown(*node.what), dns_subdomain_words);
  into.set_node_name(node.text());
  read_labels(from["nodeSelector"], true, *into.mutable_node_selector(), in);
  read_tolerations(from["tolerations"], into, in);
  read_affinity(from["affinity"], into, in);
  auto containers = from["containers"];
  if (containers.size() == 0)
    in.to.error(containers.what->at, containers.path, "an empty list", "at least one container");
  port_words ports;
  for (std::size_t i = 0; i < containers.size(); ++i)
    read_container(containers.item(i), from, ports, *into.add_containers(), in);
}

} // namespace legion::manifest
