#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "runtime/store/sqlite/sqlite_store.hpp"
#include "runtime/store/sqlite/wal_scan.hpp"
#include "tests/unit/store/real_files.hpp"

namespace legion::sqlite_store_test {

using namespace legion::real_files;
namespace fs = std::filesystem;

namespace {

int rows_in(const std::string& path) {
  sqlite3* db = nullptr;
  int result = -1;
  REQUIRE(sqlite3_open((path + "/journal.db").c_str(), &db) == SQLITE_OK);
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  auto count = [](void* to, int, char** values, char**) {
    *static_cast<int*>(to) = std::atoi(values[0]);
    return 0;
  };
  sqlite3_exec(db, "SELECT count(*) FROM batches", count, &result, nullptr);
  sqlite3_close(db);
  return result;
}

/// Writes in a child that is killed as soon as it has been told that all is written.
void write_and_die(const std::string& path, const std::vector<record_batch>& batches) {
  auto child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto opened = store::sqlite::open(path);
    outcomes told;
    auto journal = opened->start(told);
    std::uint64_t id = 0;
    for (auto& x : batches) {
      journal->append(++id, x);
      if (told.of(id) != errc::none)
        _exit(1);
    }
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
}

void flip(const std::string& path, std::uint64_t at) {
  std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
  file.seekg(static_cast<std::streamoff>(at));
  auto byte = static_cast<char>(file.get() ^ 0x40);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
}

} // namespace

TEST_SUITE("store/sqlite_store") {

  TEST_CASE("what was written is there again, newest value of each key, in the order of keys") {
    folder here;
    {
      outcomes told;
      auto journal = reopen(here.path).start(told);
      journal->append(1, batch({{"b", "1"}, {"a", "1"}}));
      journal->append(2, batch({{"b", "2"}, {"c", "1"}}));
      journal->append(3, batch({{"c", ""}}));
      CHECK(told.of(3) == errc::none);
      CHECK(told.order == std::vector<std::uint64_t>{1, 2, 3});
    }
    CHECK(text_of(reopen(here.path).records) == "a=1 b=2 ");
  }

  TEST_CASE("what was answered survives kill -9") {
    folder here;
    write_and_die(here.path,
                  {batch({{"a", "1"}}), batch({{"a", "2"}, {"b", std::string(9000, 'x')}})});
    CHECK(text_of(reopen(here.path).records) == "a=2 b=" + std::string(9000, 'x') + " ");
  }

  TEST_CASE("a torn tail of the log loses only what was never synced") {
    folder here;
    write_and_die(here.path, {batch({{"a", "1"}}), batch({{"b", std::string(9000, 'x')}})});
    auto wal = here.path + "/journal.db-wal";
    fs::resize_file(wal, end_of_log(wal) - 100);
    fs::remove(here.path + "/journal.mark"); // it is written once all is synced
    CHECK(text_of(reopen(here.path).records) == "a=1 ");
  }

  TEST_CASE("a log that was cut at a commit is damage: the mark beside it says how far it was") {
    folder here;
    write_and_die(here.path, {batch({{"a", "1"}})});
    auto wal = here.path + "/journal.db-wal";
    auto end = end_of_log(wal);
    write_and_die(here.path, {batch({{"b", "2"}}), batch({{"c", "3"}})});
    auto mark = bytes_of(here.path + "/journal.mark");
    CHECK(text_of(reopen(here.path).records) == "a=1 b=2 c=3 ");
    REQUIRE(end_of_log(wal) > end);
    fs::resize_file(wal, end);
    auto opened = store::sqlite::open(here.path);
    REQUIRE_FALSE(opened);
    CHECK(opened.why().code == errc::damaged);
    CHECK(opened.why().detail.find("its end is lost, or it is an old copy") != std::string::npos);
    auto put = [&](std::string bytes) {
      std::ofstream{here.path + "/journal.mark", std::ios::binary | std::ios::trunc} << bytes;
    };
    for (std::size_t i = 0; i < mark.size(); i += 3) { // one that does not check says nothing
      auto flipped = mark;
      flipped[i] = static_cast<char>(flipped[i] ^ 0x40);
      put(flipped);
      CHECK(store::sqlite::open(here.path));
    }
    put(mark.substr(0, mark.size() - 1));
    CHECK(store::sqlite::open(here.path));
    put(mark);
    CHECK_FALSE(store::sqlite::open(here.path));
    for (auto* name : {"/journal.db", "/journal.db-wal", "/journal.db-shm"}) // another journal's
      fs::remove(here.path + name);
    CHECK(reopen(here.path).records.empty());
  }

  TEST_CASE("a byte flipped in the middle of the log is damage, not the end of it") {
    folder here;
    std::vector<record_batch> batches;
    for (int i = 0; i < 10; ++i)
      batches.push_back(batch({{"k" + std::to_string(i), "v"}}));
    write_and_die(here.path, batches);
    auto wal = here.path + "/journal.db-wal";
    auto size = fs::file_size(wal);
    flip(wal, end_of_log(wal) / 2);
    for (int again = 0; again < 2; ++again) { // looking does not repair
      auto opened = store::sqlite::open(here.path);
      REQUIRE_FALSE(opened);
      CHECK(opened.why().code == errc::damaged);
      CHECK(opened.why().detail.find("journal.db-wal: frame ") != std::string::npos);
      CHECK(fs::file_size(wal) == size);
    }
  }

  TEST_CASE("a byte flipped in a row is damage that names the row") {
    folder here;
    {
      outcomes told;
      auto journal = reopen(here.path).start(told);
      journal->append(1, batch({{"a", "first"}}));
      journal->append(2, batch({{"b", "a needle in a row"}}));
      CHECK(told.of(2) == errc::none);
    }
    rows_in(here.path);
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open((here.path + "/journal.db").c_str(), &db) == SQLITE_OK);
    sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", nullptr, nullptr, nullptr);
    sqlite3_close(db);
    std::ifstream file{here.path + "/journal.db", std::ios::binary};
    std::string bytes{std::istreambuf_iterator<char>{file}, {}};
    auto at = bytes.find("needle");
    REQUIRE(at != std::string::npos);
    flip(here.path + "/journal.db", at);
    auto opened = store::sqlite::open(here.path);
    REQUIRE_FALSE(opened);
    CHECK(opened.why().code == errc::damaged);
    CHECK(opened.why().detail.find("journal.db: row 2 does not check") != std::string::npos);
  }

