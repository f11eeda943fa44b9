#include "runtime/drivers/supervisor/life_output.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace legion::drivers {
namespace {

constexpr std::int64_t hole_bytes = 1024 * 1024; // dug at once
// Of a block that lies in the hole only in part, that part is written over with zeros: a reader who
// looks for the first data would find them.
constexpr std::int64_t hole_step = 64 * 1024;
constexpr int pieces_a_turn = 4; // of 64 KiB: one loud workload must not starve others
char piece[64 * 1024];           // the supervisor has one thread

} // namespace

int life_output::open(const std::string& path) {
  file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file_ < 0)
    return errno;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return errno;
  reading_ = ends[0];
  writing_ = ends[1];
  fcntl(reading_, F_SETFL, O_NONBLOCK);
  return 0;
}

life_output::~life_output() {
  for (auto x : {file_, reading_, writing_})
    if (x >= 0)
      close(x);
}

void life_output::close_writing_end() {
  if (writing_ >= 0)
    close(writing_);
  writing_ = -1;
}

bool life_output::pump() {
  for (int i = 0; i < pieces_a_turn; ++i) {
    auto n = read(reading_, piece, sizeof(piece));
    if (n > 0)
      keep(piece, static_cast<std::size_t>(n));
    else
      return n < 0 && (errno == EAGAIN || errno == EINTR);
  }
  return true;
}

void life_output::finish() {
  close_writing_end();
  if (reading_ < 0)
    return;
  // Bounded: somebody outside may hold the other end and write on.
  for (int i = 0; i < 64; ++i) {
    auto n = read(reading_, piece, sizeof(piece));
    if (n <= 0)
      break;
    keep(piece, static_cast<std::size_t>(n));
  }
  close(reading_);
  reading_ = -1;
  close(file_);
  file_ = -1;
}

void life_output::keep(const char* data, std::size_t size) {
  while (size > 0) {
    auto n = pwrite(file_, data, size, written_);
    if (n <= 0)
      return; // a full disk loses output, never a workload's turn
    written_ += n;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  if (written_ - dropped_to_ > max_output_bytes)
    drop_oldest();
}

void life_output::drop_oldest() {
  auto to = written_ - max_output_bytes + hole_bytes;
  to -= to % hole_step;
  if (fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, to) == 0) {
    dropped_to_ = to;
    return;
  }
  // A file system without holes: begin again, at the same offset.
  if (ftruncate(file_, 0) == 0)
    dropped_to_ = written_;
}

} // namespace legion::drivers
