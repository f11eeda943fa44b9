#include <doctest/doctest.h>

#include <limits>

#include "messages/manifest/quantity.hpp"

namespace legion::quantity_test {

using namespace legion::manifest;

TEST_SUITE("manifest/quantity") {

  constexpr auto top = std::numeric_limits<std::int64_t>::max();

  TEST_CASE(
      "quantities are read as apimachinery's resource.Quantity defines them, and rounded up") {
    struct row {
      const char* text;
      unit in;
      std::int64_t value;
    };
    for (const auto& r : {
             row{"0", unit::ones, 0},
             {"1", unit::thousandths, 1000},
             {"250m", unit::thousandths, 250},
             {"1.5", unit::thousandths, 1500},
             {"0.1", unit::thousandths, 100},
             {".5", unit::thousandths, 500},
             {"5.", unit::thousandths, 5000},
             {"+2", unit::thousandths, 2000},
             {"1u", unit::thousandths, 1},
             {"1n", unit::thousandths, 1},
             {"1001u", unit::thousandths, 2},
             {"1000u", unit::thousandths, 1},
             {"1.5Gi", unit::ones, 1610612736},
             {"64Mi", unit::ones, 67108864},
             {"1Ki", unit::ones, 1024},
             {"100M", unit::ones, 100000000},
             {"1k", unit::ones, 1000},
             {"1e3", unit::ones, 1000},
             {"1E3", unit::ones, 1000},
             {"1.2e-1", unit::thousandths, 120},
             {"12e+2", unit::ones, 1200},
             {"1E", unit::ones, 1000000000000000000},
             {"1Ei", unit::ones, 1152921504606846976},
             {"7Ei", unit::ones, 8070450532247928832},
             {"8Ei", unit::ones, top},
             {"9223372036854775807", unit::ones, top},
             {"9223372036854775808", unit::ones, top},
             {"99999999999999999999999999999999999999999999", unit::ones, top},
             {"1e999999999", unit::ones, top},
             {"1e-999999999", unit::ones, 1},
             {"0e999999999", unit::ones, 0},
             {"128974848000m", unit::ones, 128974848},
             {"1m", unit::ones, 1},
             {"0.00000000000000000000000000001", unit::ones, 1},
             {"-1", unit::ones, -1},
             {"-0", unit::ones, 0},
             {"000000000000000000000000000000000000001", unit::ones, 1},
         }) {
      CAPTURE(r.text);
      auto found = parse_quantity(r.text, r.in);
      REQUIRE(found);
      CHECK(*found == r.value);
    }
  }

  TEST_CASE("what is no quantity is refused") {
    for (const char* text :
         {"",    "Mi", "1mi", "1 Mi", "1K",   "1KiB", "1.5.2", "e3", "1e",       "1e+", "1e3Mi",
          "--1", "-",  "+",   ".",    "0x10", "1,5",  "1M ",   " 1", "Infinity", "1g"}) {
      CAPTURE(text);
      CHECK_FALSE(parse_quantity(text, unit::ones));
    }
  }

  TEST_CASE("percentages") {
    CHECK(parse_percent("25%") == 25);
    CHECK(parse_percent("0%") == 0);
    CHECK(parse_percent("150%") == 150);
    for (const char* text : {"", "%", "25", "-5%", "2.5%", "25 %", "%25", "99999999999%"}) {
      CAPTURE(text);
      CHECK_FALSE(parse_percent(text));
    }
  }
}

} // namespace legion::quantity_test
