#include "runtime/store/sqlite/wal_scan.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <string_view>

namespace legion::store::sqlite {
namespace {

constexpr std::size_t header_bytes = 32;
constexpr std::size_t frame_header_bytes = 24;

std::uint32_t little_endian(const char* at) {
  std::uint32_t x;
  std::memcpy(&x, at, sizeof x);
  return std::endian::native == std::endian::little ? x : __builtin_bswap32(x);
}

std::uint32_t big_endian(const char* at) {
  return __builtin_bswap32(little_endian(at));
}

void put_big_endian(std::uint32_t x, char* at) {
  for (int shift = 24; shift >= 0; shift -= 8)
    *at++ = static_cast<char>(x >> shift);
}

/// SQLite's running checksum over pairs of words, whose byte order the magic number tells.
class running_sum {
public:
  explicit running_sum(bool big) : big_(big) {}

  void add(std::string_view bytes) {
    auto first = first_, second = second_;
    for (auto *at = bytes.data(), *end = at + bytes.size() / 8 * 8; at != end; at += 8) {
      first += word(at) + second;
      second += word(at + 4) + first;
    }
    first_ = first;
    second_ = second;
  }

  void put(char* at) const {
    put_big_endian(first_, at);
    put_big_endian(second_, at + 4);
  }

  bool is(const char* at) const {
    return first_ == big_endian(at) && second_ == big_endian(at + 4);
  }

private:
  std::uint32_t word(const char* at) const { return big_ ? big_endian(at) : little_endian(at); }

  bool big_;
  std::uint32_t first_ = 0;
  std::uint32_t second_ = 0;
};

fault damaged(const std::string& path, const std::string& what) {
  return {errc::damaged, path + ": " + what + "; acknowledged records are lost behind it"};
}

/// The sum over the header that a log had before it was overwritten, wholly or in part, by that of
/// the next log: its salts are in its first frame, whose sum goes on from it. The next header
/// counts one more.
std::optional<running_sum> sum_of_earlier_header(std::string_view log, std::size_t page_bytes) {
  auto* first = log.data() + header_bytes;
  auto count = big_endian(log.data() + 12);
  for (std::uint32_t more : {0u, 1u, 0x100u, 0x10000u, 0x1000000u}) { // the count may be torn too
    std::string was{log.substr(0, 24)};
    put_big_endian(count - more, was.data() + 12);
    was.replace(16, 8, first + 8, 8);
    running_sum sum{(was[3] & 1) != 0};
    sum.add(was);
    auto next = sum;
    next.add({first, 8});
    next.add({first + frame_header_bytes, page_bytes});
    if (next.is(first + 16))
      return sum;
  }
  return std::nullopt;
}

/// Whether the database has all that a log commits whose header does not check.
bool has_all(const std::string& database, std::string_view log, std::size_t page_bytes) {
  auto frame_bytes = frame_header_bytes + page_bytes;
  if (log.size() == header_bytes)
    return true; // nothing is behind it
  auto sum = log.size() < header_bytes + frame_bytes ? std::nullopt
                                                     : sum_of_earlier_header(log, page_bytes);
  if (!sum)
    return false;
  std::map<std::uint32_t, std::string_view> open, committed;
  std::uint32_t pages = 0;
  for (auto at = header_bytes; at + frame_bytes <= log.size(); at += frame_bytes) {
    auto* frame = log.data() + at;
    std::string_view page{frame + frame_header_bytes, page_bytes};
    sum->add({frame, 8});
    sum->add(page);
    if (std::memcmp(frame + 8, log.data() + header_bytes + 8, 8) != 0 || !sum->is(frame + 16))
      break;
    open[big_endian(frame)] = page;
    if (auto size = big_endian(frame + 4); size != 0) {
      pages = size;
      for (auto& [number, newest] : open)
        committed[number] = newest;
      open.clear();
    }
  }
  std::ifstream file{database, std::ios::binary};
  std::string there(page_bytes, '\0');
  for (auto& [number, page] : committed) {
    if (number > pages)
      continue;
    file.seekg(static_cast<std::streamoff>((number - 1) * page_bytes));
    if (number == 0 || !file.read(there.data(), static_cast<std::streamsize>(page_bytes))
        || there != page)
      return false;
  }
  return true;
}

} // namespace

result<std::optional<std::uint64_t>> scan_wal(const std::string& path,
                                              const std::string& database) {
  std::ifstream file{path, std::ios::binary};
  std::array<char, header_bytes> header{};
  if (!file.read(header.data(), header.size()))
    return {std::nullopt};
  auto magic = big_endian(header.data());
  auto page_bytes = std::size_t{big_endian(header.data() + 8)};
  running_sum sum{(magic & 1) != 0};
  sum.add({header.data(), 24});
  auto is_log = (magic & ~1u) == 0x377f0682 && page_bytes >= 512 && page_bytes <= 65536;
  if (!is_log || !sum.is(header.data() + 24)) {
    if (header == std::array<char, header_bytes>{})
      return {std::nullopt}; // space that was given to the file before its first write was
    std::string log{header.data(), header.size()};
    log.append(std::istreambuf_iterator<char>{file}, {});
    if (is_log && has_all(database, log, page_bytes))
      return {std::uint64_t{0}}; // it was about to be begun anew
    return damaged(path, "the header does not check");
  }
  std::string frame(frame_header_bytes + page_bytes, '\0');
  std::size_t number = 0, bad = 0, lost_commits = 0, committed = 0, newest = 0;
  while (file.read(frame.data(), static_cast<std::streamsize>(frame.size()))) {
    ++number;
    auto current = std::memcmp(frame.data() + 8, header.data() + 16, 8) == 0;
    sum.add({frame.data(), 8});
    sum.add({frame.data() + frame_header_bytes, page_bytes});
    if (!bad && !(current && sum.is(frame.data() + 16)))
      bad = number;
    if (current)
      newest = number;
    if (current && big_endian(frame.data() + 4) != 0)
      bad ? ++lost_commits : committed = number;
  }
  if (lost_commits > 1)
    return damaged(path, "frame " + std::to_string(bad) + " does not check");
  if (newest > committed || file.gcount() > 0)
    return {header_bytes + committed * frame.size()};
  return {std::nullopt};
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
