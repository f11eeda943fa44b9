#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include <google/protobuf/message_lite.h>

namespace legion::drivers {

/// Largest frame on the supervisor's socket, either way.
inline constexpr std::size_t max_supervision_frame_bytes = 4 * 1024 * 1024;

/// A message behind its length: four bytes, the lowest first.
inline std::string framed(const google::protobuf::MessageLite& message) {
  auto size = static_cast<std::uint32_t>(message.ByteSizeLong());
  std::string result(4, '\0');
  for (int i = 0; i < 4; ++i)
    result[static_cast<std::size_t>(i)] = static_cast<char>(size >> (8 * i));
  message.AppendToString(&result);
  return result;
}

/// Cuts a stream into frames. `broken` once a length is past the limit: the stream is of no more
/// use.
class frame_reader {
public:
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  bool broken() const { return broken_; }

  std::optional<std::string> next() {
    if (broken_ || buffer_.size() < 4)
      return std::nullopt;
    std::uint32_t size = 0;
    for (int i = 3; i >= 0; --i)
      size = size << 8 | static_cast<unsigned char>(buffer_[static_cast<std::size_t>(i)]);
    if (size > max_supervision_frame_bytes) {
      broken_ = true;
      return std::nullopt;
    }
    if (buffer_.size() < 4 + std::size_t{size})
      return std::nullopt;
    auto result = buffer_.substr(4, size);
    buffer_.erase(0, 4 + std::size_t{size});
    return result;
  }

private:
  std::string buffer_;
  bool broken_ = false;
};

} // namespace legion::drivers
