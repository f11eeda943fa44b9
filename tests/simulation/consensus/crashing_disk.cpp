#include "tests/simulation/consensus/crashing_disk.hpp"

#include <algorithm>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "tests/simulation/consensus/crashing_files.hpp"

namespace legion::proof {

namespace {

constexpr std::int64_t sector = 512;
/// A disk that lies writes in the end: so many changes it keeps to itself.
constexpr std::size_t most_lies = 300;

/// A file that is written beside SQLite, after it closed it.
class plain_file {
public:
  explicit plain_file(const std::string& path, int flags = 0)
      : file_(::open(path.c_str(), O_RDWR | O_CLOEXEC | flags, 0600)) {}
  ~plain_file() {
    if (file_ >= 0)
      ::close(file_);
  }
  plain_file(const plain_file&) = delete;
  plain_file& operator=(const plain_file&) = delete;

  void write(std::string_view bytes, std::int64_t at) {
    if (file_ >= 0 && ::pwrite(file_, bytes.data(), bytes.size(), at) < 0)
      std::abort();
  }
  void resize(std::int64_t size) {
    if (file_ >= 0 && ::ftruncate(file_, size) != 0)
      std::abort();
  }
  std::int64_t size() const { return file_ >= 0 ? ::lseek(file_, 0, SEEK_END) : 0; }

private:
  int file_;
};

} // namespace

crashing_disk::crashing_disk(std::string folder, std::uint64_t seed)
    : folder_(std::move(folder)), random_(seed) {
  enrol(*this);
}

crashing_disk::~crashing_disk() {
  leave(*this);
}

void crashing_disk::stop_at(place where, std::uint64_t later) {
  armed_ = true;
  where_ = where;
  later_ = later;
}

void crashing_disk::go_on() {
  armed_ = false;
}

void crashing_disk::stop() {
  armed_ = false;
  stopped_ = true;
}

bool crashing_disk::operation(place where) {
  if (stopped_)
    return false;
  ++operations_;
  if (!armed_ || (where_ != place::anywhere && where != where_))
    return true;
  where_ = place::anywhere; // it has come there: now the others count
  if (later_-- == 0) {
    stop();
    stopped_at_ = where;
  }
  return !stopped_;
}

void crashing_disk::changed(change x) {
  unsynced_.push_back(std::move(x));
  if (lies_ && unsynced_.size() > most_lies)
    unsynced_.pop_front();
}

void crashing_disk::synced(const std::string& path) {
  if (lies_)
    return;
  auto names = false; // a log or journal that is new has its folder synced with it
  for (const auto& x : unsynced_)
    names = names || (x.what == change::kind::create && x.path == path && !x.path.ends_with(".db"));
  std::erase_if(unsynced_, [&](const change& x) {
    if (x.what == change::kind::create || x.what == change::kind::remove)
      return names;
    return x.path == path;
  });
}

void crashing_disk::take_back(const change& x) {
  switch (x.what) {
    case change::kind::write:
    case change::kind::resize: {
      plain_file file{x.path};
      file.write(x.before, x.at);
      return file.resize(x.size_before);
    }
    case change::kind::create:
      ::unlink(x.path.c_str());
      return;
    case change::kind::remove:
      plain_file{x.path, O_CREAT}.write(x.before, 0);
  }
}

/// Of a write only some: the first bytes, some sectors, or the space and none of the bytes.
void crashing_disk::cut(const change& x) {
  plain_file file{x.path};
  auto size = static_cast<std::int64_t>(x.after.size());
  switch (random_() % 3) {
    case 0:
      return file.write(std::string_view{x.after}.substr(0, random_() % x.after.size()), x.at);
    case 1:
      for (auto at = x.at; at < x.at + size;) {
        auto end = std::min(x.at + size, (at / sector + 1) * sector);
        if (random_() % 2 == 0)
          file.write(std::string_view{x.after}.substr(static_cast<std::size_t>(at - x.at),
                                                      static_cast<std::size_t>(end - at)),
                     at);
        at = end;
      }
      return;
    default:
      file.resize(std::max(file.size(), x.at + size));
  }
}

void crashing_disk::do_again(const change& x, bool whole) {
  switch (x.what) {
    case change::kind::write:
      if (whole)
        plain_file{x.path}.write(x.after, x.at);
      else if (!x.after.empty())
        cut(x);
      return;
    case change::kind::resize:
      if (whole)
        plain_file{x.path}.resize(x.at);
      return;
    case change::kind::create:
      if (whole)
        plain_file{x.path, O_CREAT};
      return;
    case change::kind::remove:
      if (whole)
        ::unlink(x.path.c_str());
  }
}

void crashing_disk::crash() {
  auto changes = std::exchange(unsynced_, {});
  auto how = lies_ ? 2 : random_() % 8;
  if (how != 0) // else all of it is there, as it lies
    for (auto i = changes.rbegin(); i != changes.rend(); ++i)
      take_back(*i);
  if (how >= 2 && how <= 4 && !changes.empty()) { // up to a moment
    auto upto = random_() % changes.size();
    for (std::size_t i = 0; i < upto; ++i)
      do_again(changes[i], true);
    do_again(changes[upto], false);
  } else if (how >= 5) { // in any order
    for (const auto& x : changes)
      if (auto part = random_() % 4; part != 0)
        do_again(x, part != 1);
  }
  stopped_ = false;
  armed_ = false;
}

} // namespace legion::proof
