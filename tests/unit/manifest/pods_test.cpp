#include "tests/unit/manifest/manifest_texts.hpp"

namespace legion::pods_test {

using namespace legion::manifest_texts;

TEST_SUITE("manifest/pods") {

  TEST_CASE("a container needs something to run, and other runtime classes do not exist yet") {
    CHECK(told(container_with(""))
          == "6:5: spec.containers[0].command: found nothing to run, allowed: a program to run: "
             "runtime class process "
             "has no image to take it from");
    CHECK(told(container_with("    command: []\n"))
              .find("7:14: spec.containers[0].command: found nothing to run")
          == 0);
    CHECK(told(container_with("    command: [\"\"]\n"))
              .find("7:14: spec.containers[0].command: found nothing to run")
          == 0);
    CHECK(told(pod_with("  runtimeClassName: runc\n  containers: [{name: a, command: [a]}]\n"))
          == "5:21: spec.runtimeClassName: found \"runc\", allowed: process, the one runtime class "
             "there is so far");
    CHECK(only(pod_with("  runtimeClassName: process\n  containers: [{name: a, command: [a]}]\n"))
              .pod()
              .runtime_class_name()
          == "process");
    CHECK(told(pod_with("  containers: [{name: A, command: [a]}]\n"))
              .find("5:23: spec.containers[0].name: found \"A\"")
          == 0);
    CHECK(told(pod_with("  containers: [{name: a, command: [a]}, {name: a, command: [a]}]\n"))
          == "5:48: spec.containers[1].name: found \"a\" again, allowed: each name once");
  }

  TEST_CASE("an image is kept, and warned about once a file") {
    auto text = pod_with("  containers:\n  - {name: a, command: [a], image: one}\n  - {name: b, "
                         "command: [b], image: two}\n");
    CHECK(told(text)
          == "6:36: spec.containers[0].image: kept and shown, but never pulled: runtime class "
             "process runs `command` as "
             "it is on the node");
    CHECK(only(text).pod().containers(1).image() == "two");
  }

  TEST_CASE("ports") {
    auto c = first_container(with_command("    ports: [{name: http, containerPort: 80, hostPort: "
                                          "8080}, {containerPort: 80, protocol: UDP}]\n"));
    CHECK(c.ports(0).host_port() == 8080);
    CHECK(c.ports(1).protocol() == "UDP");
    CHECK(told(with_command(
              "    ports: [{name: a, containerPort: 1}, {name: a, containerPort: 2}]\n"))
          == "8:49: spec.containers[0].ports[1].name: found \"a\" again, allowed: each port name "
             "once in a pod");
    CHECK(told(with_command("    ports: [{containerPort: 1}, {containerPort: 1}]\n"))
          == "8:49: spec.containers[0].ports[1].containerPort: found 1/TCP again, allowed: each "
             "containerPort and "
             "protocol once in a container");
    CHECK(told(with_command("    ports: [{name: a, containerPort: 1, hostPort: 53}, {name: b, "
                            "containerPort: 2, hostPort: 53, protocol: UDP}]\n"))
              .empty());
    CHECK(told(with_command("    ports: [{containerPort: 1, hostPort: 53, hostIP: 127.0.0.1}, "
                            "{containerPort: 2, hostPort: 53}]\n"))
              .find("again")
          == std::string::npos);
    CHECK(told(with_command("    ports: [{containerPort: 1, hostPort: 53}, {containerPort: 2, "
                            "hostPort: 53}]\n"))
          == "8:76: spec.containers[0].ports[1].hostPort: found 53/TCP again, allowed: each "
             "hostPort and protocol once in a pod");
    CHECK(told(with_command("    ports: [{name: WEB, containerPort: 1}]\n"))
              .find("8:20: spec.containers[0].ports[0].name: found \"WEB\"")
          == 0);
    CHECK(told(with_command("    ports: [{containerPort: 1, protocol: HTTP}]\n"))
          == "8:42: spec.containers[0].ports[0].protocol: found \"HTTP\", allowed: TCP, UDP, SCTP");
  }

  TEST_CASE("environment variables") {
    auto c = first_container(with_command(
        "    env:\n    - {name: A, value: a}\n    - {name: B}\n"
        "    - {name: C, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['a/b']\"}}}\n"));
    REQUIRE(c.env_size() == 3);
    CHECK(c.env(2).field_path() == "metadata.labels['a/b']");
    for (const char* path :
         {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "status.hostIP",
          "status.podIP", "status.hostIPs", "status.podIPs", "metadata.annotations['x']"}) {
      CAPTURE(path);
      auto text = "    env: [{name: C, valueFrom: {fieldRef: {fieldPath: \"" + std::string(path)
                  + "\"}}}]\n";
      CHECK(told(with_command(text)) == "");
    }
    CHECK(told(with_command("    env: [{name: C, valueFrom: {fieldRef: {apiVersion: v2, fieldPath: "
                            "metadata.name}}}]\n"))
              .find("fieldRef.apiVersion: found \"v2\", allowed: v1")
          != std::string::npos);
    for (const char* path : {"metadata.labels", "metadata.labels[a]", "metadata.labels['']",
                             "metadata.labels['", "spec.x", ""}) {
      CAPTURE(path);
      auto text = "    env: [{name: C, valueFrom: {fieldRef: {fieldPath: \"" + std::string(path)
                  + "\"}}}]\n";
      CHECK(told(with_command(text))
                .find("8:55: spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: found ")
            == 0);
    }
    CHECK(told(with_command("    env: [{name: \"a=b\"}]\n"))
              .find("8:18: spec.containers[0].env[0].name: found \"a=b\"")
          == 0);
    CHECK(told(with_command("    env: [{name: A, value: b, valueFrom: {fieldRef: {fieldPath: "
                            "metadata.name}}}]\n"))
              .find("8:42: spec.containers[0].env[0].valueFrom: found valueFrom beside value")
          == 0);
    CHECK(told(with_command("    env: [{name: A, valueFrom: {}}]\n")).find("found 0 sources")
          != std::string::npos);
    auto secret =
        with_command("    env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]\n");
    CHECK(told(secret)
          == "8:33: spec.containers[0].env[0].valueFrom.secretKeyRef: not yet honoured");
    CHECK(first_container(secret).env_size() == 0);
    auto twice = with_command("    env: [{name: A, value: a}, {name: A, value: b}]\n");
    CHECK(told(twice)
          == "8:39: spec.containers[0].env[1].name: \"A\" is here twice: the last one counts");
    CHECK(first_container(twice).env_size() == 2); // what came between could use the first
    CHECK(first_container(twice).env(1).value() == "b");
    auto unset = with_command("    env: [{name: A, value: a}, {name: A, valueFrom: {secretKeyRef: "
                              "{name: s, key: k, optional: true}}}]\n");
    CHECK(first_container(unset).env_size() == 0);
  }

  TEST_CASE("what is limited and not requested is requested as it is limited") {
    auto c = first_container(
        with_command("    resources: {limits: {cpu: 1.5, memory: 64Mi}, requests: {cpu: 250m}}\n"));
    CHECK(c.limits().cpu_millis() == 1500);
    CHECK(c.requests().cpu_millis() == 250);
    CHECK(c.requests().memory_bytes() == 67108864);
    CHECK(told(with_command("    resources: {limits: {cpu: 1}, requests: {cpu: 1000m}}\n")) == "");
    auto only_requests = first_container(with_command("    resources: {requests: {cpu: \"1\"}}\n"));
    CHECK_FALSE(only_requests.has_limits());
    CHECK_FALSE(only_requests.requests().has_memory_bytes());
    CHECK(told(with_command("    resources: {limits: {cpu: 1}, requests: {cpu: 1500m}}\n"))
          == "8:51: spec.containers[0].resources.requests.cpu: found \"1500m\", allowed: at most "
             "the limit, 1");
    CHECK(
        told(with_command("    resources: {limits: {ephemeral-storage: 1Gi, nvidia.com/gpu: 1}}\n"))
        == "8:26: spec.containers[0].resources.limits.ephemeral-storage: not yet honoured\n"
           "8:50: spec.containers[0].resources.limits.nvidia.com/gpu: not yet honoured");
  }

  TEST_CASE("what Kubernetes refuses of fields that are not yet honoured is refused") {
    CHECK(told(with_command("    livenessProbe: {tcpSocket: {port: 1}, successThreshold: 2}\n"))
              .find("livenessProbe.successThreshold: found 2, allowed: 1: it succeeds at once")
          != std::string::npos);
    CHECK(told(with_command("    volumeMounts: [{name: data, mountPath: /data}]\n"))
              .find("volumeMounts[0].name: found \"data\", allowed: the name of one of the pod's "
                    "volumes")
          != std::string::npos);
    CHECK(told(with_command("    workingDir: srv\n"))
              .find("workingDir: found \"srv\", allowed: an absolute path")
          != std::string::npos);
    CHECK(told(with_command("    workingDir: /srv\n")).empty());
  }

  TEST_CASE("readiness probes") {
    auto probe = [](const std::string& x) {
      return with_command("    ports: [{name: http, containerPort: 80}]\n    readinessProbe: {" + x
                          + "}\n");
    };
    auto c =
        first_container(probe("tcpSocket: {port: http}, periodSeconds: 1, initialDelaySeconds: 2"));
    CHECK(c.readiness_probe().tcp_socket().port().text() == "http");
    CHECK(c.readiness_probe().period_seconds() == 1);
    CHECK(c.readiness_probe().initial_delay_seconds() == 2);
    c = first_container(probe(
        "httpGet: {port: http, path: /x, scheme: HTTPS, httpHeaders: [{name: A, value: b}]}"));
    CHECK(c.readiness_probe().http_get().headers(0).value() == "b");
    CHECK(told(probe("httpGet: {port: http, httpHeaders: [{name: \"a: b\", value: c}]}"))
          == "9:65: spec.containers[0].readinessProbe.httpGet.httpHeaders[0].name: found \"a: b\", "
             "allowed: an HTTP header's name: letters, digits and - such as X-Probe");
    CHECK(told(probe("httpGet: {port: http, httpHeaders: [{name: a, value: \"b\\r\\nc\"}]}"))
              .find("allowed: a header's value: one line")
          != std::string::npos);
    CHECK(told(probe("httpGet: {port: http, path: \"/a\\r\\nX: y\"}"))
              .find("httpGet.path: found \"/a\\r\\nX: y\", allowed: a path: one line")
          != std::string::npos);
    CHECK(told(probe("httpGet: {port: http, scheme: HTTPS}"))
          == "9:52: spec.containers[0].readinessProbe.httpGet.scheme: HTTPS is not yet honoured: "
             "the probe speaks HTTP");
    CHECK(told(probe("httpGet: {port: web}"))
          == "9:38: spec.containers[0].readinessProbe.httpGet.port: found \"web\", allowed: a port "
             "from 1 to 65535, or "
             "the name of a port of this container: http");
    CHECK(told(probe("httpGet: {port: 0}"))
              .find("9:38: spec.containers[0].readinessProbe.httpGet.port: found 0")
          == 0);
    CHECK(told(probe("periodSeconds: 1"))
              .find("9:21: spec.containers[0].readinessProbe: found no way to probe")
          == 0);
    CHECK(
        told(probe("httpGet: {port: 1}, tcpSocket: {port: 1}")).find("found httpGet and tcpSocket")
        != std::string::npos);
    CHECK(told(probe("httpGet: {port: 1}, periodSeconds: -1"))
          == "9:57: spec.containers[0].readinessProbe.periodSeconds: found -1, allowed: a whole "
             "number of 0 or more");
    auto exec = probe("exec: {command: [x]}");
    CHECK(told(exec) == "9:22: spec.containers[0].readinessProbe.exec: not yet honoured");
    CHECK_FALSE(first_container(exec).has_readiness_probe());
  }

  TEST_CASE("users of the container, else of the pod") {
    auto x = only(pod_with("  securityContext: {runAsUser: 1000, runAsGroup: 100}\n  containers:\n"
                           "  - {name: a, command: [a], securityContext: {runAsUser: 0}}\n"));
    CHECK(x.pod().containers(0).run_as_user() == 0);
    CHECK(x.pod().containers(0).run_as_group() == 100);
    CHECK_FALSE(first_container(with_command("")).has_run_as_user());
    CHECK(told(with_command("    securityContext: {runAsUser: -1}\n"))
              .find("8:34: spec.containers[0].securityContext.runAsUser: found -1")
          == 0);
  }

  TEST_CASE("where a pod may run") {
    auto with = [](const std::string& line) {
      return pod_with("  containers: [{name: a, command: [a]}]\n  " + line + "\n");
    };
    auto p = only(with("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
                       "{nodeSelectorTerms: "
                       "[{matchExpressions: [{key: disk, operator: Gt, values: [\"3\"]}]}]}, "
                       "preferredDuringSchedulingIgnoredDuringExecution: [{weight: 7, preference: "
                       "{matchFields: [{key: "
                       "metadata.name, operator: In, values: [n1]}]}}]}}"))
                 .pod();
    CHECK(p.required_node_terms(0).match_expressions(0).operator_() == "Gt");
    CHECK(p.preferred_node_terms(0).weight() == 7);
    p = only(with("tolerations: [{operator: Exists}, {key: a, value: b, effect: NoSchedule}]"))
            .pod();
    CHECK(p.tolerations(0).operator_() == "Exists");
    CHECK(p.tolerations(1).operator_() == "Equal");
    CHECK(only(with("nodeSelector: {disk: ssd}")).pod().node_selector(0).value() == "ssd");
    CHECK(
        told(with("tolerations: [{value: a}]")).find("6:17: spec.tolerations[0].key: found nothing")
        == 0);
    CHECK(told(with("tolerations: [{key: a, operator: Exists, value: b}]"))
              .find("6:51: spec.tolerations[0].value: found \"b\"")
          == 0);
    CHECK(told(with("tolerations: [{key: a, effect: Never}]"))
              .find("found \"Never\", allowed: NoSchedule, PreferNoSchedule, NoExecute")
          != std::string::npos);
    auto term = [&](const std::string& x) {
      return told(with("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
                       "{nodeSelectorTerms: ["
                       + x + "]}}}"));
    };
    CHECK(term("").find("nodeSelectorTerms: found an empty list, allowed: at least one term")
          != std::string::npos);
    CHECK(term("{matchExpressions: [{key: a, operator: Gt, values: [x]}]}")
              .find("found \"x\", allowed: one whole number")
          != std::string::npos);
    CHECK(term("{matchExpressions: [{key: a, operator: Exists, values: [x]}]}")
              .find("no values with operator Exists")
          != std::string::npos);
    CHECK(term("{matchFields: [{key: a, operator: In, values: [x]}]}")
              .find("found \"a\", allowed: metadata.name")
          != std::string::npos);
  }

} // TEST_SUITE

} // namespace legion::pods_test
