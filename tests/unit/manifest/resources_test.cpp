#include <doctest/doctest.h>

#include <string>

#include "messages/manifest/manifest.hpp"

namespace legion::resources_test {

namespace {

/// Lines of a pod's spec at column 3, from line 5 on.
std::string pod_with(const std::string& lines) {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n" + lines;
}

/// Lines of a container at column 5, from line 7 on.
std::string container_with(const std::string& lines) {
  return pod_with("  containers:\n  - name: a\n" + lines);
}

std::string with_command(const std::string& lines) {
  return container_with("    command: [a]\n" + lines); // from line 8 on
}

std::string deployment_with(const std::string& spec_lines) { // from line 6 on, at column 2
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n" + spec_lines
         + " template:\n  metadata: {labels: {tier: front, app: web}}\n"
           "  spec: {containers: [{name: a, command: [a]}]}\n";
}

/// Everything told, one a line, without the file's name.
std::string told(const std::string& text) {
  std::string all;
  for (const auto& d : manifest::read({{"f", text}}).diagnostics)
    all += (all.empty() ? "" : "\n") + d.text().substr(2);
  return all;
}

resource only(const std::string& text) {
  auto x = manifest::read({{"f", text}});
  for (const auto& d : x.diagnostics)
    if (!d.warning())
      FAIL_CHECK(d.text());
  REQUIRE(x.resources.size() == 1);
  return x.resources[0];
}

container first_container(const std::string& text) {
  return only(text).pod().containers(0);
}

} // namespace

TEST_SUITE("manifest/resources") {

  TEST_CASE("the defaults are those of Kubernetes") {
    auto d = only(deployment_with(""));
    CHECK(d.metadata().namespace_() == "default");
    CHECK(d.deployment().replicas() == 1);
    CHECK(d.deployment().strategy() == "RollingUpdate");
    CHECK(d.deployment().template_().spec().restart_policy() == "Always");
    CHECK(d.deployment().template_().spec().termination_grace_period_seconds() == 30);
    REQUIRE(d.deployment().match_labels_size() == 2);
    CHECK(d.deployment().match_labels(0).key() == "app");
    auto c = first_container(with_command(
        "    ports: [{containerPort: 80}]\n    readinessProbe: {httpGet: {port: 80}}\n"));
    CHECK(c.ports(0).protocol() == "TCP");
    CHECK(c.readiness_probe().http_get().path() == "/");
    CHECK(c.readiness_probe().http_get().scheme() == "HTTP");
    CHECK(c.readiness_probe().http_get().port().number() == 80);
    CHECK(c.readiness_probe().timeout_seconds() == 1);
    CHECK(c.readiness_probe().period_seconds() == 10);
    CHECK(c.readiness_probe().success_threshold() == 1);
    CHECK(c.readiness_probe().failure_threshold() == 3);
    CHECK_FALSE(first_container(with_command("")).has_readiness_probe());
  }

  TEST_CASE("null is a field left out, and a namespace given is kept") {
    auto d = only(deployment_with(" replicas: null\n selector: ~\n"));
    CHECK(d.deployment().replicas() == 1);
    CHECK(d.deployment().match_labels_size() == 2);
    auto x = manifest::read({{"f", deployment_with("")}}, {.default_namespace = "shop"});
    CHECK(x.resources[0].metadata().namespace_() == "shop");
    auto named = "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: bar}\n"
                 "spec: {containers: [{name: c, command: [a]}]}\n";
    CHECK(manifest::read({{"f", named}}, {.default_namespace = "foo"}).diagnostics.empty());
    auto bar = manifest::options{.default_namespace = "bar", .only_that = true};
    CHECK(manifest::read({{"f", named}}, bar).diagnostics.empty());
    auto foo = manifest::options{.default_namespace = "foo", .only_that = true};
    x = manifest::read({{"f", named}}, foo);
    REQUIRE(x.diagnostics.size() == 1);
    CHECK(
        x.diagnostics[0].text()
        == "f:3:32: metadata.namespace: found \"bar\", allowed: \"foo\", the namespace asked for, "
           "or none");
    x = manifest::read({{"f", deployment_with("")}}, {.default_namespace = "My Shop"});
    REQUIRE(x.diagnostics.size() == 1);
    CHECK(x.diagnostics[0].text().find(
              "f:4:3: metadata.namespace: found left out, and the namespace asked for is "
              "\"My Shop\", allowed: at most 63")
          == 0);
  }

  TEST_CASE("resourceVersion is the version that must be there, and is not kept") {
    auto with = [](const std::string& version) {
      return "apiVersion: v1\nkind: Pod\nmetadata: {name: web, resourceVersion: " + version
             + "}\nspec: {containers: [{name: a, command: [a]}]}\n";
    };
    auto x = only(with("\"17\""));
    CHECK(x.metadata().resource_version() == 17);
    CHECK(x.document().find("resourceVersion") == std::string::npos);
    CHECK(x.document().find("\"name\":\"web\"") != std::string::npos);
    CHECK(x.document() == only(with("null")).document());
    CHECK(only(with("null")).metadata().resource_version() == 0);
    CHECK(told(with("\"17\"")).empty());
    for (auto text : {"\"x\"", "\"\"", "\"-1\"", "\"017\"", "\"99999999999999999999\""})
      CHECK(told(with(text))
            == "3:40: metadata.resourceVersion: found " + std::string{text}
                   + ", allowed: a version as get -o yaml shows it, or none");
  }

  TEST_CASE("what the cluster sets is read over, so that what get printed can be applied") {
    auto plain = only("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
                      "spec: {containers: [{name: a, command: [a]}]}\n");
    std::string printed = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: default, "
                          "uid: \"1-2\", generation: 3, creationTimestamp: "
                          "\"2026-11-26T18:01:08Z\", deletionTimestamp: "
                          "\"2026-11-26T18:02:08Z\", managedFields: [{manager: m}]}\n"
                          "spec: {containers: [{name: a, command: [a]}]}\n"
                          "status: {phase: Running, legion.dev/keeper: n1}\n";
    CHECK(told(printed).empty());
    CHECK(only(printed).document() == plain.document());
    CHECK(only(printed).metadata().uid() == "1-2");
    CHECK(only(printed).metadata().namespace_() == "default");
  }

  TEST_CASE("a replica is no pod of its own") {
    auto owned = [](const std::string& controller) {
      return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-1\n  ownerReferences:\n"
             "  - {apiVersion: apps/v1, kind: Deployment, name: web, uid: \"1\""
             + controller + "}\nspec: {containers: [{name: a, command: [a]}]}\n";
    };
    CHECK(
        told(owned(", controller: true"))
            .find("6:5: metadata.ownerReferences[0]: found a replica of Deployment web, allowed: a "
                  "resource of its own: apply the one that it belongs to")
        != std::string::npos);
    CHECK(told(owned("")) == "5:3: metadata.ownerReferences: not yet honoured");
  }

  TEST_CASE("a selector has to match the template's labels") {
    CHECK(only(deployment_with(" selector: {matchLabels: {app: web}}\n"))
              .deployment()
              .match_labels_size()
          == 1);
    CHECK(only(deployment_with(
                   " selector: {matchExpressions: [{key: app, operator: In, values: [web, b]}]}\n"))
              .deployment()
              .match_expressions(0)
              .values_size()
          == 2);
    CHECK(told(deployment_with(" selector: {matchLabels: {app: api}}\n"))
          == "6:32: spec.selector.matchLabels.app: found \"api\" where the template has \"web\", "
             "allowed: labels of "
             "spec.template.metadata.labels");
    CHECK(told(deployment_with(" selector: {matchLabels: {foo: web}}\n"))
          == "6:32: spec.selector.matchLabels.foo: found a label that the template does not have, "
             "allowed: labels "
             "of spec.template.metadata.labels");
    CHECK(told(deployment_with(
              " selector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}\n"))
          == "6:32: spec.selector.matchExpressions[0]: found an expression that the template's "
             "labels do not match, "
             "allowed: what matches spec.template.metadata.labels");
    CHECK(told(deployment_with(" selector: {}\n"))
              .find("6:12: spec.selector: found an empty selector")
          == 0);
    CHECK(told(deployment_with(" selector: {matchExpressions: [{key: app, operator: In}]}\n"))
              .find("6:32: spec.selector.matchExpressions[0].values: found nothing, allowed: at "
                    "least one value")
          == 0);
  }

  TEST_CASE("without a strategy replicas are replaced one at a time, the new one first") {
    for (const char* nothing : {"", " strategy: {}\n"}) {
      auto d = only(deployment_with(nothing)).deployment();
      CHECK(d.strategy() == "RollingUpdate");
      CHECK(d.max_surge().number() == 1);
      CHECK(d.max_unavailable().has_number());
      CHECK(d.max_unavailable().number() == 0);
    }
    for (const char* said :
         {" strategy: {type: RollingUpdate}\n", " strategy: {rollingUpdate: {}}\n"}) {
      auto d = only(deployment_with(said)).deployment();
      CHECK(d.max_surge().text() == "25%");
      CHECK(d.max_unavailable().text() == "25%");
    }
  }

  TEST_CASE("times have an end") {
    CHECK(only(pod_with("  terminationGracePeriodSeconds: 2147483647\n"
                        "  containers: [{name: a, command: [a]}]\n"))
              .pod()
              .termination_grace_period_seconds()
          == 2147483647);
    CHECK(told(pod_with("  terminationGracePeriodSeconds: 9223372036854775807\n"
                        "  containers: [{name: a, command: [a]}]\n"))
          == "5:34: spec.terminationGracePeriodSeconds: found 9223372036854775807, allowed: a "
             "whole number from 0 to 2147483647");
  }

  TEST_CASE("rolling updates") {
    auto d = only(deployment_with(" strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 0}}\n"))
                 .deployment();
    CHECK(d.max_surge().number() == 2);
    CHECK(d.max_unavailable().has_number());
    CHECK(told(deployment_with(" strategy: {rollingUpdate: {maxSurge: 0%, maxUnavailable: 0}}\n"))
          == "6:59: spec.strategy.rollingUpdate.maxUnavailable: found 0, with maxSurge 0 too, "
             "allowed: one of the two "
             "above 0, else no update can begin");
    CHECK(told(deployment_with(" strategy: {rollingUpdate: {maxSurge: -1}}\n"))
          == "6:39: spec.strategy.rollingUpdate.maxSurge: found -1, allowed: a whole number of 0 "
             "or more, or a "
             "percentage");
    CHECK(told(deployment_with(" strategy: {rollingUpdate: {maxUnavailable: 101%}}\n"))
              .find("found \"101%\", allowed: a whole number of 0 or more, or a percentage such as "
                    "\"25%\", at most")
          != std::string::npos);
    CHECK(told(deployment_with(" strategy: {rollingUpdate: {maxSurge: a}}\n")).find("found \"a\"")
          != std::string::npos);
    CHECK(told(deployment_with(" strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}\n"))
          == "6:44: spec.strategy.rollingUpdate: found rollingUpdate beside type: Recreate, "
             "allowed: rollingUpdate "
             "with type: RollingUpdate only");
    CHECK(only(deployment_with(" strategy: {type: Recreate}\n")).deployment().strategy()
          == "Recreate");
  }

  TEST_CASE("names, labels and annotations") {
    auto named = [](const std::string& metadata) {
      return told("apiVersion: v1\nkind: Pod\nmetadata: {" + metadata
                  + "}\nspec: {containers: [{name: a, command: [a]}]}\n");
    };
    CHECK(named("name: web.example") == "");
    CHECK(named("name: Web").find("3:18: metadata.name: found \"Web\", allowed: at most 253") == 0);
    CHECK(named("name: w, namespace: a.b")
              .find("3:32: metadata.namespace: found \"a.b\", allowed: at most 63")
          == 0);
    CHECK(
        named("name: w, labels: {a b: c}").find("3:30: metadata.labels.a b: found the key \"a b\"")
        == 0);
    CHECK(named("name: w, labels: {a: -c}").find("3:33: metadata.labels.a: found \"-c\"") == 0);
    CHECK(named("name: w, labels: {a: 1}")
          == "3:33: metadata.labels.a: found the number 1, allowed: a string: put it in quotes, "
             "\"1\"");
    CHECK(named("name: w, labels: {a: }")
          == "3:30: metadata.labels.a: found null, allowed: a string; \"\" for an empty one");
    CHECK(named("name: w, annotations: {a: any thing / at all}") == "");
    CHECK(named("name: w, annotations: {a: " + std::string(270000, 'x') + "}")
              .find("found 270001 bytes of annotations")
          != std::string::npos);
    CHECK(named("name: w, annotations: {legion.dev/exclusive: \"true\"}") == "");
    CHECK(named("name: w, annotations: {legion.dev/exclusive: \"yes\"}")
          == "3:57: metadata.annotations.legion.dev/exclusive: found \"yes\", allowed: \"true\" or "
             "\"false\"");
    CHECK(told("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations: "
               "{legion.dev/exclusive: \"true\"}\nspec:\n template:\n  metadata: {labels: {a: b}}\n"
               "  spec: {containers: [{name: a, command: [a]}]}\n")
              .find("5:17: metadata.annotations.legion.dev/exclusive: found it on the Deployment, "
                    "allowed: it in spec.template.metadata.annotations")
          == 0);
    CHECK(named("generateName: w-").find("a name: generateName is not yet honoured")
          != std::string::npos);
    auto x = only("apiVersion: v1\nkind: Pod\nmetadata: {name: w, labels: {b: x, a: y}}\nspec: "
                  "{containers: [{name: a, command: [a]}]}\n");
    CHECK(x.metadata().labels(0).key() == "a");
  }

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

  TEST_CASE("a Deployment restarts its pods always") {
    auto text =
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\nspec:\n template:\n  spec:\n"
        "   restartPolicy: Never\n   containers: [{name: a, command: [a]}]\n";
    CHECK(told(text)
          == "7:19: spec.template.spec.restartPolicy: found \"Never\", allowed: Always in a "
             "Deployment");
    CHECK(only(pod_with("  restartPolicy: OnFailure\n  containers: [{name: a, command: [a]}]\n"))
              .pod()
              .restart_policy()
          == "OnFailure");
  }
}

} // namespace legion::resources_test
