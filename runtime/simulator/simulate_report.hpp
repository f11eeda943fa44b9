/// What `legionctl simulate` says in the end, for people in 80 columns and as JSON.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "messages/api.pb.h"
#include "messages/time.hpp"

namespace legion::simulator {

/// What came of one resource in one zone.
struct placed {
  std::uint32_t zone = 0;
  std::string kind;
  std::string space; // its namespace
  std::string name;
  std::int32_t wanted = 0;
  std::int32_t ready = 0;
  milliseconds ready_in{0};         // from apply to its last replica, the first time
  std::map<std::string, int> nodes; // ready replicas
  std::string waits;                // why one that is not ready waits
};

/// What came of it all. `last_fault` and `ended` count from apply, which is each zone's own; of several
/// zones it is the latest.
struct simulated {
  std::uint32_t nodes = 0;
  std::uint32_t zones = 0;
  std::uint64_t seed = 0;
  std::size_t faults = 0;
  std::chrono::microseconds last_fault{0};
  std::chrono::microseconds formed{0}; // from the start
  std::chrono::microseconds ended{0};
  std::chrono::seconds patience{0};
  bool ready = false;
  std::vector<simulator::placed> placed;
};

/// Shape: at most 40 rows, 20 lines of placement, and 20 nodes in each.
std::string text_of(const simulated& x);

std::string json_of(const simulated& x);

/// A diagnostic of the manifest, with what it is.
std::string told(const diagnostic& x);

} // namespace legion::simulator
