#pragma once

#include <cstdint>
#include <string>

namespace legion::drivers {

/// What one life may leave behind.
inline constexpr std::int64_t max_output_bytes = 10 * 1024 * 1024;

/// How many lives of a container keep their output.
inline constexpr std::uint32_t kept_lives = 3;

/// How many removed workloads keep their output.
inline constexpr std::size_t kept_removed = 32;

/// The file with one life's stdout and stderr.
///
/// Shape:  the newest 10 MiB; an offset in the file is the offset in all that was ever written. The
///         part before is a hole in the file and takes no space. Never blocks the writer: what the
///         disk does not take is dropped.
class life_output {
public:
  /// Makes the file and the pipe; the errno of what failed, or 0.
  int open(const std::string& path);
  life_output() = default;
  life_output(const life_output&) = delete;
  life_output& operator=(const life_output&) = delete;
  ~life_output();

  int reading_end() const { return reading_; }
  int writing_end() const { return writing_; }
  /// The workload has its own copy now.
  void close_writing_end();
  /// Moves what waits in the pipe, up to a bound. False at the end of the stream.
  bool pump();
  /// Moves all that waits, then closes the pipe.
  void finish();

private:
  void keep(const char* data, std::size_t size);
  void drop_oldest();

  int file_ = -1;
  int reading_ = -1;
  int writing_ = -1;
  std::int64_t written_ = 0;
  std::int64_t dropped_to_ = 0;
};

} // namespace legion::drivers