  TEST_CASE("a file that is not a journal is damage") {
    folder here;
    std::ofstream{here.path + "/journal.db"} << std::string(8192, 'z');
    auto opened = store::sqlite::open(here.path);
    REQUIRE_FALSE(opened);
    CHECK(opened.why().code == errc::damaged);
  }

  TEST_CASE("a second open of the same folder is refused as locked") {
    folder here;
    auto first = store::sqlite::open(here.path);
    REQUIRE(first);
    auto child = fork(); // another process, as it would be
    if (child == 0) {
      auto second = store::sqlite::open(here.path);
      _exit(!second && second.why().code == errc::locked ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    CHECK(status == 0);
  }

  TEST_CASE("superseded rows go, and the end of a key stays for as long as an older row holds it") {
    folder here;
    {
      outcomes told;
      auto journal = reopen(here.path).start(told);
      std::uint64_t id = 0;
      journal->append(++id, batch({{"a", "1"}, {"b", "1"}, {"c", "1"}, {"d", "1"}}));
      journal->append(++id, batch({{"a", ""}}));
      for (int i = 0; i < 100; ++i) {
        journal->append(++id, batch({{"x", std::to_string(i)}}));
        CHECK(told.of(id) == errc::none);
      }
    }
    CHECK(text_of(reopen(here.path).records) == "b=1 c=1 d=1 x=99 ");
    CHECK(rows_in(here.path) <= 4);
    {
      outcomes told;
      auto journal = reopen(here.path).start(told);
      journal->append(1, batch({{"b", "2"}, {"c", "2"}}));
      CHECK(told.of(1) == errc::none);
      journal->append(2, batch({{"x", "end"}})); // the first row is written again without a, b, c
      CHECK(told.of(2) == errc::none);
      journal->append(3, batch({{"y", "end"}})); // a's end goes now
      CHECK(told.of(3) == errc::none);
    }
    CHECK(text_of(reopen(here.path).records) == "b=2 c=2 d=1 x=end y=end ");
    CHECK(rows_in(here.path) == 4);
  }

  TEST_CASE("the queue is bounded, and a batch that is too large is refused") {
    folder here;
    outcomes told;
    auto journal = reopen(here.path).start(told);
    journal->append(1, batch({{"a", std::string(store::max_batch_bytes, 'x')}}));
    CHECK(told.of(1) == errc::too_large);
    auto large = batch({{"a", std::string(store::max_batch_bytes - 100, 'x')}});
    for (std::uint64_t id = 2; id < 60; ++id)
      journal->append(id, large);
    bool overloaded = false;
    for (std::uint64_t id = 2; id < 60; ++id)
      overloaded |= told.of(id) == errc::overloaded;
    CHECK(overloaded);
  }

} // TEST_SUITE

} // namespace legion::sqlite_store_test
