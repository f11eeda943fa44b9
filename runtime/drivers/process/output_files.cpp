#include "runtime/drivers/process/output_files.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/drivers/supervisor/workload_files.hpp"

namespace legion::drivers {
namespace {

namespace fs = std::filesystem;

/// Lives with output, by container.
std::map<std::string, std::set<std::int64_t>> lives_in(const std::string& folder) {
  std::map<std::string, std::set<std::int64_t>> result;
  std::error_code error;
  for (fs::directory_iterator i{folder, error}, end; !error && i != end; i.increment(error)) {
    auto name = i->path().filename().string(); // CONTAINER.LIFE.log
    if (!name.ends_with(".log"))
      continue;
    name.resize(name.size() - 4);
    auto dot = name.rfind('.');
    std::int64_t life = -1;
    if (dot != name.npos)
      std::from_chars(name.data() + dot + 1, name.data() + name.size(), life);
    if (life >= 0)
      result[name.substr(0, dot)].insert(life);
  }
  return result;
}

/// Where the last `lines` lines begin, not before `first`.
std::int64_t lines_from_end(int file, std::int64_t first, std::int64_t size, std::int64_t lines) {
  std::string piece(max_output_piece_bytes, '\0');
  auto at = size;
  std::int64_t seen = 0;
  while (at > first) {
    auto from = std::max<std::int64_t>(first, at - static_cast<std::int64_t>(piece.size()));
    auto n = pread(file, piece.data(), static_cast<std::size_t>(at - from), from);
    if (n != at - from)
      break;
    for (auto i = n - 1; i >= 0; --i)
      if (piece[static_cast<std::size_t>(i)] == '\n' && from + i != size - 1 && ++seen == lines)
        return from + i + 1;
    at = from;
  }
  return first;
}

} // namespace

result<found_output> read_output_file(const std::string& data_folder, const std::string& workload,
                                      const std::string& container, std::int64_t life,
                                      std::int64_t offset) {
  if (!workload_files::good_name(workload)
      || (!container.empty() && !workload_files::good_name(container)))
    return fault{errc::invalid, "\"" + workload + "\", \"" + container + "\": not names"};
  auto folder = data_folder + "/logs/" + workload;
  auto there = lives_in(folder);
  auto i = container.empty() ? there.begin() : there.find(container);
  if (i == there.end())
    return fault{errc::not_found,
                 "no output of " + (container.empty() ? workload : container) + " is kept here"};
  found_output result;
  result.container = i->first;
  result.life = life < 0 ? *i->second.rbegin() : life;
  if (!i->second.contains(result.life))
    return fault{errc::not_found, "no output of life " + std::to_string(life) + " of " + i->first
                                      + " is kept; there is " + std::to_string(*i->second.begin())
                                      + " to " + std::to_string(*i->second.rbegin())};
  auto path = folder + "/" + i->first + "." + std::to_string(result.life) + ".log";
  auto file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat about {};
  if (file < 0 || fstat(file, &about) != 0) {
    auto why = path + ": " + std::strerror(errno);
    if (file >= 0)
      close(file);
    return fault{errc::disk, why};
  }
  auto size = static_cast<std::int64_t>(about.st_size);
  // What is older than the newest 10 MiB is a hole.
  auto first = static_cast<std::int64_t>(lseek(file, 0, SEEK_DATA));
  if (first < 0)
    first = errno == ENXIO ? size : 0;
  auto from = offset < 0 ? lines_from_end(file, first, size, -offset)
                         : std::clamp(offset, std::min(first, size), size);
  auto& text = result.piece.text;
  for (auto tries = 0; tries < 3; ++tries) {
    text.resize(
        static_cast<std::size_t>(std::min<std::int64_t>(size - from, max_output_piece_bytes)));
    auto n = pread(file, text.data(), text.size(), from);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    // Dug away while it was read: what was there is zeros now, and no output.
    auto first_now = static_cast<std::int64_t>(lseek(file, 0, SEEK_DATA));
    if (first_now <= from || first_now > size)
      break;
    from = first_now;
  }
  close(file);
  result.piece.next_offset = from + static_cast<std::int64_t>(text.size());
  result.piece.end = result.piece.next_offset >= size;
  return result;
}

} // namespace legion::drivers
