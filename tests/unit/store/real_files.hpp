#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "runtime/store/sqlite/sqlite_store.hpp"

/// What the journal's tests share: they all work on real files.
namespace legion::real_files {

namespace fs = std::filesystem;

/// A folder of its own for one test.
struct folder {
  folder() {
    auto pattern = (fs::temp_directory_path() / "legion-store-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~folder() { fs::remove_all(path); }
  std::string path;
};

/// Hears what became of each batch, and waits for it.
struct outcomes final : store::sink {
  void written(std::uint64_t correlation) override { note(correlation, errc::none); }
  void failed(std::uint64_t correlation, fault why) override {
    detail = why.detail;
    note(correlation, why.code);
  }
  void note(std::uint64_t correlation, errc code) {
    std::lock_guard guard{mutex};
    order.push_back(correlation);
    codes[correlation] = code;
    changed.notify_all();
  }
  errc of(std::uint64_t correlation) {
    std::unique_lock guard{mutex};
    REQUIRE(changed.wait_for(guard, std::chrono::seconds{30},
                             [&] { return codes.contains(correlation); }));
    return codes[correlation];
  }
  void health_changed(const store::health& now) override {
    std::lock_guard guard{mutex};
    full = now.full;
    changed.notify_all();
  }
  bool becomes_full(bool x) {
    std::unique_lock guard{mutex};
    return changed.wait_for(guard, std::chrono::seconds{30}, [&] { return full == x; });
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::uint64_t, errc> codes;
  std::vector<std::uint64_t> order;
  std::string detail;
  bool full = false;
};

inline record_batch batch(std::vector<std::pair<std::string, std::string>> pairs) {
  record_batch result;
  for (auto& [key, value] : pairs) {
    auto* x = result.add_records();
    x->set_key(key);
    x->set_value(value);
  }
  return result;
}

inline std::string text_of(const std::vector<record>& records) {
  std::string result;
  for (auto& x : records)
    result += x.key() + "=" + x.value() + " ";
  return result;
}

inline store::opened reopen(const std::string& path) {
  auto opened = store::sqlite::open(path);
  if (!opened)
    FAIL(opened.why().detail);
  return std::move(*opened);
}

} // namespace legion::real_files
