#include <doctest/doctest.h>

#include <csignal>
#include <functional>
#include <map>
#include <set>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tests/unit/store/real_files.hpp"

namespace legion::syncs_test {

using namespace legion::real_files;

namespace {

/// SQLite's file system with its syncs replaced: they are counted, held up, or fail. One at a time.
class watched_files {
public:
  watched_files() {
    usual_ = sqlite3_vfs_find(nullptr);
    self_ = this;
    files_ = *usual_;
    files_.zName = "watched";
    files_.xOpen = open;
    sqlite3_vfs_register(&files_, 1);
  }
  ~watched_files() {
    sqlite3_vfs_unregister(&files_);
    sqlite3_vfs_register(usual_, 1);
    self_ = nullptr;
  }
  watched_files(const watched_files&) = delete;

  /// The n-th sync fails, and all after it; 0: none does.
  void fail_from(int nth) { fails_from_ = nth; }
  void hold() {
    std::lock_guard guard{mutex_};
    held_ = true;
  }
  void release() {
    std::lock_guard guard{mutex_};
    held_ = false;
    changed_.notify_all();
  }
  bool one_waits() {
    std::unique_lock guard{mutex_};
    return changed_.wait_for(guard, std::chrono::seconds{30}, [&] { return waits_; });
  }
  int count() {
    std::lock_guard guard{mutex_};
    return count_;
  }

private:
  static int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
    auto code = usual_->xOpen(usual_, name, file, flags, out);
    if (code == SQLITE_OK && file->pMethods) {
      auto& methods = methods_[file->pMethods];
      methods = *file->pMethods;
      methods.xSync = [](sqlite3_file*, int) { return self_->sync(); };
      file->pMethods = &methods;
    }
    return code;
  }

  int sync() {
    std::unique_lock guard{mutex_};
    ++count_;
    waits_ = true;
    changed_.notify_all();
    changed_.wait(guard, [&] { return !held_; });
    waits_ = false;
    return fails_from_ != 0 && count_ >= fails_from_ ? SQLITE_IOERR_FSYNC : SQLITE_OK;
  }

