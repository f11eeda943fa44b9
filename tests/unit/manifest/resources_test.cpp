#include "tests/unit/manifest/manifest_texts.hpp"

namespace legion::resources_test {

using namespace legion::manifest_texts;

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

} // TEST_SUITE

} // namespace legion::resources_test
