#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace legion::simulator {

/// What happened, in order: one line each, of virtual time, node and event. The same seed gives the
/// same lines, byte for byte.
///
/// Shape:  lines go to `write` as they come; what is kept is their number and a digest of them,
///         which also takes in what is too much to write, such as every frame.
class event_log {
public:
  using writer = std::function<void(std::string_view line)>;

  void write_to(writer x) { write_ = std::move(x); }

  void add(std::chrono::microseconds time, std::string_view node, std::string_view event);
  /// Counts in the digest only.
  void digest(std::chrono::microseconds time, std::string_view what);

  std::uint64_t digest() const { return digest_; }
  std::uint64_t lines() const { return lines_; }

private:
  void mix(std::string_view bytes);

  writer write_;
  std::uint64_t digest_ = 14695981039346656037ull;
  std::uint64_t lines_ = 0;
};

/// "12.345678": seconds.
std::string time_text(std::chrono::microseconds time);

} // namespace legion::simulator
