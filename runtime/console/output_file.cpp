#include "runtime/console/output_file.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace legion::console {

output_file::~output_file() {
  if (file_ >= 0)
    ::close(file_);
  if (!unfinished_.empty())
    ::unlink(unfinished_.c_str());
}

fault output_file::failed(const char* what) const {
  auto code = errno == ENOSPC || errno == EDQUOT ? errc::disk_full : errc::disk;
  return {code, path_ + ": " + what + ": " + std::generic_category().message(errno)};
}

result<void> output_file::open() {
  std::error_code ignored;
  if (!replace_ && std::filesystem::exists(path_, ignored))
    return fault{errc::conflict, path_ + " exists: --force replaces it"};
  auto name = path_ + ".tmp";
  file_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file_ < 0)
    return failed("it can't be written");
  unfinished_ = name;
  if (::fchmod(file_, 0600) != 0) // it may have been left there, and be anybody's
    return failed("it can't be made its owner's alone");
  return {};
}

result<void> output_file::write(std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = ::write(file_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return failed("writing failed");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

result<void> output_file::keep() {
  if (::fsync(file_) != 0)
    return failed("syncing failed");
  std::error_code ignored;
  if (!replace_ && std::filesystem::exists(path_, ignored))
    return fault{errc::conflict, path_ + " exists since: --force replaces it"};
  if (std::rename(unfinished_.c_str(), path_.c_str()) != 0)
    return failed("it can't be put in its place");
  unfinished_.clear();
  auto folder = std::filesystem::path{path_}.parent_path();
  auto name = folder.empty() ? std::string{"."} : folder.string();
  auto parent = ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  auto synced = parent >= 0 && ::fsync(parent) == 0;
  auto why = failed("its folder can't be synced");
  if (parent >= 0)
    ::close(parent);
  if (!synced)
    return why;
  return {};
}

} // namespace legion::console
