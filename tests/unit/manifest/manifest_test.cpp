#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "messages/manifest/manifest.hpp"

namespace legion::manifest_test {

namespace {

std::vector<std::string> told(const std::string& text, manifest::options how = {}) {
  auto x = manifest::read({{"web.yaml", text}}, how);
  std::vector<std::string> all;
  for (const auto& d : x.diagnostics)
    all.push_back((d.warning() ? "warning " : "") + d.text());
  if (manifest::refused(x))
    CHECK(x.resources.empty());
  return all;
}

constexpr const char* one_container = "    containers:\n    - name: a\n      command: [a]\n";

/// A Deployment whose pod template has these lines more, from line 10 on, at column 5.
std::string deployment(const std::string& pod_lines, const std::string& spec_lines = "") {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n template:\n  "
         "metadata:\n"
         "   labels: {app: web, tier: front}\n  spec:\n"
         + pod_lines + spec_lines;
}

/// A Pod whose container has these lines more, from line 8 on, at column 5.
std::string pod(const std::string& container_lines) {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - name: a\n"
         "    command: [a]\n"
         + container_lines;
}

struct row {
  std::string text;
  std::string diagnostic; // the only one
};

void check_rows(const std::vector<row>& rows) {
  for (const auto& r : rows) {
    CAPTURE(r.text);
    auto all = told(r.text);
    REQUIRE(all.size() == 1);
    CHECK(all[0] == r.diagnostic);
  }
}

} // namespace

TEST_SUITE("manifest/manifest") {

  TEST_CASE("types, needs, ranges and known values are told at their place") {
    check_rows({
        {deployment(one_container, " replicas: three\n"),
         "web.yaml:13:12: spec.replicas: found \"three\", allowed: a whole number from 0 to 10000"},
        {deployment(one_container, " replicas: \"3\"\n"),
         "web.yaml:13:12: spec.replicas: found the string \"3\", allowed: a whole number from 0 "
         "to 10000, without quotes"},
        {deployment(one_container, " replicas: -1\n"),
         "web.yaml:13:12: spec.replicas: found -1, allowed: a whole number from 0 to 10000"},
        {deployment(one_container, " replicas: 2147483648\n"),
         "web.yaml:13:12: spec.replicas: found 2147483648, allowed: a whole number from 0 to "
         "10000"},
        {deployment(one_container, " replicas: 1.0\n"),
         "web.yaml:13:12: spec.replicas: found 1.0, allowed: a whole number from 0 to 10000"},
        {deployment(one_container, " replcas: 3\n"),
         "web.yaml:13:2: spec.replcas: found an unknown field of DeploymentSpec, allowed: its "
         "known fields, of "
         "which \"replicas\" is the nearest"},
        {deployment(one_container, " strategy: {type: Rolling}\n"),
         "web.yaml:13:19: spec.strategy.type: found \"Rolling\", allowed: Recreate, RollingUpdate"},
        {deployment("    containers: 3\n"),
         "web.yaml:10:17: spec.template.spec.containers: found 3, allowed: a list"},
        {deployment("    containers:\n    -\n"),
         "web.yaml:12:1: spec.template.spec.containers[0]: found null, allowed: an item"},
        {deployment("    nodeName: a\n"), "web.yaml:10:5: spec.template.spec.containers: found "
                                          "nothing, allowed: a list (this field is required)"},
        {deployment(std::string{one_container} + "    nodeName: a b\n"),
         "web.yaml:13:15: spec.template.spec.nodeName: found \"a b\", allowed: at most 253 of a-z, "
         "0-9, - and ., each part beginning and ending with a letter or digit"},
        {deployment("    containers: []\n"), "web.yaml:10:17: spec.template.spec.containers: found "
                                             "an empty list, allowed: at least one container"},
        {pod("    ports: [{containerPort: 80800}]\n"),
         "web.yaml:8:29: spec.containers[0].ports[0].containerPort: found 80800, allowed: a whole "
         "number from 1 "
         "to 65535"},
        {pod("    ports: [{containerPort: 0}]\n"),
         "web.yaml:8:29: spec.containers[0].ports[0].containerPort: found 0, allowed: a whole "
         "number from 1 to "
         "65535"},
        {pod("    env: [{name: A, value: 1}]\n"),
         "web.yaml:8:28: spec.containers[0].env[0].value: found the number 1, allowed: a string: "
         "put it in "
         "quotes, \"1\""},
        {pod("    env: [{name: A, value: true}]\n"),
         "web.yaml:8:28: spec.containers[0].env[0].value: found the boolean true, allowed: a "
         "string: put it in "
         "quotes, \"true\""},
        {pod("    resources: {limits: {memory: 1 GB}}\n"),
         "web.yaml:8:34: spec.containers[0].resources.limits.memory: found \"1 GB\", allowed: a "
         "quantity of 0 or "
         "more, as 250m, 2, 1e3, 100M or 1.5Gi"},
        {pod("    resources: {limits: {cpu: -1}}\n"),
         "web.yaml:8:31: spec.containers[0].resources.limits.cpu: found -1, allowed: a quantity of "
         "0 or more, as "
         "250m, 2, 1e3, 100M or 1.5Gi"},
        {pod("    resources: {limits: {cpus: 1}}\n"),
         "web.yaml:8:26: spec.containers[0].resources.limits.cpus: found an unknown resource, "
         "allowed: cpu, "
         "memory, ephemeral-storage, hugepages-SIZE, or a name with a domain"},
        {"apiVersion: v1\nkind: Pod\nmetadata: {labels: {}}\nspec: {containers: [{name: a, "
         "command: [a]}]}\n",
         "web.yaml:3:11: metadata.name: found nothing, allowed: a name (this field is required)"},
        {"apiVersion: v1\nkind: Pod\nmetadata:\nspec: {containers: [{name: a, command: [a]}]}\n",
         "web.yaml:1:1: metadata: found nothing, allowed: a map (this field is required)"},
    });
  }

  TEST_CASE("only true and false are booleans, and a string is none") {
    auto tty = [](const std::string& value) { return told(pod("    tty: " + value + "\n")); };
    CHECK(tty("true")
          == std::vector<std::string>{
              "warning web.yaml:8:5: spec.containers[0].tty: not yet honoured"});
    for (const char* word : {"yes", "on", "off", "no", "True", "FALSE", "y"}) {
      CAPTURE(word);
      auto all = tty(word);
      REQUIRE(all.size() == 2);
      CHECK(all[1]
            == "web.yaml:8:10: spec.containers[0].tty: found " + std::string(word)
                   + ", allowed: true or false (the other booleans of YAML 1.1, such as yes and "
                     "on, are not read)");
    }
    CHECK(tty("\"true\"")[1]
          == "web.yaml:8:10: spec.containers[0].tty: found the string \"true\", allowed: true or "
             "false, without "
             "quotes");
    CHECK(tty("1")[1] == "web.yaml:8:10: spec.containers[0].tty: found 1, allowed: true or false");
    CHECK(told(pod("    env: [{name: A, value: yes}]\n")).empty());
  }

  TEST_CASE("what is not finished, or indented with tabs, is said once and plainly") {
    const std::string helm =
        ":12: found {{ }}, a template as Helm uses, allowed: what it is rendered "
        "to: helm template CHART | legionctl apply -f -";
    const std::string tab = "found a tab in the indentation, allowed: spaces: YAML indents with "
                            "nothing else";
    check_rows({
        {"kind: Pod\n# {{ not this }}\nreplicas:  {{ .Values.n }}\n", "web.yaml:3" + helm},
        {"kind: Pod\nspec:\n          {{- range .Values.all }}\n  - a\n          {{- end }}\n",
         "web.yaml:3:11" + helm.substr(3)},
        {"apiVersion: v1\nkind: Pod\nmetadata:\n\tname: x\n", "web.yaml:4:1: " + tab},
        {"apiVersion: v1\nkind: Pod\nmetadata:\n  \tname: x\n\tlabels: {}\n",
         "web.yaml:4:3: " + tab},
    });
    // In a string both are text.
    CHECK(told(pod("    args: [\"{{ .State }}\"]\n")).empty());
    CHECK(told(pod("    args:\n    - |\n      a\n      \tb\n")).empty());
  }

  TEST_CASE("another tool's file, another kind, another version") {
    check_rows({
        {"services:\n  web: {image: nginx}\n",
         "web.yaml:1:1: apiVersion: found neither apiVersion nor kind; it looks like a file for "
         "docker compose, "
         "allowed: a Kubernetes manifest: v1 Pod, apps/v1 Deployment or v1 List"},
        {"# empty\n---\nname: x\n", "web.yaml:3:1: apiVersion: found neither apiVersion nor kind, "
                                    "allowed: a Kubernetes manifest: v1 Pod, "
                                    "apps/v1 Deployment or v1 List"},
        {"apiVersion: v1\n", "web.yaml:1:1: kind: found nothing, allowed: a Kubernetes manifest: "
                             "v1 Pod, apps/v1 Deployment or v1 List"},
        {"apiVersion: apps/v1\nkind: deployment\n",
         "web.yaml:2:7: kind: found \"deployment\", allowed: v1 Pod, apps/v1 Deployment or v1 "
         "List, of which \"Deployment\" is the nearest"},
        {"apiVersion: apps/v1\nkind: Deploymnets\n",
         "web.yaml:2:7: kind: found \"Deploymnets\", allowed: v1 Pod, apps/v1 Deployment or v1 "
         "List, of which \"Deployment\" is the nearest"},
        {"apiVersion: v2\nname: web\nversion: 0.1.0\n",
         "web.yaml:1:1: kind: found nothing; it looks like the Chart.yaml of Helm, which is "
         "applied "
         "as helm template CHART | legionctl apply -f -, allowed: a Kubernetes manifest: v1 Pod, "
         "apps/v1 Deployment or v1 List"},
        {"# a job\njob \"docs\" {\n  datacenters = [\"dc1\"]\n  group \"x\" {\n  }\n}\n",
         "web.yaml:2:1: found a file in HCL, as Nomad and Terraform use, allowed: a Kubernetes "
         "manifest, in YAML or JSON"},
        {"[Unit]\nDescription=web\n",
         "web.yaml:1:1: found a unit file of systemd, allowed: a Kubernetes manifest, in YAML or "
         "JSON"},
        {"apiVersion: v1\nkind: Service\n",
         "web.yaml:2:7: kind: found \"Service\", allowed: v1 Pod, apps/v1 Deployment or v1 List"},
        {"apiVersion: extensions/v1beta1\nkind: Deployment\n",
         "web.yaml:1:13: apiVersion: found \"extensions/v1beta1\", allowed: apps/v1 for kind "
         "Deployment"},
        {"- a\n",
         "web.yaml:1:1: found a list, allowed: a map with apiVersion and kind: v1 Pod, apps/v1 "
         "Deployment or v1 List"},
        {"hello",
         "web.yaml:1:1: found \"hello\", allowed: a map with apiVersion and kind: v1 Pod, apps/v1 "
         "Deployment or v1 List"},
        {"",
         "web.yaml:1:1: found nothing to apply, allowed: at least one: v1 Pod, apps/v1 Deployment "
         "or v1 List"},
        {"a: [", "web.yaml:1:5: found broken YAML (end of sequence flow not found for the one "
                 "opened in line 1, column 4), allowed: YAML or JSON"},
    });
  }

  TEST_CASE("what is not yet honoured is a warning at its name, and an error when strict") {
    auto text =
        deployment(std::string(one_container)
                       + "    hostNetwork: true\n    volumes: [{name: v, emptyDir: {}}]\n",
                   " revisionHistoryLimit: 2\nstatus: {replicas: 3, legion.dev/keeper: n1}\n");
    std::vector<std::string> expected{
        "web.yaml:13:5: spec.template.spec.hostNetwork: not yet honoured",
        "web.yaml:14:5: spec.template.spec.volumes: not yet honoured",
        "web.yaml:15:2: spec.revisionHistoryLimit: not yet honoured"};
    auto all = told(text);
    REQUIRE(all.size() == expected.size());
    for (std::size_t i = 0; i < all.size(); ++i)
      CHECK(all[i] == "warning " + expected[i]);
    CHECK(manifest::read({{"web.yaml", text}}).resources.size() == 1);
    all = told(text, {.strict = true});
    REQUIRE(all.size() == expected.size());
    for (std::size_t i = 0; i < all.size(); ++i)
      CHECK(all[i] == expected[i] + " (an error, because of strict)");
  }

  TEST_CASE("what is not yet honoured is checked all the same") {
    auto all = told(deployment(std::string(one_container)
                               + "    volumes: [{nam: v, emptyDir: {sizeLimit: 1x}}]\n"));
    REQUIRE(all.size() == 4);
    CHECK(all[1]
          == "web.yaml:13:15: spec.template.spec.volumes[0].name: found nothing, allowed: a string "
             "(this "
             "field is required)");
    CHECK(all[2]
          == "web.yaml:13:16: spec.template.spec.volumes[0].nam: found an unknown field of Volume, "
             "allowed: "
             "its known fields, of which \"name\" is the nearest");
    CHECK(all[3].find("sizeLimit: found \"1x\"") != std::string::npos);
  }

  TEST_CASE("what the cluster sets is read over, and has to be of its type all the same") {
    auto with = [](const std::string& lines) {
      return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n" + lines
             + "spec: {containers: [{name: a, command: [a]}]}\n";
    };
    auto list = [&](const std::string& metadata) {
      return "apiVersion: v1\nkind: List\nmetadata: " + metadata
             + "\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: web}, spec: "
               "{containers: [{name: a, command: [a]}]}}\n";
    };
    const std::string time = ", allowed: a time of RFC 3339, as 2026-11-27T18:02:08Z";
    check_rows({
        {with("") + "status: 7\n", "web.yaml:6:9: status: found 7, allowed: a map"},
        {with("") + "status: [7]\n", "web.yaml:6:9: status: found a list, allowed: a map"},
        {with("  managedFields: 7\n"),
         "web.yaml:5:18: metadata.managedFields: found 7, allowed: a list"},
        {with("  creationTimestamp: nonsense\n"),
         "web.yaml:5:22: metadata.creationTimestamp: found \"nonsense\"" + time},
        {with("  creationTimestamp: 7\n"),
         "web.yaml:5:22: metadata.creationTimestamp: found 7" + time},
        {with("  deletionTimestamp: 2026-02-30T18:02:08Z\n"),
         "web.yaml:5:22: metadata.deletionTimestamp: found \"2026-02-30T18:02:08Z\"" + time},
        {list("{resourceVersion: 7}"), "web.yaml:3:29: metadata.resourceVersion: found the number "
                                       "7, allowed: a string: put it in quotes, \"7\""},
    });
    for (const char* lines :
         {"  creationTimestamp: null\n", "  creationTimestamp: 2026-11-27T18:02:08Z\n",
          "  deletionTimestamp: \"2024-02-29T23:59:59.123456+05:30\"\n",
          "  managedFields: [{manager: m}]\n"})
      CHECK(told(with(lines) + "status: {phase: Running}\n", {.strict = true}).empty());
    CHECK(told(list("{resourceVersion: '', selfLink: ''}"), {.strict = true}).empty());
    // Where it comes later, too.
    auto later = told(pod("")
                      + "  volumes:\n  - name: v\n    ephemeral:\n"
                        "      volumeClaimTemplate:\n        metadata: {creationTimestamp: now, "
                        "managedFields: 7}\n        spec: {}\n");
    REQUIRE(later.size() == 3);
    CHECK(later[1].find("creationTimestamp: found \"now\"" + time) != std::string::npos);
    CHECK(later[2].find("managedFields: found 7, allowed: a list") != std::string::npos);
  }

  TEST_CASE("one wrong document refuses every file") {
    auto x = manifest::read({{"a.yaml", pod("")}, {"b.yaml", "kind: Pod\n"}});
    CHECK(x.resources.empty());
    REQUIRE(x.diagnostics.size() == 1);
    CHECK(x.diagnostics[0].file() == "b.yaml");
    CHECK(x.diagnostics[0].line() == 1);
    CHECK(x.diagnostics[0].column() == 1);
    CHECK(x.diagnostics[0].field() == "apiVersion");
    CHECK(x.diagnostics[0].found() == "nothing");
  }

  TEST_CASE("a name is taken once, in all files") {
    auto x = manifest::read({{"a.yaml", pod("")}, {"b.yaml", "---\n" + pod("")}});
    REQUIRE(x.diagnostics.size() == 1);
    CHECK(x.diagnostics[0].text()
          == "b.yaml:4:18: metadata.name: found Pod default/web again, first in a.yaml:1, allowed: "
             "each resource "
             "once");
  }

  TEST_CASE("lists hold documents, and lists") {
    std::string inner = "{apiVersion: v1, kind: Pod, metadata: {name: NAME}, spec: {containers: "
                        "[{name: c, command: "
                        "[c]}]}}";
    auto named = [&](const std::string& name) {
      return std::string(inner).replace(inner.find("NAME"), 4, name);
    };
    auto text = "apiVersion: v1\nkind: List\nitems:\n- " + named("a")
                + "\n- {apiVersion: v1, kind: List, items: [" + named("b") + ", " + named("c")
                + "]}\n";
    auto x = manifest::read({{"web.yaml", text}});
    REQUIRE(x.diagnostics.empty());
    REQUIRE(x.resources.size() == 3);
    CHECK(x.resources[2].metadata().name() == "c");
    CHECK(told("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Job}\n")
          == std::vector<std::string>{
              "web.yaml:4:26: items[0].kind: found \"Job\", allowed: v1 Pod, apps/v1 "
              "Deployment or v1 List"});
    CHECK(told("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: List, items: ["
               + named("A") + "]}\n")[0]
              .find("items[0].items[0].metadata.name: found \"A\"")
          != std::string::npos);
  }

  TEST_CASE("JSON is YAML, and the author's document is kept as JSON") {
    std::string json = "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\"},"
                       "\"spec\":{\"containers\":[{"
                       "\"name\":\"a\",\"command\":[\"a\",\"\\u00e9\\n\"],\"tty\":true,"
                       "\"resources\":{\"limits\":{\"cpu\":1.5}}}]}}";
    auto x = manifest::read({{"web.json", json}});
    REQUIRE(x.resources.size() == 1);
    CHECK(x.resources[0].document()
          == "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\"},\"spec\":{"
             "\"containers\":[{\"name\":"
             "\"a\",\"command\":[\"a\",\"é\\n\"],\"tty\":true,\"resources\":{\"limits\":{\"cpu\":1."
             "5}}}]}}");
    auto y = manifest::read(
        {{"web.yaml",
          pod("    env: null\n    stdin: false\n    ports: [{containerPort: 0x50}]\n")}});
    REQUIRE(y.resources.size() == 1);
    CHECK(y.resources[0].document()
          == "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\"},\"spec\":{"
             "\"containers\":[{\"name\":"
             "\"a\",\"command\":[\"a\"],\"stdin\":false,\"ports\":[{\"containerPort\":80}]}]}}");
  }

  TEST_CASE("diagnostics are bounded") {
    std::string text;
    for (int i = 0; i < 2000; ++i)
      text += "---\na: b\n";
    auto all = told(text);
    REQUIRE(all.size() == 1001);
    CHECK(all.back() == "web.yaml: more errors than the 1000 told");
  }
}

} // namespace legion::manifest_test
