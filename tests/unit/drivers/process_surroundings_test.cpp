#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <unistd.h>

#include "tests/unit/drivers/real_machine.hpp"

namespace legion::process_surroundings_test {

using namespace legion::real_machine;
using namespace std::chrono_literals;

/// What a process finds when it begins: environment, folder, files, user.
TEST_SUITE("drivers/process_surroundings") {

  TEST_CASE("environment, working folder, standard files and descriptors are what was asked for") {
    machine m;
    auto text =
        m.output_of("w", "echo $GREETING; pwd; echo err >&2; cat; ls /proc/self/fd", [](auto& x) {
          x.add_env("GREETING=hello world");
          x.set_working_dir("/usr");
        });
    CHECK(text == "hello world\n/usr\nerr\n0\n1\n2\n3\n");
  }

  TEST_CASE("without a working folder a process begins in its workload's own, gone with it") {
    machine m;
    auto own = m.folder + "/workloads/w/files/main";
    CHECK(m.output_of("w", "pwd; echo here > file; cat file") == own + "\nhere\n");
    CHECK(std::filesystem::exists(own + "/file"));
    m.driver->remove(++m.next, "w");
    REQUIRE(m.told->wait(m.told->removals, m.next));
    CHECK_FALSE(std::filesystem::exists(own));
    if (geteuid() == 0)
      CHECK(m.output_of("other", "echo theirs > file; cat file", [](auto& x) { x.set_user(65534); })
            == "theirs\n");
  }

  TEST_CASE("two containers of a pod, of different users, have a folder each") {
    if (!root_or_skip())
      return;
    machine m;
    auto lines = [&](const char* container) {
      std::ifstream file{m.folder + "/logs/w/" + container + ".0.log"};
      std::vector<std::string> result;
      for (std::string line; std::getline(file, line);)
        result.push_back(line);
      return result;
    };
    auto wait_for = [&](const char* container, std::size_t count) {
      auto deadline = std::chrono::steady_clock::now() + 30s;
      while (lines(container).size() < count) {
        REQUIRE(std::chrono::steady_clock::now() < deadline);
        std::this_thread::yield();
      }
    };
    auto writer = machine::shell(
        "w", "while :; do echo a > file 2>&1 && echo ok || echo failed; sleep 0.02; done");
    writer.set_user(12345);
    REQUIRE(m.run(writer));
    wait_for("main", 1);
    auto beside = machine::shell("w", "pwd; echo b > file && echo ok; sleep 1000");
    beside.set_container("beside");
    beside.set_user(65534);
    REQUIRE(m.run(beside));
    wait_for("beside", 2);
    CHECK(lines("beside")
          == std::vector<std::string>{m.folder + "/workloads/w/files/beside", "ok"});
    wait_for("main", lines("main").size() + 3);
    for (const auto& line : lines("main"))
      CHECK(line == "ok");
    m.stop("w", 0);
  }

  TEST_CASE("another user and its group, without root's other groups") {
    if (!root_or_skip())
      return;
    machine m;
    CHECK(m.output_of("w", "id -u; id -g; id -G", [](auto& x) { x.set_user(65534); })
          == "65534\n65534\n65534\n");
    CHECK(m.output_of("w2", "id -u; id -g", [](auto& x) {
      x.set_user(12345);
      x.set_group(77);
    }) == "12345\n77\n");
  }

} // TEST_SUITE

} // namespace legion::process_surroundings_test
