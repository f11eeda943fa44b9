#include <doctest/doctest.h>

#include "actors/gateway/selector.hpp"

namespace legion::selector_test {

using gateway::selector;

namespace {

selector::labels labels_of(std::vector<std::pair<std::string, std::string>> from) {
  selector::labels result;
  for (auto& [key, value] : from) {
    auto& x = *result.Add();
    x.set_key(key);
    x.set_value(value);
  }
  return result;
}

} // namespace

// Source: Kubernetes, apimachinery/pkg/labels/selector_test.go, the cases of its tables that apply.
TEST_SUITE("gateway/selector") {

  TEST_CASE("each form of a term") {
    auto labels = labels_of({{"app", "web"}, {"tier", "front"}, {"empty", ""}});
    struct row {
      const char* text;
      bool matches;
    };
    for (auto x : {row{"", true},
                   {"app=web", true},
                   {"app==web", true},
                   {" app = web , tier = front ", true},
                   {"app=web,tier=back", false},
                   {"app!=web", false},
                   {"app!=api", true},
                   {"absent!=x", true},
                   {"app", true},
                   {"absent", false},
                   {"!app", false},
                   {"!absent", true},
                   {"app in (web,api)", true},
                   {"app in (api)", false},
                   {"app notin (api,db)", true},
                   {"app notin (web)", false},
                   {"absent notin (web)", true},
                   {"absent in (web)", false},
                   {"empty=", true},
                   {"app=", false},
                   {"app in (web),tier notin (back),!absent", true}}) {
      CAPTURE(x.text);
      auto parsed = selector::parse(x.text);
      REQUIRE(parsed);
      CHECK(parsed->matches(labels) == x.matches);
    }
  }

  TEST_CASE("a mistake is shown with its place and what is allowed") {
    struct row {
      const char* text;
      const char* says;
    };
    for (auto x : {row{"=web", "column 1: found '=web', expected a label's key"},
                   {"app in web", "column 8: found 'web', expected one of = == != , in (A,B) "
                                  "notin (A,B)"},
                   {"app in (web", "column 12: found the end, expected one of"},
                   {"app web", "column 8: found the end, expected one of"},
                   {"app=web;x=y", "column 8: found ';x=y', expected a comma or the end"},
                   {"!", "column 2: found the end, expected a label's key"},
                   {"a,,b", "column 3: found ',b', expected a label's key"}}) {
      CAPTURE(x.text);
      auto parsed = selector::parse(x.text);
      REQUIRE_FALSE(parsed);
      CHECK(parsed.why().detail.find(x.says) != std::string::npos);
      CAPTURE(parsed.why().detail);
    }
    std::string long_one = "a";
    for (auto i = 0; i < 64; ++i)
      long_one += ",a";
    CHECK_FALSE(selector::parse(long_one));
    CHECK(selector::parse(long_one.substr(2)));
  }

} // TEST_SUITE

} // namespace legion::selector_test
