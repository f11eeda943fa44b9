#include <doctest/doctest.h>

#include "runtime/store/sqlite/journal_file.hpp"
#include "tests/unit/store/real_files.hpp"

namespace legion::checkpoint_test {

using namespace legion::real_files;
using store::sqlite::journal_file;

namespace {

std::deque<store::sqlite::waiting_batch> one_batch(int i) {
  std::deque<store::sqlite::waiting_batch> result;
  result.push_back({1, batch({{"key" + std::to_string(i), std::string(16 * 1024, 'x')}}), false});
  return result;
}

} // namespace

TEST_SUITE("store/checkpoint") {
  TEST_CASE("no commit waits for the log to be copied; it is copied when asked, and all is there") {
    folder here;
    auto size = [&] { return fs::file_size(here.path + "/journal.db"); };
    int written = 0;
    {
      auto file = journal_file::open(here.path);
      REQUIRE(file);
      REQUIRE((*file)->replay());
      auto before = size();
      while (!(*file)->wants_checkpoint())
        REQUIRE((*file)->commit(one_batch(written++)));
      CHECK(written > 10);
      while (!(*file)->needs_checkpoint())
        REQUIRE((*file)->commit(one_batch(written++)));
      CHECK(size() == before);
      (*file)->checkpoint();
      CHECK(size() > before + static_cast<std::size_t>(written) * 16 * 1024);
      CHECK_FALSE((*file)->wants_checkpoint());
      REQUIRE((*file)->commit(one_batch(written++)));
      CHECK_FALSE((*file)->wants_checkpoint()); // the log began anew
    }
    CHECK(reopen(here.path).records.size() == static_cast<std::size_t>(written));
  }

  TEST_CASE("the log's file is as long from the start as it will be soon, and reads as before") {
    folder here;
    auto log = here.path + "/journal.db-wal";
    auto opens = 0;
    for (; opens < 2; ++opens) {
      outcomes told;
      auto opened = reopen(here.path);
      CHECK(opened.records.size() == static_cast<std::size_t>(opens));
      auto journal = opened.start(told);
      auto whole = log_header_bytes + 500 * log_frame_bytes;
      for (std::uint64_t i = 1; fs::file_size(log) < whole && i < 3000; ++i) {
        journal->append(i,
                        batch({{"key" + std::to_string(opens), "x"}})); // it is reserved behind one
        REQUIRE(told.of(i) == errc::none);
      }
      CHECK(fs::file_size(log) == whole);
      auto end = end_of_log(log);
      CHECK(end < whole);
      journal->append(5000, batch({{"key" + std::to_string(opens), "y"}}));
      REQUIRE(told.of(5000) == errc::none);
      CHECK(fs::file_size(log) == whole);
      CHECK(end_of_log(log) > end);
    }
    CHECK(text_of(reopen(here.path).records) == "key0=y key1=y ");
  }

  TEST_CASE("a store that is never idle keeps its log within bounds") {
    folder here;
    outcomes told;
    auto journal = reopen(here.path).start(told);
    constexpr int batches = 1500; // 24 MB
    for (int i = 1; i <= batches; ++i) {
      journal->append(static_cast<std::uint64_t>(i), one_batch(i).front().batch);
      if (i % 50 == 0)
        CHECK(told.of(static_cast<std::uint64_t>(i)) == errc::none);
    }
    CHECK(fs::file_size(here.path + "/journal.db-wal") < 12 * 1024 * 1024);
  }
}

} // namespace legion::checkpoint_test
