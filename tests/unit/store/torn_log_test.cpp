#include <doctest/doctest.h>

#include <fstream>

#include "runtime/store/sqlite/journal_file.hpp"
#include "tests/unit/store/real_files.hpp"

namespace legion::torn_log_test {

using namespace legion::real_files;
using store::sqlite::journal_file;

namespace {

constexpr std::size_t header = 32, frame = 24 + 4096;
constexpr int checkpoint_after = 8; // pages

void put(const std::string& path, std::string_view bytes) {
  std::ofstream{path, std::ios::binary}.write(bytes.data(), static_cast<long>(bytes.size()));
}

/// A journal's files as they lie while its process lives.
struct files {
  explicit files(const folder& at)
      : database(bytes_of(at.path + "/journal.db")), log(bytes_of(at.path + "/journal.db-wal")) {}
  void put_into(const folder& at) const {
    put(at.path + "/journal.db", database);
    put(at.path + "/journal.db-wal", log);
  }
  std::string database, log;
};

/// Opens it, says what is in it, and may go on.
struct open_journal {
  explicit open_journal(const folder& at) {
    auto opened = journal_file::open(at.path);
    auto found = opened ? (*opened)->replay() : opened.why();
    if (!found) {
      why = found.why();
      return;
    }
    file = *opened;
    for (auto& x : *found) // values are long
      text += x.key() + "=" + std::to_string(x.value().size()) + " ";
  }
  void commit(const std::string& key, std::size_t bytes) {
    REQUIRE_MESSAGE(file, why.detail);
    std::deque<store::sqlite::waiting_batch> all;
    all.push_back({1, batch({{key, std::string(bytes, 'x')}}), false});
    REQUIRE(file->commit(all));
    if (file->log_pages() >= checkpoint_after)
      file->checkpoint();
  }
  std::shared_ptr<journal_file> file;
  std::string text;
  fault why;
};

/// What a crash leaves while the log, of which the database has all, is begun anew: so many bytes
/// of the new header.
struct new_log {
  new_log() {
    auto journal = std::make_unique<open_journal>(here);
    journal->commit("big", 8 * 4096); // which is copied into the database
    files before{here};
    journal->commit("small", 1);
    files after{here};
    journal.reset();
    REQUIRE(before.log.substr(0, header) != after.log.substr(0, header));
    REQUIRE(before.log.substr(2 * frame) == after.log.substr(2 * frame));
    was = before.log;
    becomes = after.log.substr(0, header);
    before.put_into(here);
    text = open_journal{here}.text;
    REQUIRE(text == "big=32768 ");
  }
  void tear(std::size_t at) {
    put(here.path + "/journal.db-wal", becomes.substr(0, at) + was.substr(at));
  }
  folder here;
  std::string was, becomes, text;
};

} // namespace

TEST_SUITE("store/torn_log") {

  TEST_CASE("a crash within the header of a log that is begun anew costs nothing") {
    for (std::size_t at = 0; at < header; ++at) {
      CAPTURE(at);
      new_log torn;
      torn.tear(at);
      open_journal journal{torn.here};
      REQUIRE_MESSAGE(journal.file, journal.why.detail);
      CHECK(journal.text == torn.text);
    }
  }

  TEST_CASE("what is written after such a crash is not taken for part of the old log") {
    for (std::size_t at = 0; at < header; ++at) {
      CAPTURE(at);
      new_log torn;
      torn.tear(at);
      open_journal{torn.here}.commit("next", 1);
      open_journal journal{torn.here};
      REQUIRE_MESSAGE(journal.file, journal.why.detail);
      CHECK(journal.text == torn.text + "next=1 ");
    }
  }

  TEST_CASE("a bit that flips in the header of a log that the database needs is damage") {
    folder here;
    {
      open_journal journal{here};
      journal.commit("a", 1);
      journal.commit("b", 1);
    }
    files whole{here};
    for (std::size_t bit = 0; bit < 8 * header; ++bit) {
      CAPTURE(bit);
      auto flipped = whole;
      flipped.log[bit / 8] = static_cast<char>(flipped.log[bit / 8] ^ (1 << bit % 8));
      flipped.put_into(here);
      open_journal journal{here};
      REQUIRE_FALSE(journal.file);
      CHECK(journal.why.code == errc::damaged);
      CHECK(bytes_of(here.path + "/journal.db-wal") == flipped.log);
    }
  }

  TEST_CASE("what one crash tore is not counted with what the next one tears") {
    folder here;
    {
      open_journal journal{here};
      journal.commit("a", 1);
    }
    files first{here};
    open_journal{here}.commit("big", 4 * 4096);
    files torn{here};
    for (auto i = first.log.size(); i < first.log.size() + frame; ++i)
      torn.log[i] = 0; // the disk had its last page, and not its first
    torn.put_into(here);
    {
      open_journal journal{here};
      CHECK(journal.text == "a=1 ");
      journal.commit("b", 1);
    }
    torn = files{here};
    torn.log[first.log.size() + 100] ^= 1; // again
    torn.put_into(here);
    open_journal journal{here};
    REQUIRE_MESSAGE(journal.file, journal.why.detail);
    CHECK(journal.text == "a=1 ");
  }

} // TEST_SUITE

} // namespace legion::torn_log_test
