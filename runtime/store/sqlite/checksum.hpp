#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace legion::store::sqlite {

/// CRC32C (Castagnoli, reflected), one byte at a time: a row is checked once, when it is written or
/// replayed. `before` chains pieces.
inline std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> result{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      auto x = i;
      for (int bit = 0; bit < 8; ++bit)
        x = (x >> 1) ^ ((x & 1) ? 0x82f63b78u : 0u);
      result[i] = x;
    }
    return result;
  }();
  auto crc = ~before;
  for (unsigned char byte : bytes)
    crc = (crc >> 8) ^ table[(crc ^ byte) & 0xff];
  return ~crc;
}

} // namespace legion::store::sqlite
