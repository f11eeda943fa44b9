#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "messages/fault.hpp"

namespace legion::simulator {

/// What a user asks `legionctl simulate` for.
struct simulate_options {
  std::vector<std::string> files;
  std::string faults;
  std::uint32_t nodes = 3;
  std::uint64_t seed = 1;
  std::chrono::seconds patience{120}; // after the last fault, until all must be ready
  std::int64_t cpu_millis = 4000;
  std::int64_t memory_bytes = 16ll << 30;
  int pods = 110;
  bool json = false;
  bool log = false;
  bool help = false;
};

inline constexpr std::uint32_t most_nodes = 100000;
inline constexpr std::uint32_t zone_limit = 125;

/// `arguments` without the program's name. Errors name the flag and what is allowed.
result<simulate_options> read_simulate_options(const std::vector<std::string>& arguments);

const char* simulate_help();

} // namespace legion::simulator
