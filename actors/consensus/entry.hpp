#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/consensus/member.hpp"

namespace legion::consensus {

enum class entry_kind : std::uint8_t {
  noop = 0,          // a leader's first
  data = 1,          // opaque bytes: the owner's
  configuration = 2, // bytes of a `consensus_configuration`
};

/// One entry of the log. Never changed once made, so that logs, writes and messages share it.
struct entry {
  log_index index = 0;
  term_number term = 0;
  entry_kind kind = entry_kind::noop;
  std::string data;
};

using entry_ref = std::shared_ptr<const entry>;
using entry_refs = std::vector<entry_ref>;

/// What an entry counts for in limits.
inline std::size_t cost(const entry& x) {
  return x.data.size() + 24;
}

} // namespace legion::consensus
