#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "runtime/drivers/process/process_driver.hpp"

/// What the process driver's tests share: real processes under a real supervisor.
namespace legion::real_machine {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// What the driver said, to be waited for with a deadline.
struct heard final : drivers::sink {
  void launched(std::uint64_t id, result<process_status> x) override { put(launches, id, x); }
  void stopped(std::uint64_t id, result<void> x) override { put(stops, id, x); }
  void renewed(std::uint64_t id, result<void> x) override { put(renewals, id, x); }
  void removed(std::uint64_t id, result<void> x) override { put(removals, id, x); }
  void listed(std::uint64_t id, result<process_list> x) override { put(lists, id, x); }
  void probed(std::uint64_t id, drivers::probe_outcome x) override { put(probes, id, x); }
  void read(std::uint64_t id, result<drivers::output> x) override { put(reads, id, x); }
  void exited(process_status x) override {
    std::lock_guard guard{mutex};
    exits.insert_or_assign(x.workload() + "/" + x.container() + "/" + std::to_string(x.life()), x);
    changed.notify_all();
  }
  void supervisor_lost(std::string why) override {
    std::lock_guard guard{mutex};
    lost.push_back(why);
    changed.notify_all();
  }

  template <class M, class T>
  void put(M& into, std::uint64_t id, T x) {
    std::lock_guard guard{mutex};
    into.emplace(id, std::move(x));
    changed.notify_all();
  }
  template <class M, class K>
  auto wait(M& in, const K& key) {
    std::unique_lock guard{mutex};
    REQUIRE(changed.wait_for(guard, 30s, [&] { return in.contains(key); }));
    return in.at(key);
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::uint64_t, result<process_status>> launches;
  std::map<std::uint64_t, result<void>> stops, renewals, removals;
  std::map<std::uint64_t, result<process_list>> lists;
  std::map<std::uint64_t, drivers::probe_outcome> probes;
  std::map<std::uint64_t, result<drivers::output>> reads;
  std::map<std::string, process_status> exits;
  std::vector<std::string> lost;
};

/// A data folder with a driver; everything is ended and must be gone when the test is done.
struct machine {
  machine() {
    auto pattern = (fs::temp_directory_path() / "legion-driver-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    start();
  }
  ~machine() {
    if (driver) {
      driver->shut_down(++next, 0);
      CHECK(told->wait(told->stops, next));
      driver.reset();
    }
    CHECK(groups_left().empty());
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  void start() {
    told = std::make_unique<heard>();
    auto made = drivers::process_driver({folder, "/proc/self/exe"})(*told);
    if (!made)
      FAIL(made.why().detail);
    driver = std::move(*made);
  }

  /// Every cgroup below a `legion` group that this data folder's supervisor made.
  std::vector<std::string> groups_left() {
    std::vector<std::string> result;
    std::ifstream file{folder + "/supervisor.cgroups"};
    for (std::string line; std::getline(file, line);)
      if (fs::exists(line))
        result.push_back(line);
    return result;
  }

  /// The value of a control file in the group of a life, wherever this machine has it.
  std::string control(const std::string& life, const std::string& name) {
    std::ifstream places{folder + "/supervisor.cgroups"};
    for (std::string place; std::getline(places, place);) {
      std::ifstream file{place + "/" + life + "/" + name};
      std::string value;
      if (std::getline(file, value))
        return value;
    }
    return {};
  }

  static launch shell(const std::string& workload, const std::string& script,
                      std::uint32_t life = 0) {
    launch x;
    x.set_workload(workload);
    x.set_container("main");
    x.set_life(life);
    for (auto* word : {"/bin/sh", "-c"})
      x.add_argv(word);
    x.add_argv(script);
    return x;
  }

  result<process_status> run(const launch& x) {
    driver->launch(++next, x);
    return told->wait(told->launches, next);
  }
  process_status exit_of(const std::string& workload, std::uint32_t life = 0) {
    return told->wait(told->exits, workload + "/main/" + std::to_string(life));
  }
  void stop(const std::string& workload, std::int64_t grace_ms) {
    legion::stop x;
    x.set_workload(workload);
    x.set_grace_ms(grace_ms);
    driver->stop(++next, x);
    CHECK(told->wait(told->stops, next));
  }
  process_list list() {
    driver->list(++next);
    auto all = told->wait(told->lists, next);
    REQUIRE(all);
    return *all;
  }
  result<drivers::output> read(const std::string& workload, std::int64_t life,
                               std::int64_t offset) {
    driver->read(++next, workload, "main", life, offset);
    return told->wait(told->reads, next);
  }
  /// All output until `found` is in it, or the life's end.
  std::string read_until(const std::string& workload, const std::string& found) {
    auto deadline = std::chrono::steady_clock::now() + 30s;
    for (;;) {
      auto x = read(workload, -1, 0);
      if (x && (x->text.find(found) != std::string::npos || x->end))
        return x->text;
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      std::this_thread::yield();
    }
  }
  std::string output_of(const std::string& workload, const std::string& script,
                        std::function<void(launch&)> change = {}) {
    auto x = shell(workload, script);
    if (change)
      change(x);
    auto started = run(x);
    if (!started)
      FAIL(started.why().detail);
    exit_of(workload);
    auto text = read(workload, 0, 0);
    REQUIRE(text);
    CHECK(text->end);
    return text->text;
  }
  drivers::probe_outcome probe(const drivers::probe_target& where) {
    driver->probe(++next, where);
    return told->wait(told->probes, next);
  }

  std::string folder;
  std::unique_ptr<heard> told;
  std::unique_ptr<drivers::driver> driver;
  std::uint64_t next = 0;
};

inline bool root_or_skip() {
  if (geteuid() == 0)
    return true;
  MESSAGE("skipped: needs root");
  return false;
}

} // namespace legion::real_machine
