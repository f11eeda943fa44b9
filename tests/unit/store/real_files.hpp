#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
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

constexpr std::size_t log_header_bytes = 32;
constexpr std::size_t log_frame_bytes = 24 + 4096;

/// The whole of a file.
inline std::string bytes_of(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// Where the last frame of a write-ahead log ends: zeros that are reserved behind it are not counted.
inline std::size_t end_of_log(const std::string& path) {
  auto all = bytes_of(path);
  auto last = all.find_last_not_of('\0');
  if (last == std::string::npos || last < log_header_bytes)
    return std::min(all.size(), log_header_bytes);
  auto frames = (last - log_header_bytes) / log_frame_bytes + 1;
  return std::min(all.size(), log_header_bytes + frames * log_frame_bytes);
}

} // namespace legion::real_files
