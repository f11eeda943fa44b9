#include <doctest/doctest.h>

#include "tests/unit/group/kept_group.hpp"

namespace legion::admitting_test {

using namespace legion::kept_group;

TEST_SUITE("group/admission") {

  TEST_CASE("created, unchanged, configured: the generation follows the specification") {
    auto web = deployment("web", 1);
    fixture f{web};
    CHECK(f.ask(request("1", web)).done().action() == "created");
    CHECK(f.ask(request("2", web)).done().action() == "unchanged");
    auto labelled = web;
    auto& label = *labelled.mutable_metadata()->add_labels();
    label.set_key("a");
    auto reply = f.ask(request("3", labelled));
    CHECK(reply.done().action() == "configured");
    CHECK(reply.done().generation() == 1);
    reply = f.ask(request("4", deployment("web", 2)));
    CHECK(reply.done().action() == "configured");
    CHECK(reply.done().generation() == 2);
    CHECK(f.rules.find(key_of(web))->what.metadata().resource_version() == 3);
  }

  TEST_CASE("paused: the template that runs stays, the new one waits in the document") {
    auto web = deployment("web", 1);
    auto image = [](resource x, const std::string& name) {
      x.mutable_deployment()->mutable_template_()->mutable_spec()->clear_containers();
      x.mutable_deployment()->mutable_template_()->mutable_spec()->add_containers()->set_image(
          name);
      x.set_document(name);
      return x;
    };
    auto paused = [](resource x) {
      x.mutable_deployment()->set_paused(true);
      return x;
    };
    fixture f{web};
    auto now = [&]() -> const resource& { return f.rules.find(key_of(web))->what; };
    auto runs = [&] { return now().deployment().template_().spec().containers(0).image(); };
    f.ask(request("1", paused(image(web, "a"))));
    CHECK(now().deployment().unstarted());
    f.ask(request("2", paused(image(web, "b")))); // nothing runs yet: the newest waits
    CHECK(now().deployment().unstarted());
    CHECK(runs() == "b");
    f.ask(request("3", image(web, "b")));
    CHECK_FALSE(now().deployment().unstarted());
    f.ask(request("4", paused(image(web, "c"))));
    CHECK(runs() == "b");
    CHECK(now().document() == "c");
    CHECK_FALSE(now().deployment().unstarted());
    CHECK(f.ask(request("5", paused(image(web, "c")))).done().action() == "unchanged");
    CHECK(f.ask(request("6", paused(image(web, "d")))).done().action() == "configured");
    CHECK(runs() == "b");
    f.ask(request("7", image(web, "d")));
    CHECK(runs() == "d");
  }

  TEST_CASE("a stale version is refused, and both versions are named") {
    auto web = deployment("web", 1);
    fixture f{web};
    f.ask(request("1", web));
    f.ask(request("2", deployment("web", 2)));
    auto reply = f.ask(request("3", deployment("web", 3), 1));
    CHECK(reply.refused().code() == refusal_conflict);
    CHECK(reply.refused().detail().find("version 1") != std::string::npos);
    CHECK(reply.refused().detail().find("version 2") != std::string::npos);
    CHECK(f.ask(request("4", deployment("web", 3), 2)).done().action() == "configured");
  }

  TEST_CASE("a uid that is not that of what is there is refused; of what is not there, none is") {
    auto web = deployment("web", 1);
    fixture f{web};
    auto another = web;
    another.mutable_metadata()->set_uid("of-before");
    CHECK(f.ask(request("1", another)).done().action() == "created");
    auto uid = f.rules.find(key_of(web))->what.metadata().uid();
    CHECK(uid != "of-before");
    auto reply = f.ask(request("2", another));
    CHECK(reply.refused().code() == refusal_conflict);
    CHECK(reply.refused().detail().find("has uid " + uid) != std::string::npos);
    CHECK(reply.refused().detail().find("expected uid of-before") != std::string::npos);
    another.mutable_metadata()->set_uid(uid);
    CHECK(f.ask(request("3", another)).done().action() == "unchanged");
  }

  TEST_CASE("a Pod that names the node which it was given is unchanged; another node is a change") {
    resource pod;
    pod.set_api_version("v1");
    pod.set_kind("Pod");
    pod.mutable_metadata()->set_name("p");
    pod.mutable_metadata()->set_namespace_("default");
    pod.mutable_pod()->add_containers()->set_name("c");
    pod.set_document("{}");
    fixture f{pod};
    f.ask(request("1", pod));
    auto one = f.named(pod, "a");
    f.accepted(pod, one);
    auto shown = pod;
    shown.mutable_pod()->set_node_name("n2");
    shown.set_document("{nodeName: n2}");
    CHECK(f.ask(request("2", shown)).done().action() == "unchanged");
    shown.mutable_pod()->set_node_name("n3");
    CHECK(f.ask(request("3", shown)).done().action() == "configured");
  }

  TEST_CASE("a dry run says what would become of it, and is no entry") {
    auto web = deployment("web", 1);
    fixture f{web};
    auto trial = request("1", web);
    trial.mutable_put()->set_dry_run(true);
    CHECK(f.ask(trial).done().action() == "created");
    CHECK(!f.rules.find(key_of(web)));
    CHECK(f.ask(request("1", web)).done().action() == "created");
    CHECK(f.ask(trial).done().action() == "created"); // that was the request: it is remembered
    trial.set_request_id("2");
    CHECK(f.ask(trial).done().action() == "unchanged");
    auto stale = request("3", deployment("web", 2), 77);
    stale.mutable_put()->set_dry_run(true);
    CHECK(f.ask(stale).refused().code() == refusal_conflict);
  }

  TEST_CASE("a retry is applied once, and answered as it was then") {
    auto web = deployment("web", 1);
    fixture f{web};
    f.ask(request("same", web));
    f.ask(request("other", deployment("web", 5)));
    CHECK(f.ask(request("same", web)).done().action() == "created");
    CHECK(f.rules.find(key_of(web))->what.deployment().replicas() == 5);
  }

  TEST_CASE("scale: a new count, nothing to do, a Pod, nobody") {
    auto web = deployment("web", 1);
    fixture f{web};
    CHECK(f.ask(scale(web, 4)).refused().code() == refusal_not_found);
    f.ask(request("1", web));
    CHECK(f.ask(scale(web, 4)).done().action() == "scaled");
    CHECK(f.ask(scale(web, 4)).done().action() == "unchanged");
    CHECK(f.ask(scale(web, -1)).refused().code() == refusal_invalid);
    CHECK(f.rules.find(key_of(web))->what.metadata().generation() == 2);
  }

  TEST_CASE("what would not fit into a snapshot is refused with the limit") {
    auto web = deployment("web", 1'000'000);
    fixture f{web};
    auto reply = f.ask(request("1", web));
    CHECK(reply.refused().code() == refusal_too_large);
    CHECK(reply.refused().detail().find("5120 KiB") != std::string::npos);
  }

  TEST_CASE("in a group that is nearly full what grows less than it must is let through") {
    auto web = deployment("web", 10'000);
    fixture f{web};
    REQUIRE(f.ask(request("1", web)).has_done());
    for (int i = 0; i < 5000; ++i)
      f.accepted(web, f.named(web, std::to_string(i)));
    REQUIRE(f.rules.bytes() > 1'000'000);
    CHECK(f.ask(scale(web, 9'999)).done().action() == "scaled");
    auto changed = deployment("web", 9'999, "b");
    CHECK(f.ask(request("2", changed)).done().action() == "configured");
    CHECK(f.ask(request("3", deployment("web", 30'000))).refused().code() == refusal_too_large);
    CHECK(f.ask(scale(web, 30'000)).refused().code() == refusal_too_large);
  }

  TEST_CASE("a name of another group is refused") {
    auto web = deployment("web", 1);
    fixture f{deployment("db", 1)};
    CHECK(f.ask(request("1", web)).refused().code() == refusal_invalid);
  }

} // TEST_SUITE

} // namespace legion::admitting_test
