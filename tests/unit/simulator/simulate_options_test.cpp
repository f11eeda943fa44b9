#include "runtime/simulator/simulate_options.hpp"

#include <doctest/doctest.h>

namespace legion::simulate_options_test {

using namespace legion::simulator;

TEST_SUITE("simulator/simulate_options") {

  TEST_CASE("flags are read in each of their spellings") {
    auto x = read_simulate_options({"-fa.yaml", "--filename=b.yaml", "-f", "-", "--nodes=7",
                                    "--seed", "9", "-ojson", "--patience", "30s"});
    REQUIRE(x);
    CHECK(x->files == std::vector<std::string>{"a.yaml", "b.yaml", "-"});
    CHECK(x->nodes == 7);
    CHECK(x->seed == 9);
    CHECK(x->json);
    CHECK(x->patience == std::chrono::seconds{30});
  }

  TEST_CASE("patience is a time as everywhere else") {
    using namespace std::chrono_literals;
    struct row {
      const char* text;
      std::chrono::seconds is;
    };
    for (const auto& [text, is] :
         {row{"90", 90s}, row{"2m", 2min}, row{"1h", 1h}, row{"1h30m", 90min}, row{"24h", 24h}}) {
      CAPTURE(text);
      auto x = read_simulate_options({"-f", "a", "--patience", text});
      REQUIRE(x);
      CHECK(x->patience == is);
    }
    for (auto* text : {"0s", "1500ms", "25h", "2x", "-5s", ""}) {
      CAPTURE(text);
      auto x = read_simulate_options({"-f", "a", "--patience", text});
      REQUIRE(!x);
      CHECK(x.why().detail
            == std::string{"--patience "} + text
                   + ": allowed is 1s to 24h in whole seconds, as 90s, 2m or 1h30m");
    }
  }

  TEST_CASE("what is wrong is named, with what is allowed") {
    struct row {
      std::vector<std::string> arguments;
      const char* says;
    };
    for (const auto& [arguments, says] : {
             row{{}, "which manifest? Give one with -f FILE"},
             row{{"web.yaml"}, "'web.yaml' is no flag: the manifest is given with -f FILE"},
             row{{"-f", "a", "--bogus"}, "there is no flag '--bogus'"},
             row{{"-f", "a", "--bogus=3"}, "there is no flag '--bogus'"},
             row{{"-f", "a", "-x"}, "there is no flag '-x'"},
             row{{"-f", "a", "--nodes"}, "--nodes wants a value"},
             row{{"-f", "a", "--nodes", "0"}, "--nodes 0: allowed is 1 to "},
             row{{"-f", "a", "-o", "wide"}, "-o wide: allowed is json"},
         }) {
      CAPTURE(says);
      auto x = read_simulate_options(arguments);
      REQUIRE(!x);
      CHECK(x.why().detail.find(says) == 0);
    }
  }
}

} // namespace legion::simulate_options_test
