#include <doctest/doctest.h>

#include <fstream>

#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/store/sqlite/salvage.hpp"
#include "tests/unit/store/real_files.hpp"

namespace legion::salvage_test {

using namespace legion::real_files;

namespace {

/// So many batches of one record, then all of it in the database's own pages.
void fill(const std::string& path, int count) {
  {
    outcomes told;
    auto journal = reopen(path).start(told);
    for (int i = 1; i <= count; ++i) {
      std::string number = std::to_string(i);
      journal->append(i, batch({{std::string(3 - number.size(), '0') + number,
                                 "needle" + number + "." + std::string(2000, 'x')}}));
      CHECK(told.of(i) == errc::none);
    }
  }
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((path + "/journal.db").c_str(), &db) == SQLITE_OK);
  sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", nullptr, nullptr, nullptr);
  sqlite3_close(db);
}

/// Changes what lies behind `what` in the file.
void damage(const std::string& file, const std::string& what, std::size_t count) {
  auto at = bytes_of(file).find(what);
  REQUIRE(at != std::string::npos);
  std::fstream to{file, std::ios::in | std::ios::out | std::ios::binary};
  to.seekp(static_cast<std::streamoff>(at + what.size()));
  to << std::string(count, '\xee');
}

std::vector<record> all_of(store::sqlite::salvaged x) {
  return std::move(x.records);
}

std::string keys_of(const std::vector<record>& records) {
  std::string result;
  for (auto& x : records)
    result += x.key() + " ";
  return result;
}

} // namespace

TEST_SUITE("store/salvage") {

  TEST_CASE("a damaged row is lost, the others are carried over, and the journal is another") {
    folder here;
    fill(here.path, 5);
    auto id = reopen(here.path).id;
    damage(here.path + "/journal.db", "needle3.", 8);
    auto before = bytes_of(here.path + "/journal.db");
    REQUIRE_FALSE(store::sqlite::open(here.path));
    auto anew = store::sqlite::set_aside(here.path, all_of);
    REQUIRE(anew);
    CHECK(keys_of(anew->records) == "001 002 004 005 ");
    CHECK(anew->id != id);
    CHECK(bytes_of(here.path + "/journal.damaged-1/journal.db") == before); // unchanged
    auto next = anew->id;
    anew->start = {};
    auto again = reopen(here.path);
    CHECK(again.id == next);
    CHECK(keys_of(again.records) == "001 002 004 005 ");
  }

  TEST_CASE("a damaged page in the middle hides only itself") {
    folder here;
    fill(here.path, 60);
    auto file = here.path + "/journal.db";
    auto at = bytes_of(file).find("needle30.") / 4096 * 4096;
    std::fstream{file, std::ios::in | std::ios::out | std::ios::binary}.seekp(
        static_cast<std::streamoff>(at))
        << std::string(4096, '\xee');
    REQUIRE_FALSE(store::sqlite::open(here.path));
    auto anew = store::sqlite::set_aside(here.path, all_of);
    REQUIRE(anew);
    auto keys = keys_of(anew->records);
    CHECK(keys.find("001 ") != std::string::npos);
    CHECK(keys.find("030 ") == std::string::npos);
    CHECK(keys.find("060 ") != std::string::npos);
  }

  TEST_CASE("a damaged log gives also what lies behind the damage, and lies aside unchanged") {
    folder here;
    auto child = fork();
    if (child == 0) {
      auto opened = store::sqlite::open(here.path);
      outcomes told;
      auto journal = opened->start(told);
      for (int i = 1; i <= 9; ++i) {
        journal->append(i, batch({{std::to_string(i), "needle" + std::to_string(i) + "."}}));
        if (told.of(i) != errc::none)
          _exit(1);
      }
      kill(getpid(), SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    // In the image of the page that its transaction wrote; later images have the row whole.
    damage(here.path + "/journal.db-wal", "needle4.", 1);
    auto before = bytes_of(here.path + "/journal.db-wal");
    REQUIRE_FALSE(store::sqlite::open(here.path));
    auto anew = store::sqlite::set_aside(here.path, all_of);
    REQUIRE(anew);
    CHECK(keys_of(anew->records) == "1 2 3 4 5 6 7 8 9 ");
    CHECK(bytes_of(here.path + "/journal.damaged-1/journal.db-wal") == before);
    CHECK_FALSE(fs::exists(here.path + "/journal.damaged-1/reading"));
    CHECK_FALSE(fs::exists(store::sqlite::damage_mark(here.path)));
  }

  TEST_CASE("a crash while it is set aside begins it again, and never opens half of it") {
    folder here;
    fill(here.path, 5);
    damage(here.path + "/journal.db", "needle3.", 8);
    REQUIRE_FALSE(store::sqlite::open(here.path));
    struct crash {};
    auto crashes = [](store::sqlite::salvaged) -> std::vector<record> { throw crash{}; };
    CHECK_THROWS_AS((void)store::sqlite::set_aside(here.path, crashes), crash);
    auto opened = store::sqlite::open(here.path); // the database is not there any more: no new one
    REQUIRE_FALSE(opened);
    CHECK(opened.why().code == errc::damaged);
    auto anew = store::sqlite::set_aside(here.path, all_of);
    REQUIRE(anew);
    CHECK(keys_of(anew->records) == "001 002 004 005 ");
    CHECK_FALSE(fs::exists(here.path + "/journal.damaged-2"));
  }

  TEST_CASE("a file that is no journal at all leaves a new, empty one; eight are kept, not more") {
    folder here;
    for (int i = 0; i < store::sqlite::max_set_aside; ++i) {
      std::ofstream{here.path + "/journal.db"} << std::string(8192, 'z');
      auto anew = store::sqlite::set_aside(here.path, all_of);
      REQUIRE(anew);
      CHECK(anew->records.empty());
    }
    auto more = store::sqlite::set_aside(here.path, all_of);
    REQUIRE_FALSE(more);
    CHECK(more.why().code == errc::refused);
    CHECK(more.why().detail.find("disk is failing") != std::string::npos);
  }

} // TEST_SUITE

} // namespace legion::salvage_test
