#include <doctest/doctest.h>

#include <string>

#include "messages/manifest/names.hpp"

namespace legion::names_test {

using namespace legion::manifest;

TEST_SUITE("manifest/names") {

  TEST_CASE("labels of RFC 1123 have 63 characters, subdomains 253") {
    CHECK(dns_label("web-1"));
    CHECK(dns_label("1"));
    CHECK(dns_label(std::string(63, 'a')));
    CHECK_FALSE(dns_label(std::string(64, 'a')));
    for (const char* x : {"", "Web", "-web", "web-", "web.1", "w_b", "w b", "wéb"}) {
      CAPTURE(x);
      CHECK_FALSE(dns_label(x));
    }
    CHECK(dns_subdomain("web.example.org"));
    CHECK(dns_subdomain(std::string(253, 'a')));
    CHECK_FALSE(dns_subdomain(std::string(254, 'a')));
    for (const char* x : {"", ".", "a..b", "a.", ".a", "a.-b", "a-.b", "A.b"}) {
      CAPTURE(x);
      CHECK_FALSE(dns_subdomain(x));
    }
  }

  TEST_CASE("keys of labels may have a domain; values may be empty") {
    for (const char* x : {"app", "app.kubernetes.io/name", "A_b.c", "a/B"}) {
      CAPTURE(x);
      CHECK(qualified_name(x));
    }
    for (const char* x : {"", "/a", "a/", "a/b/c", "_a", "A.io/", "-a", "a b"}) {
      CAPTURE(x);
      CHECK_FALSE(qualified_name(x));
    }
    CHECK(label_value(""));
    CHECK(label_value("v1.2_x-Y"));
    CHECK(label_value(std::string(63, 'x')));
    CHECK_FALSE(label_value(std::string(64, 'x')));
    CHECK_FALSE(label_value("a/b"));
    CHECK_FALSE(label_value(".a"));
  }

  TEST_CASE("port names follow RFC 6335") {
    CHECK(port_name("http"));
    CHECK(port_name("h2-metrics-9090"));
    for (const char* x : {"", "8080", "HTTP", "a--b", "-a", "a-", "a234567890123456"}) {
      CAPTURE(x);
      CHECK_FALSE(port_name(x));
    }
  }

  TEST_CASE("variables have any name of printable ASCII without =") {
    CHECK(variable_name("PATH"));
    CHECK(variable_name("a.b-c d"));
    CHECK_FALSE(variable_name(""));
    CHECK_FALSE(variable_name("a=b"));
    CHECK_FALSE(variable_name("é"));
    CHECK_FALSE(variable_name("a\n"));
  }
}

} // namespace legion::names_test
