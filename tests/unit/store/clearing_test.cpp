#include <doctest/doctest.h>

#include <sqlite3.h>

#include "runtime/store/sqlite/journal_file.hpp"
#include "tests/unit/store/real_files.hpp"

namespace legion::clearing_test {

using namespace legion::real_files;
using store::sqlite::journal_file;

namespace {

using waiting = std::deque<store::sqlite::waiting_batch>;

waiting one(record_batch x) {
  waiting result;
  result.push_back({1, std::move(x), false});
  return result;
}

record_batch about(int from, int upto, const std::string& value) {
  record_batch result;
  for (int i = from; i < upto; ++i) {
    auto* x = result.add_records();
    x->set_key("key" + std::to_string(i));
    x->set_value(value);
  }
  return result;
}

/// Rows of a journal that nobody has open.
int rows(const std::string& folder) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((folder + "/journal.db").c_str(), &db) == SQLITE_OK);
  int result = -1;
  auto take = [](void* to, int, char** columns, char**) {
    *static_cast<int*>(to) = std::atoi(columns[0]);
    return 0;
  };
  CHECK(sqlite3_exec(db, "SELECT count(*) FROM batches", take, &result, nullptr) == SQLITE_OK);
  sqlite3_close(db);
  return result;
}

/// Opens it, commits these, and closes it.
void commit(const std::string& folder, const std::vector<waiting>& all) {
  auto file = journal_file::open(folder);
  REQUIRE(file);
  REQUIRE((*file)->replay());
  for (const auto& x : all)
    REQUIRE((*file)->commit(x));
}

} // namespace

TEST_SUITE("store/clearing") {
  TEST_CASE("dead rows go a few at a time, faster than others come, and all in the end") {
    folder here;
    std::vector<waiting> all;
    for (int i = 0; i < 100; ++i)
      all.push_back(one(about(i, i + 1, "x")));
    all.push_back(one(about(0, 100, "")));
    commit(here.path, all);
    CHECK(rows(here.path) == 101);
    commit(here.path, {one(about(1000, 1001, "x"))});
    CHECK(rows(here.path) == 102 - 8);
    waiting many;
    for (int i = 0; i < 5; ++i)
      many.push_back({1, about(2000 + i, 2001 + i, "x"), false});
    commit(here.path, {many});
    CHECK(rows(here.path) == 102 - 8 + 5 - 20);
    commit(here.path, std::vector<waiting>(20, one(about(1000, 1001, "x"))));
    CHECK(rows(here.path) <= 8);
    CHECK(reopen(here.path).records.size() == 6);
  }

  TEST_CASE("the ends of keys stay until the last row that they end is gone") {
    folder here;
    std::vector<waiting> all;
    for (int i = 0; i < 100; ++i)
      all.push_back(one(about(i, i + 1, "x")));
    all.push_back(one(about(0, 100, "")));
    commit(here.path, all);
    for (int i = 0; i < 20; ++i) {
      CHECK(reopen(here.path).records.size() == (i > 0 ? 1u : 0u));
      commit(here.path, {one(about(1000, 1001, "x"))});
    }
    CHECK(rows(here.path) <= 2);
  }
}

} // namespace legion::clearing_test
