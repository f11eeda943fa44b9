#include <doctest/doctest.h>

#include <random>

#include "runtime/store/sqlite/checksum.hpp"
#include "runtime/store/sqlite/live_rows.hpp"

namespace legion::live_rows_test {

using store::sqlite::live_rows;

namespace {
std::map<std::string, std::string> replayed(const std::map<std::int64_t, record_batch>& disk) {
  std::map<std::string, std::string> result;
  for (auto& [id, batch] : disk)
    for (auto& x : batch.records())
      result[x.key()] = x.value();
  std::erase_if(result, [](auto& x) { return x.second.empty(); });
  return result;
}
} // namespace

TEST_SUITE("store/live_rows") {

  TEST_CASE("the checksum is CRC32C: the check value of its definition") {
    CHECK(store::sqlite::crc32c("123456789") == 0xe3069283u);
    CHECK(store::sqlite::crc32c("6789", store::sqlite::crc32c("12345")) == 0xe3069283u);
  }

  TEST_CASE("whatever is cleared away, a replay gives the same, and the disk stays small") {
    for (unsigned seed = 1; seed <= 50; ++seed) {
      std::mt19937_64 random{seed};
      std::map<std::int64_t, record_batch> disk;
      std::map<std::string, std::string> wanted;
      live_rows rules;
      for (std::int64_t id = 1; id <= 400; ++id) {
        record_batch batch;
        for (auto n = random() % 6; n-- > 0;) {
          auto* x = batch.add_records();
          x->set_key("k" + std::to_string(random() % 12));
          x->set_value(random() % 3 ? std::to_string(id) : "");
          wanted[x->key()] = x->value();
        }
        disk[id] = batch;
        rules.add(id, batch);
        if (random() % 4 == 0) { // as a restart does
          rules = {};
          for (auto& [row, content] : disk)
            rules.add(row, content);
        }
        auto dead = rules.take_dead();
        auto sparse = rules.take_sparse();
        std::map<std::int64_t, record_batch> kept;
        for (auto row : sparse)
          kept[row] = rules.keep_live(row, disk.at(row));
        for (auto row : dead) {
          disk.erase(row);
          rules.deleted(row);
        }
        for (auto& [row, content] : kept) {
          disk[row] = content;
          rules.rewritten(row, content);
        }
        std::erase_if(wanted, [](auto& x) { return x.second.empty(); });
        REQUIRE_MESSAGE(replayed(disk) == wanted, "seed " << seed << " row " << id);
        REQUIRE(rules.rows() == disk.size());
      }
      CHECK(disk.size() <= 24);
    }
  }

  TEST_CASE("a row is written again for the bytes that this frees, not for the records") {
    live_rows rules;
    record_batch first;
    auto add = [](record_batch& to, std::string key, std::size_t bytes) {
      auto* x = to.add_records();
      x->set_key(std::move(key));
      x->set_value(std::string(bytes, 'x'));
    };
    add(first, "snapshot", 1000);
    for (int i = 0; i < 9; ++i)
      add(first, std::to_string(i), 10);
    rules.add(1, first);
    record_batch small;
    for (int i = 0; i < 9; ++i)
      add(small, std::to_string(i), 10);
    rules.add(2, small);
    CHECK(rules.take_sparse().empty());
    rules.add(3, small);
    CHECK(rules.take_dead() == std::vector<live_rows::row_id>{2});
    rules.deleted(2);

    live_rows others;
    others.add(1, first);
    record_batch large;
    add(large, "snapshot", 1000);
    others.add(2, large);
    CHECK(others.take_sparse() == std::vector<live_rows::row_id>{1});
    CHECK(others.keep_live(1, first).records_size() == 9);
    CHECK(others.take_dead().empty());
  }

  TEST_CASE("what comes twice in one batch kills no row") {
    live_rows rules;
    record_batch batch;
    for (int i = 0; i < 3; ++i)
      batch.add_records()->set_key("a");
    batch.mutable_records(0)->set_value("1");
    batch.mutable_records(2)->set_value("3");
    rules.add(1, batch);
    CHECK(rules.take_dead().empty());
    CHECK(rules.take_sparse().empty());
    CHECK(rules.keep_live(1, batch).records(0).value() == "3");
  }

} // TEST_SUITE

} // namespace legion::live_rows_test
