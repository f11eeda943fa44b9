#include "runtime/store/sqlite/ballast.hpp"

#include <algorithm>
#include <random>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace legion::store::sqlite {
namespace {

/// Written, not only reserved, and with noise: some file systems give no space to holes or zeros.
bool fill(const std::string& path, std::size_t bytes) {
  auto file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0)
    return false;
  std::minstd_rand noise{1};
  std::string piece(64 * 1024, '\0');
  auto left = bytes;
  while (left > 0) {
    std::generate(piece.begin(), piece.end(), [&] { return static_cast<char>(noise() >> 8); });
    auto size = std::min(left, piece.size());
    if (::write(file, piece.data(), size) != static_cast<ssize_t>(size))
      break;
    left -= size;
  }
  auto done = left == 0 && ::fsync(file) == 0; // some find out only now that there is no space
  ::close(file);
  if (!done)
    ::unlink(path.c_str());
  return done;
}

} // namespace

bool ballast::take() {
  struct stat there = {};
  whole_ = ::stat(path_.c_str(), &there) == 0 && there.st_size == static_cast<off_t>(bytes);
  if (!whole_)
    whole_ = fill(path_, bytes);
  return whole_;
}

void ballast::drop() {
  ::unlink(path_.c_str());
  whole_ = false;
}

bool ballast::fits(std::size_t more) const {
  auto path = path_ + ".try";
  auto done = fill(path, more);
  ::unlink(path.c_str());
  return done;
}

} // namespace legion::store::sqlite
