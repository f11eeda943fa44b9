#include <doctest/doctest.h>

#include "runtime/api/target.hpp"

namespace legion::target_test {

TEST_SUITE("api/target") {

  TEST_CASE("an endpoint is a host and a port, and nothing else") {
    struct row {
      const char* text;
      const char* host;
      int port;
    };
    for (auto x : {row{"127.0.0.1:7711", "127.0.0.1", 7711}, row{"[::1]:1", "::1", 1},
                   row{"localhost:65535", "localhost", 65535}}) {
      auto found = api::parse_endpoint(x.text);
      REQUIRE(found);
      CHECK(found->host == x.host);
      CHECK(found->port == x.port);
    }
    for (auto* x : {"", ":", "a", "a:", ":1", "a:65536", "a:-1", "a:1x", "::1:7711", "a: 1"})
      CHECK_FALSE(api::parse_endpoint(x));
  }

  TEST_CASE("what is neither a path nor HOST:PORT is refused before anybody is asked") {
    api::target_sources from;
    from.flag = "a:1,nonsense";
    auto found = api::find_targets(from);
    REQUIRE(!found);
    CHECK(found.why().detail.starts_with("--target: 'nonsense' is not HOST:PORT"));
    from.flag.clear();
    from.environment = "a:0x1";
    found = api::find_targets(from);
    REQUIRE(!found);
    CHECK(found.why().detail.starts_with("$LEGION_TARGET: 'a:0x1' is not HOST:PORT"));
    from.environment = "api.sock/";
    CHECK(api::find_targets(from));
  }

  TEST_CASE("the first source that says something decides") {
    api::target_sources from;
    from.flag = "a:1, b:2,";
    from.environment = "c:3";
    from.context_path = "context.yaml";
    from.context_text = "target: d:4,/run/e.sock\n";
    from.data_folder = "/var/lib/legion";
    auto found = api::find_targets(from);
    REQUIRE(found);
    CHECK(found->addresses == std::vector<std::string>{"a:1", "b:2"});
    from.flag.clear();
    found = api::find_targets(from);
    CHECK(found->addresses == std::vector<std::string>{"c:3"});
    CHECK(found->named_by == "$LEGION_TARGET");
    from.environment.clear();
    found = api::find_targets(from);
    CHECK(found->addresses == std::vector<std::string>{"d:4", "/run/e.sock"});
    from.context_text = "target: [f:5]\n";
    CHECK(api::find_targets(from)->addresses == std::vector<std::string>{"f:5"});
    from.context_text.clear();
    found = api::find_targets(from);
    CHECK(found->addresses
          == std::vector<std::string>{"/var/lib/legion/api.sock", "127.0.0.1:7711"});
  }

  TEST_CASE("a context file that makes no sense is an error, not ignored") {
    api::target_sources from;
    from.context_path = "context.yaml";
    for (auto* text : {"targets: a", "- a", "target: {a: b}", "target: [", "target: ''"}) {
      from.context_text = text;
      auto found = api::find_targets(from);
      REQUIRE_FALSE(found);
      CHECK(found.why().detail.rfind("context.yaml: expected `target: ", 0) == 0);
    }
  }

} // TEST_SUITE

} // namespace legion::target_test
