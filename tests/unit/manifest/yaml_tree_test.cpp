#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "messages/manifest/scalar.hpp"
#include "messages/manifest/yaml_tree.hpp"

namespace legion::yaml_tree_test {

using namespace legion::manifest;

namespace {

/// "line:column found" of the first thing wrong; empty: nothing.
std::string first_error(const std::string& text) {
  auto x = read_tree(text);
  if (x.errors.empty())
    return "";
  const auto& e = x.errors[0];
  return std::to_string(e.at.line) + ':' + std::to_string(e.at.column) + ' '
         + (e.field.empty() ? "" : e.field + ": ") + e.found;
}

std::string repeated(const char* part, int n) {
  std::string x;
  for (int i = 0; i < n; ++i)
    x += part;
  return x;
}

} // namespace

TEST_SUITE("manifest/yaml_tree") {

  TEST_CASE("what is wrong with the text is told at its line and column") {
    struct row {
      std::string text, wrong;
    };
    for (const auto& r : {
             row{"a: 1\nb: 2\na: 3\n", "3:1 a: the key \"a\" again, first in line 1"},
             {"x:\n- {b: 1, b: 2}\n", "2:10 x[0].b: the key \"b\" again, first in line 2"},
             {"\"a\": 1\na: 2", "2:1 a: the key \"a\" again, first in line 1"},
             {"k: \xC3\xA9\xFF", "1:5 the byte 0xFF, which is not UTF-8"},
             {"a: b\nk: \xC0\x80", "2:4 the byte 0xC0, which is not UTF-8"},
             {"k: \xED\xA0\x80", "1:4 the byte 0xED, which is not UTF-8"},
             {"k: \xF4\x90\x80\x80", "1:4 the byte 0xF4, which is not UTF-8"},
             {"k: \xE2\x82", "1:4 the byte 0xE2, which is not UTF-8"},
             {std::string("a\0b", 3), "1:2 the control character 0x00"},
             {"a: b\n\x04", "2:1 the control character 0x04"},
             {"a: \"\\0\"", "1:4 a: a zero character in a string"},
             {"é: {ü: [1, *x]}", "1:12 broken YAML (the referenced anchor is not defined)"},
             {"a: &a [*a]", "1:8 a[0]: an alias inside its own anchor"},
             {"a: !Ref b", "1:4 a: the tag !Ref"},
             {"a: !!int b", "1:4 a: \"b\" tagged !!int"},
             {"? [a]\n: b", "1:3 a list as a key"},
             {"~: b", "1:1 null as a key"},
             {"<<: 3\na: b", "1:5 <<: 3"},
             {"a: [", "1:5 broken YAML (end of sequence flow not found for the one opened in line "
                      "1, column 4)"},
             {"a:\n  b: {x: 1\n",
              "3:1 broken YAML (end of map flow not found for the one opened in line 2, column 6)"},
             {"a: 1\nb: \"c\nd: e\n", "2:4 a quote that is never closed"},
             {"b: !!str &x \"c\\\"\n", "1:4 a quote that is never closed"},
             {"b: 'it''s''\n", "1:4 a quote that is never closed"},
             {"b: 'it''s'''", ""},
             {"b: \"c\\\\\"", ""},
             {"b: \"\"", ""},
             {"b: \"\\é\"", "1:7 broken YAML (unknown escape character: ?)"},
             {"a: b: c", "1:5 broken YAML (illegal map value)"},
         }) {
      CAPTURE(r.text);
      CHECK(first_error(r.text) == r.wrong);
    }
  }

  TEST_CASE("63 levels are read, 64 are not, and 100,000 do no harm") {
    CHECK(first_error(repeated("[", 63) + repeated("]", 63)) == "");
    CHECK(first_error(repeated("[", 64) + repeated("]", 64)) == "1:64 nesting 64 levels deep");
    std::string block;
    for (int i = 0; i < 100; ++i)
      block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    CHECK(first_error(block) == "64:64 nesting 64 levels deep");
    for (const char* part : {"[", "{", "- ", "? ", "{? ", "[a: ", "{a: ", "- - ? "}) {
      CAPTURE(part);
      CHECK(first_error(repeated(part, 100000)).find("nesting 64 levels deep")
            != std::string::npos);
    }
  }

  TEST_CASE("an alias counts with the depth and the size of what it stands for") {
    auto half = repeated("[", 40) + repeated("]", 40);
    CHECK(first_error("a: &a " + half + "\nb: " + repeated("[", 22) + "*a" + repeated("]", 22))
          == "");
    CHECK(first_error("a: &a " + half + "\nb: " + repeated("[", 23) + "*a" + repeated("]", 23))
              .find("an alias that leads 64 levels deep or deeper")
          != std::string::npos);
    std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
    for (char c = 'b'; c < 'l'; ++c) {
      bomb += std::string(1, c) + ": &" + c + " [";
      for (int i = 0; i < 9; ++i)
        bomb += std::string(i ? ", *" : "*") + static_cast<char>(c - 1);
      bomb += "]\n";
    }
    CHECK(first_error(bomb).find("aliases that add more than 1 MiB") != std::string::npos);
    CHECK(first_error("a: &a \"" + std::string(600000, 'x') + "\"\nb: [*a, *a]")
          == "2:9 b[1]: aliases that add more than 1 MiB to this file");
  }

  TEST_CASE("a file has at most 1 MiB") {
    CHECK(first_error(std::string(1 << 20, '#')) == "");
    CHECK(first_error(std::string((1 << 20) + 1, '#')) == "1:1 1048577 bytes");
  }

  TEST_CASE(
      "columns count characters, lines count any line end, a byte order mark counts nothing") {
    auto x = read_tree("\xEF\xBB\xBFkéy: \"ü\"  # ü\r\nb: 2\r\n");
    REQUIRE(x.errors.empty());
    REQUIRE(x.documents.size() == 1);
    const auto& e = x.documents[0]->entries;
    CHECK(e[0].value->at.column == 6);
    CHECK(e[1].value->at.line == 2);
    CHECK(e[1].value->at.column == 4);
  }

  TEST_CASE("scalars mean what Kubernetes takes them for, but only true and false are booleans") {
    auto x = read_tree(
        "- 8080\n- -1\n- 0x1F\n- 0644\n- 1.5\n- 1e3\n- .inf\n- true\n- yes\n- True\n- ~\n- null\n"
        "- \"1\"\n- !!str 1\n- \"true\"\n- |\n  a\n  b\n- >-\n  a\n  b\n- a\n  b\n- 1.2.3\n- 0b11\n"
        "- 089\n- +\n- -\n- !!int \"7\"\n- ''\n-\n");
    REQUIRE(x.errors.empty());
    std::string kinds;
    for (const auto* i : x.documents[0]->items)
      kinds += "nbirslm"[static_cast<int>(i->kind)];
    CHECK(kinds == "iiiirrrbssnnsssssssirslisn");
    CHECK(x.documents[0]->items[15]->text == "a\nb\n");
    CHECK(x.documents[0]->items[16]->text == "a b");
    CHECK(x.documents[0]->items[17]->text == "a b");
    CHECK(to_integer("0x1F") == 31);
    CHECK(to_integer("0644") == 420);
    CHECK(to_integer("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
    CHECK_FALSE(to_integer("9223372036854775808"));
    CHECK_FALSE(to_integer("12a"));
  }

  TEST_CASE("escapes are characters, in UTF-8") {
    auto x = read_tree("a: \"\\N\\_é\\N\\L\\u00e9\\x41\\U0001F600\"");
    REQUIRE(x.errors.empty());
    CHECK(x.documents[0]->get("a")->text
          == "\xC2\x85\xC2\xA0\xC3\xA9\xC2\x85\xE2\x80\xA8\xC3\xA9\x41\xF0\x9F\x98\x80");
  }

  TEST_CASE("merge keys are merged, and a map's own keys win") {
    auto x = read_tree("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  <<: [*a, *b]\n  x: 5\n");
    REQUIRE(x.errors.empty());
    const auto& c = *x.documents[0]->get("c");
    CHECK(c.entries.size() == 3);
    CHECK(c.get("x")->text == "5");
    CHECK(c.get("y")->text == "2");
    CHECK(c.get("z")->text == "4");
    CHECK_FALSE(c.get("<<"));
  }

  // Go's time.RFC3339, which Kubernetes reads.
  TEST_CASE("a time is one of RFC 3339") {
    for (auto* text : {"2026-11-27T18:02:08Z", "2026-11-27T18:02:08.5Z",
                       "2024-02-29T00:00:00+23:59", "2026-11-27T18:02:08.123456789-00:30"})
      CHECK_MESSAGE(is_time(text), text);
    for (auto* text :
         {"", "now", "2026-11-27", "2026-11-27T18:02:08", "2026-11-27t18:02:08Z",
          "2026-11-27T18:02:08z", "2026-11-27 18:02:08Z", "2026-13-01T00:00:00Z",
          "2026-02-29T00:00:00Z", "2026-1-7T1:2:8Z", "2026-11-27T18:02:8.000Z",
          "2026-11-27T24:00:00Z", "2026-11-27T18:60:08Z", "2026-11-27T18:02:60Z",
          "2026-11-27T18:02:08.Z", "2026-11-27T18:02:08ZZ", "2026-11-27T18:02:08+24:00",
          "2026-11-27T18:02:08+05:60", "2026-11-27T18:02:08+0530"})
      CHECK_MESSAGE(!is_time(text), text);
  }
}

} // namespace legion::yaml_tree_test
