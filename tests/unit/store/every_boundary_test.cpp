#include <doctest/doctest.h>

#include <fstream>

#include "tests/unit/store/real_files.hpp"

namespace legion::every_boundary_test {

using namespace legion::real_files;

namespace {

constexpr auto frame_size = log_frame_bytes;
constexpr int batches = 30;

/// Short, for messages.
std::size_t hash(const std::vector<record>& x) {
  return std::hash<std::string>{}(text_of(x));
}

void put(const std::string& path, std::string_view bytes) {
  std::ofstream{path, std::ios::binary}.write(bytes.data(), static_cast<long>(bytes.size()));
}

/// Batch n: a counter, an entry of up to three pages, and the end of an old entry.
record_batch batch_number(int n) {
  std::vector<std::pair<std::string, std::string>> pairs;
  pairs.push_back({"counter", std::to_string(n)});
  pairs.push_back(
      {"entry/" + std::to_string(n), std::string(static_cast<std::size_t>(n * 4099 % 9000), 'x')});
  if (n > 5)
    pairs.push_back({"entry/" + std::to_string(n - 5), ""});
  return batch(pairs);
}

/// A real journal as it lay on disk while its process lived, and how long its log was when each
/// batch was answered.
struct written_journal {
  std::string database, log;
  std::vector<std::size_t> answered; // by batch; 0: before any
  std::vector<std::size_t> state;    // what must be read after so many batches

  written_journal() {
    folder here;
    std::map<std::string, std::string> now;
    outcomes told;
    auto journal = reopen(here.path).start(told);
    auto note = [&] {
      answered.push_back(end_of_log(here.path + "/journal.db-wal"));
      std::vector<record> records;
      for (auto& [key, value] : now) {
        auto& x = records.emplace_back();
        x.set_key(key);
        x.set_value(value);
      }
      state.push_back(hash(records));
    };
    note();
    for (int n = 1; n <= batches; ++n) {
      auto x = batch_number(n);
      journal->append(static_cast<std::uint64_t>(n), x);
      REQUIRE(told.of(static_cast<std::uint64_t>(n)) == errc::none);
      for (auto& y : x.records())
        if (y.value().empty())
          now.erase(y.key());
        else
          now[y.key()] = y.value();
      note();
    }
    REQUIRE(std::is_sorted(answered.begin(), answered.end())); // it was never begun anew
    database = bytes_of(here.path + "/journal.db");
    log = bytes_of(here.path + "/journal.db-wal").substr(0, answered.back());
  }

  int answered_by(std::size_t length) const {
    auto n = batches;
    while (n > 0 && answered[static_cast<std::size_t>(n)] > length)
      --n;
    return n;
  }

  result<store::opened> open(folder& at, const std::string& with_log) const {
    put(at.path + "/journal.db", database);
    put(at.path + "/journal.db-wal", with_log);
    fs::remove(at.path + "/journal.db-shm");
    return store::sqlite::open(at.path);
  }
};

/// The same with a log that ends early. Opening a journal changes nothing but the end of its log,
/// so each cut takes over the files of the one before.
struct cut_journal {
  explicit cut_journal(const written_journal& x) : was(x) {
    put(there.path + "/journal.db", was.database);
    put(log, {});
  }

  result<store::opened> open(std::size_t length, const std::string& tail) {
    auto kept = std::min({static_cast<std::size_t>(fs::file_size(log)), whole, length});
    fs::resize_file(log, kept);
    std::ofstream{log, std::ios::binary | std::ios::app}
        << std::string_view{was.log}.substr(kept, length - kept) << tail;
    whole = length;
    return store::sqlite::open(there.path);
  }

  const written_journal& was;
  folder there;
  std::string log = there.path + "/journal.db-wal";
  std::size_t whole = 0; // of the log on disk, as it was written
};

} // namespace

TEST_SUITE("store/every_boundary") {

  TEST_CASE("cut at every write, and within it: what was answered is there, and no batch is torn") {
    written_journal was;
    cut_journal cut{was};
    auto begin = was.answered.front();
    auto cuts = 0;
    for (auto frame = begin; frame <= was.log.size(); frame += frame_size)
      for (auto more : {0, 1, 23, 24, 2000, 4119}) {
        auto length = frame + static_cast<std::size_t>(more);
        if (length > was.log.size())
          continue;
        CAPTURE(length);
        for (auto& tail :
             {std::string{}, std::string(frame_size, '\0'), std::string(700, '\x5a')}) {
          // Pages end with zeros: what follows may happen to be what was cut.
          auto whole = length;
          for (auto x = tail.begin(); x != tail.end() && whole < was.log.size(); ++x, ++whole)
            if (*x != was.log[whole])
              break;
          auto opened = cut.open(length, tail);
          REQUIRE_MESSAGE(opened, opened.why().detail);
          CHECK(hash(opened->records)
                == was.state[static_cast<std::size_t>(was.answered_by(whole))]);
          ++cuts;
        }
      }
    CHECK(cuts > 500);
    CHECK(bytes_of(cut.there.path + "/journal.db") == was.database);
  }

  TEST_CASE("a bit that flips in any frame is damage, or costs what was not answered") {
    written_journal was;
    folder there;
    auto before_last = was.answered[batches - 1];
    auto damaged = 0, torn = 0;
    for (auto frame = was.answered.front(); frame < was.log.size(); frame += frame_size)
      for (std::size_t at : {4, 20, 24, 3000}) { // its commit mark, its checksum, its page
        CAPTURE(frame);
        CAPTURE(at);
        auto log = was.log;
        log[frame + at] = static_cast<char>(log[frame + at] ^ 0x10);
        auto opened = was.open(there, log);
        if (frame < before_last) {
          REQUIRE_FALSE(opened);
          CHECK(opened.why().code == errc::damaged);
          ++damaged;
        } else if (opened) { // of the last transaction: as if it had been cut within
          CHECK(hash(opened->records) == was.state[batches - 1]);
          ++torn;
        }
      }
    CHECK(damaged > 100);
    CHECK(torn > 0);
  }

} // TEST_SUITE

} // namespace legion::every_boundary_test
