#include <doctest/doctest.h>

#include "runtime/drivers/supervisor/cgroup_layout.hpp"

namespace legion::cgroup_layout_test {

using namespace legion::drivers;

namespace {

std::string text_of(const std::vector<hierarchy>& all) {
  std::string result;
  for (auto& x : all) {
    result += "v" + std::to_string(x.version) + " " + x.mount + " own=" + x.own;
    for (auto& name : x.controllers)
      result += " " + name;
    result += "\n";
  }
  return result;
}

std::string text_of(const std::vector<control_write>& all) {
  std::string result;
  for (auto& x : all)
    result += x.file + "=" + x.value + (x.needed ? "\n" : " (or not)\n");
  return result;
}

} // namespace

TEST_SUITE("drivers/cgroup_layout") {

  TEST_CASE("v2 alone: one hierarchy, its controllers are asked from its files") {
    CHECK(text_of(cgroup_layout(
              "24 1 0:22 / /proc rw,relatime shared:5 - proc proc rw\n"
              "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
              "0::/system.slice/legion.service\n"))
          == "v2 /sys/fs/cgroup own=/system.slice/legion.service\n");
  }

  TEST_CASE("v1 as systemd mounts it: cpu with cpuacct, own paths per controller") {
    CHECK(text_of(cgroup_layout(
              "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:1 - cgroup cgroup rw,cpu,cpuacct\n"
              "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
              "37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"
              "39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
              "8:pids:/\n4:memory:/a/b\n1:cpu,cpuacct:/c\n"))
          == "v1 /sys/fs/cgroup/cpu,cpuacct own=/c cpu\n"
             "v1 /sys/fs/cgroup/memory own=/a/b memory\n"
             "v1 /sys/fs/cgroup/pids own= pids\n");
  }

  TEST_CASE("hybrid: both, in the order of the mount table") {
    CHECK(text_of(cgroup_layout("35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                                "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
                                "rw,name=systemd\n"
                                "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
                                "4:memory:/\n0::/x\n"))
          == "v1 /sys/fs/cgroup/memory own= memory\nv2 /sys/fs/cgroup/unified own=/x\n");
  }

  TEST_CASE("in a container: what is mounted begins below the root, so does our own group") {
    auto table = "35 31 0:32 /docker/7f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    CHECK(text_of(cgroup_layout(table, "4:memory:/docker/7f/in\n"))
          == "v1 /sys/fs/cgroup/memory own=/in memory\n");
    CHECK(text_of(cgroup_layout(table, "4:memory:/elsewhere\n"))
          == "v1 /sys/fs/cgroup/memory own= memory\n");
  }

  TEST_CASE("broken tables give no hierarchies and no crash") {
    CHECK(cgroup_layout("", "").empty());
    CHECK(cgroup_layout("a - cgroup\n - \n1 2 3 - cgroup2 x y\n", "::\n:\n").empty());
  }

  TEST_CASE("limits become writes, in the words of each version") {
    limits x{250, 64 << 20, 100, 100};
    CHECK(text_of(control_writes(1, "cpu", x))
          == "cpu.shares=102 (or not)\ncpu.cfs_period_us=100000\ncpu.cfs_quota_us=25000\n");
    CHECK(text_of(control_writes(2, "cpu", x)) == "cpu.weight=4 (or not)\ncpu.max=25000 100000\n");
    CHECK(text_of(control_writes(1, "memory", x))
          == "memory.limit_in_bytes=67108864\nmemory.memsw.limit_in_bytes=67108864 (or not)\n");
    CHECK(text_of(control_writes(2, "memory", x))
          == "memory.max=67108864\nmemory.swap.max=0 (or not)\nmemory.oom.group=1 (or not)\n");
    CHECK(text_of(control_writes(2, "pids", x)) == "pids.max=101\n");
    CHECK(control_writes(2, "memory", {}).empty());
    CHECK(text_of(control_writes(1, "cpu", {5, 0, 0, 0})).find("cfs_quota_us=1000\n")
          != std::string::npos);
  }

  TEST_CASE("counters are read by their word") {
    CHECK(counter_in("low 0\noom 3\noom_kill 2\n", "oom_kill") == 2);
    CHECK(counter_in("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "oom_kill") == 1);
    CHECK(counter_in("oom_kill\n", "oom_kill") == 0);
    CHECK(counter_in("", "oom_kill") == 0);
  }

} // TEST_SUITE

} // namespace legion::cgroup_layout_test
