#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "messages/identity.pb.h"

namespace legion {

/// Who a node is, for good: the first 16 bytes of the hash of its first public key, never an
/// address.
///
/// Shape:  16 bytes; on the wire `bytes`, in text 32 lower-case hexadecimal digits.
/// Errors: bytes of another length read as the null id, which no node has.
class node_id {
public:
  static constexpr std::size_t size = 16;

  node_id() = default;

  static node_id from_bytes(std::string_view bytes) {
    node_id result;
    if (bytes.size() == size)
      std::memcpy(result.bytes_.data(), bytes.data(), size);
    return result;
  }

  std::string bytes() const { return {reinterpret_cast<const char*>(bytes_.data()), size}; }

  /// 32 hexadecimal digits.
  std::string text() const {
    static constexpr char digits[] = "0123456789abcdef";
    std::string result;
    result.reserve(2 * size);
    for (auto byte : bytes_) {
      result += digits[byte >> 4];
      result += digits[byte & 15];
    }
    return result;
  }

  /// The first 8 digits: enough to tell a zone's nodes apart in a table.
  std::string short_text() const { return text().substr(0, 8); }

  bool null() const { return *this == node_id{}; }

  const std::array<std::uint8_t, size>& raw() const { return bytes_; }

  friend bool operator==(const node_id& a, const node_id& b) {
    return std::memcmp(a.bytes_.data(), b.bytes_.data(), size) == 0;
  }
  /// As the bytes compare, by two words: tables are searched by it millions of times a second.
  friend std::strong_ordering operator<=>(const node_id& a, const node_id& b) {
    if (auto c = a.word(0) <=> b.word(0); c != 0)
      return c;
    return a.word(8) <=> b.word(8);
  }

private:
  std::uint64_t word(std::size_t at) const {
    std::uint64_t x;
    std::memcpy(&x, bytes_.data() + at, sizeof x);
    return std::endian::native == std::endian::little ? __builtin_bswap64(x) : x;
  }

  std::array<std::uint8_t, size> bytes_{};
};

/// Counts a node's starts; a higher one means that everything of the lower is dead.
enum class start_number : std::uint64_t {};

constexpr std::uint64_t value(start_number x) {
  return static_cast<std::uint64_t>(x);
}

/// One of a zone's keeper groups.
enum class group_id : std::uint32_t {};

constexpr std::uint32_t value(group_id x) {
  return static_cast<std::uint32_t>(x);
}
constexpr std::uint32_t groups_per_zone = 64;
/// The zone's own group: no resources, but who is a member.
constexpr group_id charter_group{groups_per_zone};

/// Order numbers compare by incarnation, then by commit index.
inline std::strong_ordering compare(const order_number& a, const order_number& b) {
  if (auto c = a.incarnation() <=> b.incarnation(); c != 0)
    return c;
  return a.index() <=> b.index();
}

} // namespace legion

template <>
struct std::hash<legion::node_id> {
  std::size_t operator()(const legion::node_id& x) const noexcept {
    std::size_t result;
    std::memcpy(&result, x.raw().data(), sizeof(result));
    return result;
  }
};
