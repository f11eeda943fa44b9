/// Sums of amounts that a manifest or a peer names: what is too large for 64 bits is the largest.
#pragma once

#include <algorithm>
#include <cstdint>

namespace legion {

/// A negative amount counts as none.
inline std::int64_t saturating_sum(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  return __builtin_add_overflow(std::max<std::int64_t>(0, a), std::max<std::int64_t>(0, b), &result)
             ? INT64_MAX
             : result;
}

} // namespace legion
