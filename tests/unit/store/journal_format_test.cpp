#include <doctest/doctest.h>

#include <filesystem>

#include <sqlite3.h>

#include "runtime/store/sqlite/journal_format.hpp"
#include "store/old_journals.hpp" // made by meson
#include "tests/unit/store/real_files.hpp"

namespace legion::journal_format_test {

using namespace legion::real_files;

namespace {

void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((path + "/journal.db").c_str(), &db) == SQLITE_OK);
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  CHECK(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

/// As legion-node 0.1.0 left it at kill -9, before journals had an id: all is in the log still.
void copy_format_1(const std::string& to) {
  auto from = fs::path{OLD_JOURNALS} / "format-1";
  for (auto* name : {"journal.db", "journal.db-wal"})
    fs::copy_file(from / name, fs::path{to} / name);
}

} // namespace

TEST_SUITE("store/journal_format") {

  TEST_CASE("a journal's id is made with it, stays, and differs from every other's") {
    folder one, other;
    auto id = reopen(one.path).id;
    CHECK(id.size() == 16);
    CHECK(reopen(one.path).id == id);
    CHECK(reopen(other.path).id != id);
  }

  TEST_CASE("a journal of format 1 is brought to the present one, with all that is in it") {
    folder here;
    copy_format_1(here.path);
    std::string id;
    {
      auto opened = reopen(here.path);
      id = opened.id;
      CHECK(id.size() == 16);
      REQUIRE(opened.records.size() == 3);
      CHECK(opened.records[0].key() == "group/5/entry/00000000000000000002");
      CHECK(opened.records[0].value() == "entry two");
      CHECK(opened.records[1].key() == "promise/u1");
      start_record start;
      REQUIRE(start.ParseFromString(opened.records[2].value()));
      CHECK(start.start() == 8);
      outcomes told;
      auto journal = opened.start(told);
      journal->append(1, batch({{"new", "1"}}));
      CHECK(told.of(1) == errc::none);
    }
    auto again = reopen(here.path);
    CHECK(again.id == id);
    CHECK(again.records.size() == 4);
  }

  TEST_CASE("a journal of a newer format is refused with both numbers and the cure, untouched") {
    folder here;
    reopen(here.path);
    run_sql(here.path, "PRAGMA user_version=7");
    auto size = fs::file_size(here.path + "/journal.db-wal");
    auto opened = store::sqlite::open(here.path);
    REQUIRE_FALSE(opened);
    CHECK(opened.why().code == errc::unsupported);
    CHECK(opened.why().detail.find("format 7") != std::string::npos);
    CHECK(opened.why().detail.find("up to 2") != std::string::npos);
    CHECK(opened.why().detail.find("Start that version again") != std::string::npos);
    CHECK(fs::file_size(here.path + "/journal.db-wal") == size);
    CHECK(store::sqlite::journal_format == 2); // then this test, and a migration, must change
  }

  TEST_CASE("an id whose bytes changed is damage: it must not make another member") {
    folder here;
    reopen(here.path);
    run_sql(here.path, "UPDATE identity SET id = x'00112233445566778899aabbccddeeff'");
    auto opened = store::sqlite::open(here.path);
    REQUIRE_FALSE(opened);
    CHECK(opened.why().code == errc::damaged);
    CHECK(opened.why().detail.find("id does not check") != std::string::npos);
  }

  TEST_CASE("a database of something else is damage, and nothing is made in it") {
    folder here;
    run_sql(here.path, "CREATE TABLE songs(name TEXT)");
    auto opened = store::sqlite::open(here.path);
    REQUIRE_FALSE(opened);
    CHECK(opened.why().code == errc::damaged);
    CHECK(opened.why().detail.find("not a journal") != std::string::npos);
  }

} // TEST_SUITE

} // namespace legion::journal_format_test
