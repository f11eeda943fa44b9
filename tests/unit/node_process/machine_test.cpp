#include <doctest/doctest.h>

#include <sys/utsname.h>

#include "runtime/node/machine.hpp"
#include "tests/unit/node_process/scratch_folder.hpp"

namespace legion::machine_test {

using namespace legion::node_process;
using legion::tests::scratch_folder;

TEST_SUITE("node_process/machine") {

  TEST_CASE("kubernetes.io/arch has Kubernetes' word for what the kernel says") {
    CHECK(architecture_of("x86_64") == "amd64");
    CHECK(architecture_of("aarch64") == "arm64");
    CHECK(architecture_of("armv7l") == "arm");
    CHECK(architecture_of("i686") == "386");
    CHECK(architecture_of("ppc64le") == "ppc64le");
    struct utsname kernel {};
    REQUIRE(uname(&kernel) == 0);
    CHECK(measure_machine().architecture == architecture_of(kernel.machine));
  }

  TEST_CASE("memory comes from /proc/meminfo when no cgroup limits it") {
    scratch_folder root;
    root.write("proc/meminfo", "MemTotal:       2048 kB\nMemFree:         12 kB\n");
    root.write("proc/self/cgroup", "0::/\n");
    auto found = measure_machine(root.path() + "/");
    CHECK(found.memory_bytes == 2048 * 1024);
    CHECK(found.cpu_millis >= 1000);
  }

  TEST_CASE("a limit holds for everything below it, in each layout") {
    struct row {
      const char* what;
      const char* membership;
      std::vector<std::pair<const char*, const char*>> files;
      std::int64_t memory, cpu;
    };
    const row rows[] = {
        {"v2, own folder",
         "0::/a/b\n",
         {{"a/b/memory.max", "1048576\n"}, {"a/b/cpu.max", "50000 100000\n"}},
         1048576,
         500},
        {"v2, folder above",
         "0::/a/b\n",
         {{"a/b/memory.max", "max\n"}, {"a/memory.max", "524288\n"}, {"a/cpu.max", "max 100000\n"}},
         524288,
         0},
        {"v1",
         "4:memory:/a\n3:cpu,cpuacct:/a\n0::/\n",
         {{"memory/a/memory.limit_in_bytes", "262144\n"},
          {"cpu,cpuacct/a/cpu.cfs_quota_us", "25000\n"},
          {"cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"}},
         262144,
         250},
        {"v1 without a quota",
         "3:cpu:/\n",
         {{"cpu/cpu.cfs_quota_us", "-1\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}},
         4096 * 1024,
         0},
        {"hybrid", "0::/a\n", {{"unified/a/memory.max", "131072\n"}}, 131072, 0},
    };
    for (const auto& x : rows) {
      CAPTURE(x.what);
      scratch_folder root;
      root.write("proc/meminfo", "MemTotal: 4096 kB\n");
      root.write("proc/self/cgroup", x.membership);
      for (const auto& [name, text] : x.files)
        root.write(std::string{"sys/fs/cgroup/"} + name, text);
      auto found = measure_machine(root.path() + "/");
      CHECK(found.memory_bytes == x.memory);
      if (x.cpu > 0)
        CHECK(found.cpu_millis == x.cpu);
      else
        CHECK(found.cpu_millis >= 1000);
    }
  }

} // TEST_SUITE

} // namespace legion::machine_test