  static inline sqlite3_vfs* usual_ = nullptr;
  static inline watched_files* self_ = nullptr;
  // By those that they were: a log's lock nothing, a database's do.
  static inline std::map<const sqlite3_io_methods*, sqlite3_io_methods> methods_;
  sqlite3_vfs files_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int fails_from_ = 0;
  int count_ = 0;
  bool held_ = false;
  bool waits_ = false;
};

/// What a child does that ends by itself or is ended; its status.
int status_of(const std::function<void()>& what) {
  auto child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    signal(SIGABRT, SIG_DFL); // not the test framework's
    try {
      what();
    } catch (...) { // a failed requirement must not go on with the other tests
      _exit(4);
    }
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

/// A journal whose log ends within a transaction.
void tear_log(const std::string& path) {
  auto status = status_of([&] {
    outcomes told;
    auto journal = reopen(path).start(told);
    for (std::uint64_t id : {1, 2}) {
      journal->append(id, batch({{"a", std::string(9000, 'x')}}));
      if (told.of(id) != errc::none)
        _exit(1);
    }
    kill(getpid(), SIGKILL);
  });
  REQUIRE(WIFSIGNALED(status));
  auto log = path + "/journal.db-wal";
  fs::resize_file(log, end_of_log(log) - 100);
  fs::remove(path + "/journal.mark"); // it knows of what is cut off
}

/// All that syncs: a torn log is cut, commits, the log is made longer, and copied into the database.
/// Exit codes: 0 all was written, 1 something was not, 3 a sync failed and was passed over.
void live_with_failing_syncs(const std::string& path, int nth) {
  watched_files files;
  files.fail_from(nth);
  {
    outcomes told;
    auto journal = reopen(path).start(told);
    std::uint64_t id = 0;
    for (std::size_t bytes : {100u, 100u, 5'000'000u, 5'000'000u}) {
      journal->append(++id, batch({{"k" + std::to_string(id), std::string(bytes, 'x')}}));
      if (told.of(id) != errc::none)
        _exit(1);
    }
  }
  if (files.count() >= nth)
    _exit(3);
}

/// "legion: PATH: WHAT: a disk I/O error: ..." is what the process says last.
std::string said_in(const std::string& file) {
  auto text = bytes_of(file);
  auto mark = std::string{"journal.db: "};
  auto at = text.find(mark);
  if (at == std::string::npos)
    return text;
  at += mark.size();
  return text.substr(at, text.find(": ", at) - at);
}

} // namespace

TEST_SUITE("store/syncs") {

  TEST_CASE("whichever sync fails, the process ends, and what it was for is not answered") {
    std::set<std::string> ended_at;
    int nth = 0;
    for (auto ended = true; ended && nth < 100;) {
      folder here;
      tear_log(here.path);
      auto words = here.path + "/words";
      ++nth;
      auto status = status_of([&] {
        auto file = ::open(words.c_str(), O_WRONLY | O_CREAT, 0600);
        if (file < 0 || ::dup2(file, STDERR_FILENO) < 0)
          _exit(2);
        live_with_failing_syncs(here.path, nth);
      });
      CAPTURE(nth);
      ended = WIFSIGNALED(status);
      if (ended) {
        CHECK(WTERMSIG(status) == SIGABRT);
        ended_at.insert(said_in(words));
      } else {
        CHECK(WEXITSTATUS(status) == 0); // there is no n-th
      }
    }
    std::string all;
    for (auto& x : ended_at)
      all += x + "; ";
    CHECK(all == "checkpoint; commit; cut a torn transaction off its log; make its log longer; ");
  }

  TEST_CASE("the folder is removed: the process ends with a plain word, and answers nothing more") {
    struct row {
      const char* what;
      std::size_t batches;
    };
    for (const auto& r : {row{"one batch", 1}, row{"some that share a sync", 20}}) {
      CAPTURE(r.what);
      folder here, words;
      auto status = status_of([&] {
        auto file = ::open((words.path + "/words").c_str(), O_WRONLY | O_CREAT, 0600);
        if (file < 0 || ::dup2(file, STDERR_FILENO) < 0)
          _exit(2);
        outcomes told;
        auto journal = reopen(here.path).start(told);
        journal->append(1, batch({{"k", "1"}}));
        if (told.of(1) != errc::none)
          _exit(1);
        fs::remove_all(here.path);
        for (std::uint64_t id = 2; id < 2 + r.batches; ++id)
          journal->append(id, batch({{"k", std::to_string(id)}}));
        for (std::uint64_t id = 2; id < 2 + r.batches; ++id)
          told.of(id);
        _exit(3);
      });
      CHECK(WIFSIGNALED(status));
      CHECK(WTERMSIG(status) == SIGABRT);
      CHECK(bytes_of(words.path + "/words")
            == "legion: " + here.path
                   + "/journal.db: the data folder was removed: nothing that is "
                     "written there is kept\n");
    }
  }

  TEST_CASE("what all groups write while one sync is under way shares the next") {
    constexpr std::uint64_t groups = 64;
    watched_files files;
    folder here;
    outcomes told;
    auto journal = reopen(here.path).start(told);
    for (std::uint64_t id : {1, 2}) { // behind the first the log is made longer
      journal->append(id, batch({{"begin", "1"}}));
      REQUIRE(told.of(id) == errc::none);
    }
    files.hold();
    journal->append(3, batch({{"begin", "2"}}));
    CHECK(files.one_waits());
    auto before = files.count();
    for (std::uint64_t g = 0; g < groups; ++g)
      journal->append(4 + g, batch({{"group/" + std::to_string(g) + "/log/1", "x"}}));
    files.release();
    for (std::uint64_t g = 0; g < groups; ++g)
      CHECK(told.of(4 + g) == errc::none);
    CHECK(files.count() - before <= 2);
  }

} // TEST_SUITE

} // namespace legion::syncs_test
