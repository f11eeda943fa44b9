#include <doctest/doctest.h>

#include <map>
#include <string>

#include "messages/random.hpp"
#include "messages/shared_record.hpp"

namespace legion::shared_record_test {

TEST_SUITE("messages/shared_record") {

  TEST_CASE("key and value are as they were, whatever bytes they are of") {
    CHECK(shared_record{}.key().empty());
    CHECK(shared_record{}.value().empty());
    std::string key(300, 'k');
    std::string value("\0v\0", 3);
    shared_record x{key, value};
    CHECK(x.key() == key);
    CHECK(x.value() == value);
    CHECK(shared_record{"", "v"}.value() == "v");
    CHECK(shared_record{"k", ""}.key() == "k");
  }

  TEST_CASE("equal records are one, others are not, and what nobody holds is gone") {
    record_shelf shelf;
    auto a = shelf.keep("k", "v");
    auto b = shelf.keep("k", "v");
    auto c = shelf.keep("kv", ""); // the same bytes, divided elsewhere
    CHECK(a.key().data() == b.key().data());
    CHECK(a.key().data() != c.key().data());
    CHECK(shelf.size() == 2);
    a = {};
    CHECK(shelf.size() == 2);
    b = {};
    CHECK(shelf.size() == 1);
  }

  TEST_CASE("a record may outlive its shelf") {
    shared_record kept;
    {
      record_shelf shelf;
      kept = shelf.keep("k", "v");
    }
    CHECK(kept.value() == "v");
  }

  TEST_CASE("a table holds what a map holds, whatever is done to both") {
    seeded_random random{3};
    auto shelf = std::make_shared<record_shelf>();
    record_table mine{shelf}, alone;
    std::map<std::string, std::string> other;
    for (int i = 0; i < 5000; ++i) {
      auto key = "key/" + std::to_string(random() % 40);
      auto value = random() % 3 == 0 ? std::string{} : std::to_string(random() % 1000);
      mine.put(key, value);
      alone.put(key, value);
      if (value.empty())
        other.erase(key);
      else
        other[key] = value;
      REQUIRE(mine.size() == other.size());
      REQUIRE(alone.size() == other.size());
      REQUIRE(mine.contains(key) == other.contains(key));
      REQUIRE(mine.at(key) == (other.contains(key) ? other[key] : ""));
      auto same = [](const shared_record& x, const auto& y) {
        return x.key() == y.first && x.value() == y.second;
      };
      REQUIRE(std::equal(mine.begin(), mine.end(), other.begin(), other.end(), same));
    }
    CHECK(shelf->size() == mine.size());
    mine.clear();
    CHECK(mine.size() == 0);
    CHECK(shelf->size() == 0);
    CHECK(alone.size() == other.size());
  }
}

} // namespace legion::shared_record_test
