#include <doctest/doctest.h>

#include "actors/workload/environment.hpp"

namespace legion::environment_test {

using namespace legion::workload;

namespace {

/// Two containers; the first has two ports, the second one without a name.
promise_record a_promise() {
  promise_record result;
  result.mutable_slot()->set_pod("web-abc-12345");
  result.mutable_slot()->set_uid("u1");
  auto& what = *result.mutable_what();
  what.set_kind("Deployment");
  what.mutable_metadata()->set_namespace_("shop");
  what.mutable_metadata()->set_name("web");
  auto& made = *what.mutable_deployment()->mutable_template_();
  auto* label = made.mutable_metadata()->add_labels();
  label->set_key("app");
  label->set_value("web");
  auto* first = made.mutable_spec()->add_containers();
  first->set_name("web");
  auto* port = first->add_ports();
  port->set_name("http-main");
  port->set_container_port(80);
  port = first->add_ports();
  port->set_container_port(443);
  auto* second = made.mutable_spec()->add_containers();
  second->set_name("side");
  second->add_ports()->set_container_port(9090);
  for (auto n : {20000, 20001, 20002})
    result.add_host_ports(n);
  return result;
}

container& the_container(promise_record& x, int i) {
  return *x.mutable_what()
              ->mutable_deployment()
              ->mutable_template_()
              ->mutable_spec()
              ->mutable_containers(i);
}

void declare(container& x, std::string name, std::string value, std::string field = {}) {
  auto* y = x.add_env();
  y->set_name(std::move(name));
  y->set_value(std::move(value));
  y->set_field_path(std::move(field));
}

const surroundings here{"n1", "127.0.0.1"};

} // namespace

TEST_SUITE("workload/environment") {

  // Kubernetes third_party/forked/golang/expansion/expand_test.go
  TEST_CASE("$(VAR) is replaced as Kubernetes does") {
    const variables known{
        {"VAR_A", "A"}, {"VAR_B", "B"}, {"VAR_C", "C"}, {"VAR_EMPTY", ""}, {"VAR_REF", "$(VAR_A)"}};
    const std::pair<const char*, const char*> table[] = {
        {"whole string", "whole string"},
        {"$(VAR_A)", "A"},
        {"___$(VAR_B)___", "___B___"},
        {"$(VAR_A)_$(VAR_B)", "A_B"},
        {"$(VAR_A)$(VAR_B)", "AB"},
        {"$$(VAR_B)_$(VAR_A)", "$(VAR_B)_A"},
        {"$$(VAR_A)_$$(VAR_B)", "$(VAR_A)_$(VAR_B)"},
        {"f000-$$VAR_A", "f000-$VAR_A"},
        {"foo\\$(VAR_C)bar", "foo\\Cbar"},
        {"$(VAR_DNE)", "$(VAR_DNE)"},
        {"$$$$$$(BIG_MONEY)", "$$$(BIG_MONEY)"},
        {"$$$$$$$(VAR_A)", "$$$A"},
        {"$VAR_A)", "$VAR_A)"},
        {"$(VAR_A", "$(VAR_A"},
        {"$(VAR_EMPTY)x", "x"},
        {"$(VAR_REF)", "$(VAR_A)"}, // one pass
        {"$", "$"},
        {"x$$", "x$"},
        {"$()", "$()"},
        {"$($(VAR_A))", "$($(VAR_A))"},
        {"", ""},
    };
    for (auto [text, expected] : table) {
      CAPTURE(text);
      CHECK(expanded(text, known) == expected);
    }
  }

  TEST_CASE("ports are told by name and by number, the container's own first") {
    auto x = a_promise();
    auto web = environment_of(x, 0, here);
    CHECK(web["PORT"] == "20000");
    CHECK(web["PORT_HTTP_MAIN"] == "20000");
    CHECK(web["PORT_80"] == "20000");
    CHECK(web["PORT_443"] == "20001");
    CHECK(web["PORT_9090"] == "20002"); // the sibling's
    auto side = environment_of(x, 1, here);
    CHECK(side["PORT"] == "20002");
    CHECK(side["PORT_80"] == "20000");
  }

  TEST_CASE("ports of one number are told by their protocols, and a port's name goes first") {
    auto x = a_promise();
    auto add = [&](int number, const char* protocol, const char* name, int host) {
      auto* port = the_container(x, 1).add_ports();
      port->set_container_port(number);
      port->set_protocol(protocol);
      port->set_name(name);
      x.add_host_ports(host);
    };
    add(53, "TCP", "", 20003);
    add(53, "UDP", "", 20004);
    add(54, "UDP", "", 20005);
    add(55, "TCP", "54-udp", 20006);
    for (int container : {0, 1}) {
      auto all = environment_of(x, container, here);
      CHECK(all["PORT_53"] == "20003");
      CHECK(all["PORT_53_TCP"] == "20003");
      CHECK(all["PORT_53_UDP"] == "20004");
      CHECK(all["PORT_9090_TCP"] == "20002");
      CHECK(all["PORT_54"] == "20005");
      CHECK(all["PORT_54_UDP"] == "20006");
    }
  }

  TEST_CASE("declared variables win, and may use those before them") {
    auto x = a_promise();
    auto& web = the_container(x, 0);
    declare(web, "ADDRESS", "127.0.0.1:$(PORT)");
    declare(web, "URL", "http://$(ADDRESS)/$(LATER)");
    declare(web, "LATER", "x");
    declare(web, "PATH", "/opt");
    auto all = environment_of(x, 0, here);
    CHECK(all["URL"] == "http://127.0.0.1:20000/$(LATER)");
    CHECK(all["PATH"] == "/opt");
    CHECK(environment_of(x, 1, here)["PATH"].find("/usr/bin") != std::string::npos);
  }

  TEST_CASE("a name that is there twice: what comes between uses the first, the last one counts") {
    auto x = a_promise();
    auto& web = the_container(x, 0);
    declare(web, "P", "/a");
    declare(web, "B", "$(P)/bin");
    declare(web, "P", "$(P):/b");
    auto all = environment_of(x, 0, here);
    CHECK(all["B"] == "/a/bin");
    CHECK(all["P"] == "/a:/b");
  }

  TEST_CASE("fields of the pod and its node") {
    auto x = a_promise();
    const std::pair<const char*, const char*> table[] = {
        {"metadata.name", "web-abc-12345"},
        {"metadata.namespace", "shop"},
        {"metadata.uid", "u1"},
        {"spec.nodeName", "n1"},
        {"status.hostIP", "127.0.0.1"},
        {"status.podIP", "127.0.0.1"},
        {"metadata.labels['app']", "web"},
        {"metadata.labels['tier']", ""},
        {"metadata.labels['", ""},
        {"metadata.annotations['app']", ""},
        {"spec.serviceAccountName", ""},
    };
    for (auto [path, expected] : table) {
      CAPTURE(path);
      CHECK(field_value(x, path, here) == expected);
    }
    declare(the_container(x, 0), "ME", "", "metadata.name");
    declare(the_container(x, 0), "GREETING", "I am $(ME)");
    CHECK(environment_of(x, 0, here)["GREETING"] == "I am web-abc-12345");
  }

  TEST_CASE("a launch has everything that the supervisor needs") {
    auto x = a_promise();
    auto& web = the_container(x, 0);
    web.add_command("server");
    web.add_args("--port=$(PORT)");
    web.add_args("--price=$$5");
    web.mutable_limits()->set_memory_bytes(1024);
    web.mutable_requests()->set_cpu_millis(250);
    web.set_run_as_user(33);
    web.set_working_dir("/srv");
    auto what = launch_of(x, 0, 3, here);
    CHECK(what.workload() == "u1");
    CHECK(what.container() == "web");
    CHECK(what.life() == 3);
    REQUIRE(what.argv_size() == 3);
    CHECK(what.argv(1) == "--port=20000");
    CHECK(what.argv(2) == "--price=$5");
    CHECK(what.memory_bytes() == 1024);
    CHECK(what.cpu_weight_millis() == 250);
    CHECK(what.cpu_millis() == 0);
    CHECK(what.pids() > 0);
    CHECK(what.user() == 33);
    CHECK(!what.has_group());
    CHECK(what.working_dir() == "/srv");
  }

  TEST_CASE("a probe means the host port of a declared port, else the number itself") {
    auto x = a_promise();
    int_or_string port;
    port.set_text("http-main");
    CHECK(probed_port(x, 0, port) == 20000);
    CHECK(probed_port(x, 1, port) == 0); // another container's name
    port.set_number(443);
    CHECK(probed_port(x, 0, port) == 20001);
    port.set_number(9090);
    CHECK(probed_port(x, 1, port) == 20002);
    port.set_number(8080);
    CHECK(probed_port(x, 0, port) == 8080);
  }

  TEST_CASE("bound ports pair container ports with host ports, in order") {
    auto ports = ports_of(a_promise());
    REQUIRE(ports.size() == 3);
    CHECK(ports[1].container_port() == 443);
    CHECK(ports[1].host_port() == 20001);
    CHECK(ports[2].protocol() == "TCP");
  }
}

} // namespace legion::environment_test
