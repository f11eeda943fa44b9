#include "runtime/store/sqlite/wal_scan.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string_view>

namespace legion::store::sqlite {
namespace {

constexpr std::size_t header_bytes = 32;
constexpr std::size_t frame_header_bytes = 24;

std::uint32_t big_endian(const char* at) {
  auto* x = reinterpret_cast<const unsigned char*>(at);
  return std::uint32_t{x[0]} << 24 | std::uint32_t{x[1]} << 16 | std::uint32_t{x[2]} << 8 | x[3];
}

/// SQLite's running checksum over pairs of words, whose byte order the magic number tells.
class running_sum {
public:
  explicit running_sum(bool big) : big_(big) {}

  void add(std::string_view bytes) {
    for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
      first_ += word(bytes.data() + i) + second_;
      second_ += word(bytes.data() + i + 4) + first_;
    }
  }

  void put(char* at) const {
    for (auto x : {first_, second_})
      for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = static_cast<char>(x >> shift);
  }

  bool is(const char* at) const {
    return first_ == big_endian(at) && second_ == big_endian(at + 4);
  }

private:
  std::uint32_t word(const char* at) const {
    auto x = big_endian(at);
    return big_ ? x : __builtin_bswap32(x);
  }

  bool big_;
  std::uint32_t first_ = 0;
  std::uint32_t second_ = 0;
};

fault damaged(const std::string& path, const std::string& what) {
  return {errc::damaged, path + ": " + what
                             + "; acknowledged records are lost behind it. Restore the file, or "
                               "move the data folder away to start anew"};
}

} // namespace

result<void> scan_wal(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  std::array<char, header_bytes> header{};
  if (!file.read(header.data(), header.size()))
    return {};
  auto magic = big_endian(header.data());
  auto page_bytes = std::size_t{big_endian(header.data() + 8)};
  running_sum sum{(magic & 1) != 0};
  sum.add({header.data(), 24});
  if (!sum.is(header.data() + 24) || (magic & ~1u) != 0x377f0682 || page_bytes < 512
      || page_bytes > 65536) {
    if (header == std::array<char, header_bytes>{})
      return {}; // space that was given to the file before its first write was
    return damaged(path, "the header does not check");
  }
  std::string frame(frame_header_bytes + page_bytes, '\0');
  std::size_t number = 0, bad = 0, lost_commits = 0;
  while (file.read(frame.data(), static_cast<std::streamsize>(frame.size()))) {
    ++number;
    auto current = std::memcmp(frame.data() + 8, header.data() + 16, 8) == 0;
    sum.add({frame.data(), 8});
    sum.add({frame.data() + frame_header_bytes, page_bytes});
    if (!bad && !(current && sum.is(frame.data() + 16)))
      bad = number;
    if (bad && current && big_endian(frame.data() + 4) != 0)
      ++lost_commits;
  }
  if (lost_commits > 1)
    return damaged(path, "frame " + std::to_string(bad) + " does not check");
  return {};
}

bool accept_all_frames(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  std::string all{std::istreambuf_iterator<char>{file}, {}};
  if (all.size() < header_bytes)
    return false;
  auto page_bytes = std::size_t{big_endian(all.data() + 8)};
  if (page_bytes < 512 || page_bytes > 65536)
    return false;
  running_sum sum{(big_endian(all.data()) & 1) != 0};
  sum.add({all.data(), 24});
  sum.put(all.data() + 24);
  auto result = all.substr(0, header_bytes);
  auto frame_bytes = frame_header_bytes + page_bytes;
  for (auto at = header_bytes; at + frame_bytes <= all.size(); at += frame_bytes) {
    auto* frame = all.data() + at;
    if (std::memcmp(frame + 8, all.data() + 16, 8) != 0)
      continue;
    sum.add({frame, 8});
    sum.add({frame + frame_header_bytes, page_bytes});
    sum.put(frame + 16);
    result.append(frame, frame_bytes);
  }
  std::ofstream to{path, std::ios::binary | std::ios::trunc};
  to << result;
  return static_cast<bool>(to.flush());
}

} // namespace legion::store::sqlite
