#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace legion::proof {

/// What clients saw of a few registers, and whether one register each could have done that.
///
/// Shape:  times are event numbers, all different. Every write of a key writes another value; 0 is
///         what a key holds at first. An operation whose end was not seen may have happened at any
///         time after its beginning, or never.
/// Source: Gibbons and Korach 1997, Testing Shared Memories, 3.1: with unique values a history of a
///         register is linearizable if no two forward zones overlap and no backward zone lies within
///         a forward one. Exact, and n log n; no search as in Wing and Gong 1993 is needed.
class history {
public:
  static constexpr std::uint64_t never = ~std::uint64_t{0};

  void wrote(std::uint32_t key, std::uint32_t value, std::uint64_t begin, std::uint64_t end);
  void read(std::uint32_t key, std::uint32_t value, std::uint64_t begin, std::uint64_t end);

  /// Empty: linearizable. Else what is not.
  std::string flaw() const;

private:
  struct cluster { // of a write and the reads of its value
    bool written = false;
    std::uint64_t write_begin = 0;
    std::uint64_t first_end = never;
    std::uint64_t last_begin = 0;
    bool seen = false; // by a read, or the write is known to have ended
  };
  static std::string flaw_of(std::uint32_t key, const std::map<std::uint32_t, cluster>& values);

  std::map<std::uint32_t, std::map<std::uint32_t, cluster>> keys_;
};

} // namespace legion::proof
