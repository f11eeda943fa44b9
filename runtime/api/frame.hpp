#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace legion::api {

/// A frame on the wire: its length in four bytes, big endian, then the message.
inline constexpr std::size_t frame_header_bytes = 4;

inline std::size_t frame_size(const char* header) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < frame_header_bytes; ++i)
    size = size << 8 | static_cast<unsigned char>(header[i]);
  return size;
}

inline std::string framed(std::string_view message) {
  auto size = static_cast<std::uint32_t>(message.size());
  std::string frame;
  frame.reserve(frame_header_bytes + message.size());
  for (auto shift : {24, 16, 8, 0})
    frame += static_cast<char>(size >> shift);
  frame += message;
  return frame;
}

} // namespace legion::api
