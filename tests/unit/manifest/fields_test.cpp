#include <doctest/doctest.h>

#include "messages/manifest/fields.hpp"

namespace legion::fields_test {

using namespace legion::manifest;

TEST_SUITE("manifest/fields") {

  TEST_CASE("inlined types are flattened") {
    REQUIRE(find_type("Probe"));
    CHECK(find_type("Probe")->find("httpGet"));
    CHECK(find_type("Pod")->find("apiVersion")->required);
    CHECK(find_type("Volume")->find("hostPath")->value == "HostPathVolumeSource");
    CHECK_FALSE(find_type("Probe")->find("(inline)"));
    CHECK_FALSE(find_type("string"));
  }

  TEST_CASE("what is honoured and what comes later") {
    CHECK(find_type("Container")->find("command")->honoured);
    CHECK_FALSE(find_type("Container")->find("livenessProbe")->honoured);
    CHECK_FALSE(find_type("DeploymentSpec")->find("selector")->required);
    CHECK(find_type("PodSpec")->find("containers")->required);
  }

  TEST_CASE("every value type of the table is known") {
    for (const char* type : {"Pod", "Deployment", "List"})
      REQUIRE(find_type(type));
    for (const char* type :
         {"Pod", "Deployment", "PodSpec", "Container", "ObjectMeta", "Volume", "PodStatus"})
      for (const auto& f : find_type(type)->fields) {
        auto value = f.value.starts_with("[]") ? f.value.substr(2) : f.value;
        CAPTURE(f.name);
        bool plain = value[0] >= 'a' && value[0] <= 'z';
        CHECK((plain || find_type(value) || value == "Time" || value == "ResourceList"));
      }
  }

  TEST_CASE("the nearest name takes the fewest edits") {
    struct row {
      const char *type, *typed, *nearest;
    };
    for (const auto& r : {row{"DeploymentSpec", "replcas", "replicas"},
                          {"DeploymentSpec", "Replicas", "replicas"},
                          {"Container", "comand", "command"},
                          {"PodSpec", "container", "containers"},
                          {"ObjectMeta", "lables", "labels"},
                          {"Pod", "sepc", "spec"},
                          {"Container", "readynessProbe", "readinessProbe"}}) {
      CAPTURE(r.typed);
      CHECK(find_type(r.type)->nearest(r.typed).name == r.nearest);
    }
    CHECK(edit_distance("abc", "abc") == 0);
    CHECK(edit_distance("abc", "acb") == 1);
    CHECK(edit_distance("abc", "abcd") == 1);
    CHECK(edit_distance("", "abc") == 3);
  }
}

} // namespace legion::fields_test
