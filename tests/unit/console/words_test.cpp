#include <doctest/doctest.h>

#include "runtime/console/words.hpp"

namespace legion::words_test {

using namespace legion::console;

TEST_SUITE("console/words") {

  TEST_CASE("what is read in a terminal is folded at 80 columns, between words") {
    CHECK(folded("short") == "short");
    CHECK(folded("") == "");
    auto word = std::string(30, 'a');
    CHECK(folded(word + " " + word + " " + word) == word + " " + word + "\n  " + word);
    CHECK(folded("error: a\n  b") == "error: a\n  b");
    auto long_word = std::string(100, 'x');
    CHECK(folded("a " + long_word + " b") == "a\n  " + long_word + "\n  b");
    CHECK(folded(std::string(80, 'y')) == std::string(80, 'y'));
    CHECK(folded(std::string(40, 'y') + " " + std::string(39, 'y')).size() == 80);
    CHECK(folded(std::string(40, 'y') + " " + std::string(40, 'y')).find('\n') == 40);
  }

  TEST_CASE("what a stranger wrote cannot steer the terminal") {
    struct row {
      std::string from, to;
    };
    for (const auto& x :
         {row{"plain", "plain"}, row{"größer 漢字 🙂", "größer 漢字 🙂"},
          row{"\x1b[2Jgone", "?[2Jgone"}, row{"a\nb\rc\td", "a?b?c?d"},
          row{"bell\x07 del\x7f", "bell? del?"},
          row{"c1 \xc2\x9b"
              "31m",
              "c1 ?31m"},
          row{"bad \xff\xfe", "bad ??"}, row{"cut \xe6\xbc", "cut ??"},
          row{"overlong \xc0\x80", "overlong ??"}, row{"surrogate \xed\xa0\x80", "surrogate ???"},
          row{"turned \xe2\x80\xae", "turned ?"}})
      CHECK(plain(x.from) == x.to);
    CHECK(plain_output("a\n\x1b[31mred\x1b[0m\t\x1b]0;title\x07")
          == "a\n\x1b[31mred\x1b[0m\t?]0;title?");
  }

  TEST_CASE("ages as kubectl writes them") {
    struct row {
      std::int64_t s;
      const char* text;
    };
    for (auto x : {row{0, "0s"}, row{119, "119s"}, row{120, "2m"}, row{200, "3m20s"},
                   row{599, "9m59s"}, row{600, "10m"}, row{10'799, "179m"}, row{10'800, "3h"},
                   row{12'000, "3h20m"}, row{28'800, "8h"}, row{172'799, "47h"}, row{172'800, "2d"},
                   row{180'000, "2d2h"}, row{691'200, "8d"}})
      CHECK(age(1'000, 1'000 + x.s * 1000) == x.text);
    CHECK(age(0, 5) == "<none>");
    CHECK(age(5'000, 0) == "0s");
  }

  TEST_CASE("times and amounts as Kubernetes writes them") {
    CHECK(rfc3339(1'800'000'000'999) == "2027-01-15T08:00:00Z");
    CHECK(rfc3339(0).empty());
    CHECK(cpu(250) == "250m");
    CHECK(cpu(2000) == "2");
    CHECK(memory(std::int64_t{512} << 20) == "512Mi");
    CHECK(memory(1000) == "1000");
    CHECK(memory(0) == "0");
    CHECK(memory_short(0) == "0");
    CHECK(memory_short(std::int64_t{1} << 30) == "1Gi");
    CHECK(memory_short(1'500'000'000) == "1.4Gi");
    CHECK(memory_short(std::int64_t{100} << 20) == "100Mi");
  }

  TEST_CASE("a pod's status in a word") {
    pod_view x;
    CHECK(pod_status(x) == "Pending");
    x.set_state("bound");
    x.mutable_assessment()->set_phase("Running");
    CHECK(pod_status(x) == "Running");
    auto& container = *x.mutable_assessment()->add_containers();
    container.set_state("terminated");
    container.set_exit_code(3);
    CHECK(pod_status(x) == "ExitCode:3");
    container.set_signal(9);
    CHECK(pod_status(x) == "Signal:9");
    container.set_reason("OOMKilled");
    CHECK(pod_status(x) == "OOMKilled");
    auto& other = *x.mutable_assessment()->add_containers();
    other.set_state("running");
    CHECK(pod_status(x) == "OOMKilled");
    container.set_reason("Completed");
    container.clear_signal();
    container.set_exit_code(0);
    CHECK(pod_status(x) == "NotReady"); // the other runs
    x.mutable_assessment()->set_ready(true);
    CHECK(pod_status(x) == "Running");
    other.set_state("terminated");
    CHECK(pod_status(x) == "Completed");
    x.set_state("ending");
    CHECK(pod_status(x) == "Terminating");
    x.set_node_dead(true);
    CHECK(pod_status(x) == "Unknown");
    x.set_state("gone");
    CHECK(pod_status(x) == "Gone");
  }

} // TEST_SUITE

} // namespace legion::words_test
