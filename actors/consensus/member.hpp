#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "messages/ids.hpp"

namespace legion::consensus {

/// Counts entries from 1; 0 is before the first.
using log_index = std::uint64_t;
/// Counts elections; at most one leader in each.
using term_number = std::uint64_t;

/// Which journal a node keeps: random bytes made with it. Another journal remembers no promises.
///
/// Shape: 16 bytes. Bytes of another length read as the null id, which no journal has.
class journal_id {
public:
  static constexpr std::size_t size = 16;

  journal_id() = default;

  static journal_id from_bytes(std::string_view bytes) {
    journal_id result;
    if (bytes.size() == size)
      std::memcpy(result.bytes_.data(), bytes.data(), size);
    return result;
  }

  std::string bytes() const { return {reinterpret_cast<const char*>(bytes_.data()), size}; }
  bool null() const { return *this == journal_id{}; }

  friend auto operator<=>(const journal_id&, const journal_id&) = default;

private:
  std::array<std::uint8_t, size> bytes_{};
};

/// Who promises in a group: a node with its journal.
struct member_id {
  node_id node;
  journal_id journal;

  bool null() const { return node.null(); }
  friend auto operator<=>(const member_id&, const member_id&) = default;
};

} // namespace legion::consensus
