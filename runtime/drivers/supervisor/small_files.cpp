#include "runtime/drivers/supervisor/small_files.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

namespace legion::drivers {

std::string errno_text(const std::string& doing, int error) {
  return doing + ": " + std::strerror(error);
}

std::string read_file(const std::string& path) {
  std::string result;
  auto file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return result;
  char buffer[4096];
  for (ssize_t n; (n = read(file, buffer, sizeof(buffer))) > 0;)
    result.append(buffer, static_cast<std::size_t>(n));
  close(file);
  return result;
}

namespace {
int write_to(int file, std::string_view text) {
  if (file < 0)
    return errno;
  errno = 0;
  auto n = write(file, text.data(), text.size());
  auto error = n == static_cast<ssize_t>(text.size()) ? 0 : errno ? errno : ENOSPC;
  close(file);
  return error;
}
} // namespace

int write_file(const std::string& path, std::string_view text) {
  return write_to(open(path.c_str(), O_WRONLY | O_CLOEXEC), text);
}

int write_whole_file(const std::string& path, std::string_view text) {
  auto fresh = path + ".new";
  if (auto error =
          write_to(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), text)) {
    unlink(fresh.c_str());
    return error;
  }
  return rename(fresh.c_str(), path.c_str()) == 0 ? 0 : errno;
}

void remove_tree(const std::string& path) {
  auto remove_one = [](const char* name, const struct stat*, int, struct FTW*) {
    remove(name);
    return 0;
  };
  nftw(path.c_str(), remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

} // namespace legion::drivers
