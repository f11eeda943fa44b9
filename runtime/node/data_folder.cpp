#include "runtime/node/data_folder.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

namespace legion::node_process {

namespace {

std::string last_error() {
  return std::strerror(errno);
}

/// Closes a file descriptor at the end of a scope.
struct closing {
  int fd;
  ~closing() {
    if (fd >= 0)
      ::close(fd);
  }
};

result<void> write_synced(const std::string& path, const std::string& bytes) {
  // Written aside and renamed, so that a crash leaves either no key or a whole one.
  auto aside = path + ".new";
  closing file{::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (file.fd < 0
      || ::write(file.fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())
      || ::fsync(file.fd) != 0 || ::rename(aside.c_str(), path.c_str()) != 0)
    return fault{errno == ENOSPC ? errc::disk_full : errc::disk,
                 path + ": cannot be written: " + last_error()};
  closing folder{::open(std::filesystem::path{path}.parent_path().c_str(),
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.fd < 0 || ::fsync(folder.fd) != 0)
    return fault{errc::disk, path + ": its folder cannot be synced: " + last_error()};
  return {};
}

} // namespace

result<data_folder> data_folder::open(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error)
    return fault{errc::disk, "data folder " + path + ": cannot be made: " + error.message()
                                 + "; choose another with --data DIR"};
  ::chmod(path.c_str(), 0700);
  auto name = path + "/lock";
  auto fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return fault{errc::disk, name + ": cannot be opened: " + last_error()
                                 + "; choose another folder with --data DIR"};
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return fault{errc::locked, "data folder " + path + " is in use by process "
                                   + std::to_string(holder_of(path))
                                   + ": a node of its own needs a folder of its own, --data DIR"};
  }
  auto pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0
      || ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    auto why = last_error();
    auto full = errno == ENOSPC;
    ::close(fd);
    return fault{full ? errc::disk_full : errc::disk, name + ": cannot be written: " + why};
  }
  return data_folder{path, fd};
}

int data_folder::holder_of(const std::string& path) {
  closing file{::open((path + "/lock").c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0 || ::flock(file.fd, LOCK_SH | LOCK_NB) == 0)
    return 0;
  char buffer[32] = {};
  return ::read(file.fd, buffer, sizeof(buffer) - 1) > 0 ? std::atoi(buffer) : 0;
}

data_folder::data_folder(data_folder&& other) noexcept
    : path_(std::move(other.path_)), lock_(other.lock_) {
  other.lock_ = -1;
}

data_folder::~data_folder() {
  if (lock_ >= 0)
    ::close(lock_);
}

result<key_pair> open_key(const std::string& folder) {
  auto path = folder + "/node.key";
  key_pair result{std::string(crypto_box_PUBLICKEYBYTES, '\0'),
                  std::string(crypto_box_SECRETKEYBYTES, '\0')};
  auto pub = reinterpret_cast<unsigned char*>(result.public_key.data());
  auto secret = reinterpret_cast<unsigned char*>(result.secret_key.data());
  closing file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0 && errno != ENOENT)
    return fault{errc::disk, path + ": cannot be read: " + last_error()};
  if (file.fd < 0) {
    std::error_code none;
    if (std::filesystem::file_size(folder + "/journal.db", none) > 0 && !none)
      return fault{
          errc::damaged,
          path + ": is missing, but " + folder
              + "/journal.db is a node's journal: restore node.key, or remove journal.db "
                "too, to begin as a new node (it ends what still runs of the earlier one)"};
    if (sodium_init() < 0)
      return fault{errc::unsupported, "no random numbers to be had from this machine"};
    crypto_box_keypair(pub, secret);
    if (auto written = write_synced(path, result.secret_key); !written)
      return written.why();
    result.made = true;
    return result;
  }
  struct stat status = {};
  if (::fstat(file.fd, &status) != 0 || (status.st_mode & 077) != 0)
    return fault{errc::refused, path + ": others may read it; cure: chmod 600 " + path};
  if (status.st_size != crypto_box_SECRETKEYBYTES
      || ::read(file.fd, secret, crypto_box_SECRETKEYBYTES) != crypto_box_SECRETKEYBYTES)
    return fault{
        errc::damaged,
        path + ": holds no key (" + std::to_string(status.st_size)
            + " bytes, a key has 32); restore it, or remove the folder to begin as a new node"};
  crypto_scalarmult_base(pub, secret);
  return result;
}

} // namespace legion::node_process
