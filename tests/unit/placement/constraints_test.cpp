#include <doctest/doctest.h>

#include "actors/placement/constraints.hpp"

namespace legion::constraints_test {

using namespace legion::placement;

namespace {

label pair(std::string key, std::string value) {
  label result;
  result.set_key(std::move(key));
  result.set_value(std::move(value));
  return result;
}

taint tainted(std::string key, std::string value, std::string effect) {
  taint result;
  result.set_key(std::move(key));
  result.set_value(std::move(value));
  result.set_effect(std::move(effect));
  return result;
}

toleration tolerating(std::string key, std::string op, std::string value, std::string effect) {
  toleration result;
  result.set_key(std::move(key));
  result.set_operator_(std::move(op));
  result.set_value(std::move(value));
  result.set_effect(std::move(effect));
  return result;
}

selector_requirement requires_of(std::string key, std::string op, std::vector<std::string> values) {
  selector_requirement result;
  result.set_key(std::move(key));
  result.set_operator_(std::move(op));
  for (auto& x : values)
    result.add_values(std::move(x));
  return result;
}

self_description a_node() {
  return {"n1", {pair("cpu", "16"), pair("disk", "ssd")}, {}, false, false, {"process"}, true};
}

} // namespace

TEST_SUITE("placement/constraints") {

  TEST_CASE("tolerations match taints as Kubernetes says") {
    struct row {
      toleration by;
      taint of;
      bool expected;
    };
    const auto gpu = tainted("gpu", "yes", "NoSchedule");
    const row table[] = {
        {tolerating("gpu", "Equal", "yes", "NoSchedule"), gpu, true},
        {tolerating("gpu", "", "yes", "NoSchedule"), gpu, true}, // Equal unless said
        {tolerating("gpu", "", "no", "NoSchedule"), gpu, false},
        {tolerating("gpu", "Exists", "", ""), gpu, true}, // every effect
        {tolerating("gpu", "Exists", "", "NoExecute"), gpu, false},
        {tolerating("", "Exists", "", ""), gpu, true}, // everything
        {tolerating("", "Equal", "yes", ""), gpu, false},
        {tolerating("", "", "", ""), tainted("", "", "NoSchedule"), false},
        {tolerating("cpu", "Exists", "", ""), gpu, false},
    };
    for (const auto& x : table) {
      CAPTURE(x.by.ShortDebugString());
      CHECK(tolerates(x.by, x.of) == x.expected);
    }
  }

  TEST_CASE("NoExecute drives out what does not tolerate it") {
    pod_spec spec;
    taint soft;
    soft.set_key("a");
    soft.set_effect("NoSchedule");
    taint hard = soft;
    hard.set_key("b");
    hard.set_effect("NoExecute");
    CHECK(drives_out(spec, {soft}) == nullptr);
    std::vector<taint> both{soft, hard};
    REQUIRE(drives_out(spec, both) != nullptr);
    CHECK(drives_out(spec, both)->key() == "b");
    auto& by = *spec.add_tolerations();
    by.set_key("b");
    by.set_operator_("Exists");
    CHECK(drives_out(spec, both) == nullptr);
  }

  TEST_CASE("requirements match labels as Kubernetes says") {
    struct row {
      selector_requirement what;
      const char* here; // null: no such label
      bool expected;
    };
    const row table[] = {
        {requires_of("k", "In", {"a", "b"}), "b", true},
        {requires_of("k", "In", {"a", "b"}), "c", false},
        {requires_of("k", "In", {"a"}), nullptr, false},
        {requires_of("k", "NotIn", {"a"}), "b", true},
        {requires_of("k", "NotIn", {"a"}), "a", false},
        {requires_of("k", "NotIn", {"a"}), nullptr, true},
        {requires_of("k", "Exists", {}), "", true},
        {requires_of("k", "Exists", {}), nullptr, false},
        {requires_of("k", "DoesNotExist", {}), nullptr, true},
        {requires_of("k", "DoesNotExist", {}), "x", false},
        {requires_of("k", "Gt", {"8"}), "16", true},
        {requires_of("k", "Gt", {"16"}), "16", false},
        {requires_of("k", "Lt", {"17"}), "16", true},
        {requires_of("k", "Lt", {"16"}), "16", false},
        {requires_of("k", "Gt", {"8"}), "many", false},
        {requires_of("k", "Gt", {"x"}), "16", false},
        {requires_of("k", "Gt", {"8"}), nullptr, false},
        {requires_of("k", "Near", {"8"}), "8", false},
    };
    for (const auto& x : table) {
      CAPTURE(x.what.ShortDebugString());
      auto value = std::string{x.here ? x.here : ""};
      CHECK(matches(x.what, x.here ? &value : nullptr) == x.expected);
    }
  }

  TEST_CASE("a template without wishes fits a plain node") {
    CHECK(judge({}, a_node()).fits());
  }

  TEST_CASE("a node declines what it may not run, and says why") {
    auto node = a_node();
    pod_template what;
    auto& spec = *what.mutable_spec();

    SUBCASE("draining") {
      node.draining = true;
      CHECK(judge(what, node).reason == decline_draining);
    }
    SUBCASE("cordoned, unless that is tolerated") {
      node.cordoned = true;
      CHECK(judge(what, node).reason == decline_cordoned);
      *spec.add_tolerations() = tolerating("node.kubernetes.io/unschedulable", "Exists", "", "");
      CHECK(judge(what, node).fits());
    }
    SUBCASE("nodeName of another") {
      spec.set_node_name("n2");
      CHECK(judge(what, node).detail == "nodeName: needs node n2, this is node n1");
      spec.set_node_name("n1");
      CHECK(judge(what, node).fits());
    }
    SUBCASE("nodeSelector") {
      *spec.add_node_selector() = pair("disk", "hdd");
      CHECK(judge(what, node).reason == decline_selector);
      CHECK(judge(what, node).detail == "nodeSelector: needs disk=hdd, has disk=ssd");
      *spec.mutable_node_selector(0) = pair("zone", "a");
      CHECK(judge(what, node).detail == "nodeSelector: needs zone=a, has no label zone");
      *spec.mutable_node_selector(0) = pair("disk", "ssd");
      CHECK(judge(what, node).fits());
    }
    SUBCASE("required terms: any of them, all of its requirements") {
      auto* term = spec.add_required_node_terms();
      CHECK(judge(what, node).reason == decline_affinity); // an empty term matches nothing
      *term->add_match_expressions() = requires_of("disk", "In", {"ssd"});
      *term->add_match_expressions() = requires_of("cpu", "Gt", {"32"});
      CHECK(judge(what, node).reason == decline_affinity);
      *spec.add_required_node_terms()->add_match_fields() =
          requires_of("metadata.name", "In", {"n1"});
      CHECK(judge(what, node).fits());
    }
    SUBCASE("a hard taint, and a soft one is only counted") {
      node.taints = {tainted("soft", "", "PreferNoSchedule")};
      CHECK(judge(what, node).fits());
      CHECK(judge(what, node).untolerated_soft_taints == 1);
      node.taints.push_back(tainted("gpu", "yes", "NoExecute"));
      CHECK(judge(what, node).detail == "taint: gpu=yes:NoExecute is not tolerated");
    }
    SUBCASE("a driver that is not here") {
      spec.set_runtime_class_name("oci");
      CHECK(judge(what, node).detail == "runtime: needs oci, has process");
    }
    SUBCASE("what needs root, without root") {
      node.root = false;
      auto* x = spec.add_containers();
      x->set_name("web");
      CHECK(judge(what, node).fits());
      x->add_ports()->set_host_port(80);
      CHECK(judge(what, node).reason == decline_runtime);
      x->mutable_ports(0)->set_host_port(8080);
      CHECK(judge(what, node).fits());
      x->set_run_as_user(33);
      CHECK(judge(what, node).detail
            == "runtime: container web sets runAsUser 33, the node runs as 0: that needs root");
      node.user = 33;
      node.group = 34;
      CHECK(judge(what, node).fits());
      x->set_run_as_group(35);
      CHECK(judge(what, node).detail
            == "runtime: container web sets runAsGroup 35, the node runs as 34: that needs root");
    }
  }

  TEST_CASE("preferred terms add their weights") {
    pod_template what;
    for (auto [weight, value] : {std::pair{10, "ssd"}, {7, "hdd"}, {5, "ssd"}}) {
      auto* x = what.mutable_spec()->add_preferred_node_terms();
      x->set_weight(weight);
      *x->mutable_preference()->add_match_expressions() = requires_of("disk", "In", {value});
    }
    CHECK(judge(what, a_node()).preference == 15);
  }

} // TEST_SUITE

} // namespace legion::constraints_test
