#include <doctest/doctest.h>

#include <sstream>

#include "tests/unit/console/backup_sample.hpp"

namespace legion::backup_file_test {

using namespace legion::console;

namespace {

/// What came of reading all of it: the fault, or how much it holds.
struct outcome {
  std::optional<fault> why;
  std::vector<group_state> states;
  std::uint64_t resources = 0;
  std::string name;
};

outcome read_all(const std::string& bytes) {
  std::istringstream in{bytes};
  backup_reader reader{in};
  outcome result;
  auto head = reader.begin();
  if (!head) {
    result.why = head.why();
    return result;
  }
  for (;;) {
    auto x = reader.next();
    if (!x) {
      result.why = x.why();
      return result;
    }
    if (!*x)
      break;
    result.states.push_back(std::move(**x));
  }
  result.resources = reader.resources();
  result.name = reader.name();
  return result;
}

} // namespace

TEST_SUITE("console/backup_file") {

  TEST_CASE("what was written is read") {
    auto read = read_all(sample_backup());
    REQUIRE(!read.why);
    REQUIRE(read.states.size() == 2);
    CHECK(read.resources == 2); // what is deleted does not count
    CHECK(read.states[0].group() == 3);
    CHECK(read.states[0].resources_size() == 2);
    CHECK(read.states[1].index() == 49);
    CHECK(read.name.size() == 32);
    CHECK(read.name == read_all(sample_backup()).name);
    std::istringstream in{sample_backup()};
    backup_reader reader{in};
    auto head = reader.begin();
    REQUIRE(head);
    CHECK(head->zone() == "eu/fra");
  }

  TEST_CASE("no part of it is taken for the whole") {
    auto whole = sample_backup();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      auto read = read_all(whole.substr(0, size));
      REQUIRE_MESSAGE(read.why, "of ", size, " bytes");
      auto expected = size < 1 ? errc::invalid : errc::damaged;
      CHECK_MESSAGE(read.why->code == expected, "of ", size, " bytes: ", read.why->detail);
      CHECK(read.name.empty());
    }
    CHECK(read_all(whole.substr(0, 100)).why->detail
          == "it ends after 100 bytes, in the middle: it is not whole; use another copy of it");
  }

  TEST_CASE("no bit of it can change unseen") {
    auto whole = sample_backup();
    for (std::size_t i = 0; i < whole.size(); ++i)
      for (int bit = 0; bit < 8; ++bit) {
        auto changed = whole;
        changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
        CHECK_MESSAGE(read_all(changed).why, "byte ", i, " bit ", bit);
      }
  }

  TEST_CASE("records that are doubled, left out or exchanged are seen, each whole as it is") {
    backup_writer writer;
    auto head = writer.begin(sample_head());
    auto first = writer.add(sample_state(3));
    auto second = writer.add(sample_state(9));
    auto end = writer.end(canned_start);
    CHECK(!read_all(head + first + second + end).why);
    CHECK(read_all(head + second + first + end).why->detail
          == "as a whole it does not check; use another copy of it");
    CHECK(read_all(head + first + first + second + end).why->detail
          == "it holds keeper group 3 twice; use another copy of it");
    CHECK(read_all(head + first + end).why);
    CHECK(read_all(head + first + second + end + "x").why->detail
          == "something follows its end; use another copy of it");
    CHECK(read_all(head + end).why);
    CHECK(read_all(first + head + second + end).why->code == errc::invalid);
  }

  TEST_CASE("what it says of itself must be so") {
    backup_writer writer;
    auto text = writer.begin(sample_head(3));
    text += writer.add(sample_state(3));
    text += writer.end(canned_start);
    CHECK(read_all(text).why->detail
          == "it holds 1 keeper groups and 0 resources, and says that it has 1 and 0; use another "
             "copy of it");
    backup_writer other;
    text = other.begin(sample_head(1));
    text += other.add(sample_state(64));
    CHECK(read_all(text).why->detail
          == "it holds keeper group 64, which no zone has; use another copy of it");
    backup_writer third;
    CHECK(read_all(third.begin(sample_head(65))).why->code == errc::damaged);
  }

  TEST_CASE("other files, and newer ones, are told from damaged ones") {
    CHECK(read_all("").why->detail == "it is not a backup of Legion");
    CHECK(read_all("apiVersion: apps/v1\n").why->detail == "it is not a backup of Legion");
    auto text = sample_backup();
    auto newer = text;
    newer[8] = 2;
    CHECK(read_all(newer).why->code == errc::unsupported);
    CHECK(read_all(newer).why->detail
          == "it is of format 2, and this legionctl reads format 1: use the version that wrote it, "
             "or a newer one");
    auto converted = text;
    converted.erase(6, 1); // \r\n became \n
    CHECK(read_all(converted).why->detail == "it was changed on its way, as a text file would be");
  }

  TEST_CASE("a length that does not check costs nothing") {
    backup_writer writer;
    auto text = writer.begin(sample_head());
    CHECK(read_all(text + std::string("G\xff\xff\xff\xff")).why->code == errc::damaged);
    CHECK(read_all(text + std::string("G\x00\x00\x00\x01", 5)).why->code == errc::damaged);
  }
}

} // namespace legion::backup_file_test
