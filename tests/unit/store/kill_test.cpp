#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <random>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/store/real_files.hpp"

namespace legion::kill_test {

using namespace legion::real_files;

namespace {

/// Says on a pipe what was answered, as soon as it is: what the parent read was told to somebody.
struct says_on final : store::sink {
  explicit says_on(int to) : to(to) {}
  void written(std::uint64_t correlation) override {
    if (::write(to, &correlation, sizeof(correlation)) != sizeof(correlation))
      _exit(3);
    last = correlation;
  }
  void failed(std::uint64_t, fault) override { _exit(4); }
  int to;
  std::atomic<std::uint64_t> last = 0;
};

/// Batch n of a life: the counter, an entry of one of 8 groups, and the end of an old entry.
record_batch batch_number(std::uint64_t n) {
  auto key = [](std::uint64_t x) { return "entry/" + std::to_string(x); };
  std::vector<std::pair<std::string, std::string>> pairs;
  pairs.push_back({"counter", std::to_string(n)});
  pairs.push_back({key(n), std::to_string(n) + std::string(n * 37 % 3000, 'x')});
  if (n > 40)
    pairs.push_back({key(n - 40), ""});
  return batch(pairs);
}

[[noreturn]] void write_until_killed(const std::string& path, std::uint64_t first, int to) {
  auto opened = store::sqlite::open(path);
  if (!opened)
    _exit(2);
  says_on told{to};
  auto journal = opened->start(told);
  told.last = first - 1;
  for (auto n = first;; ++n) {
    journal->append(n, batch_number(n));
    while (n - told.last > n % 32) // some alone, some that share a sync
      std::this_thread::yield();
  }
}

} // namespace

TEST_SUITE("store/kill") {

  TEST_CASE("nothing that was answered is lost by kill -9 at any moment, and no batch is torn") {
    folder here;
    std::mt19937_64 random{20};
    std::uint64_t answered = 0, last = 0;
    for (int life = 0; life < 12; ++life) {
      int ends[2];
      REQUIRE(pipe(ends) == 0);
      auto child = fork();
      REQUIRE(child >= 0);
      if (child == 0)
        write_until_killed(here.path, last + 1, ends[1]);
      close(ends[1]);
      // Killed when so many have been answered, wherever it is then.
      auto patience = 1 + random() % 400;
      std::uint64_t n = 0;
      while (patience-- > 0 && read(ends[0], &n, sizeof(n)) == sizeof(n))
        answered = n;
      kill(child, SIGKILL);
      while (read(ends[0], &n, sizeof(n)) == sizeof(n))
        answered = n; // said before it died
      close(ends[0]);
      int status = 0;
      REQUIRE(waitpid(child, &status, 0) == child);
      REQUIRE(WIFSIGNALED(status));

      auto records = reopen(here.path).records;
      std::map<std::string, std::string> found;
      for (auto& x : records)
        found[x.key()] = x.value();
      last = std::stoull(found.at("counter"));
      CHECK(last >= answered);
      CHECK(found.size() == 1 + std::min<std::uint64_t>(last, 40));
      for (auto i = last > 40 ? last - 39 : 1; i <= last; ++i)
        CHECK(found["entry/" + std::to_string(i)]
              == std::to_string(i) + std::string(i * 37 % 3000, 'x'));
    }
    CHECK(answered > 100);
  }

} // TEST_SUITE

} // namespace legion::kill_test
