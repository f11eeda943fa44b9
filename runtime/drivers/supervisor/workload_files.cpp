#include "runtime/drivers/supervisor/workload_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/drivers/supervisor/life_output.hpp"
#include "runtime/drivers/supervisor/small_files.hpp"

namespace legion::drivers {
namespace {

constexpr std::string_view record_suffix = ".status";

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> result;
  auto* folder = opendir(path.c_str());
  if (!folder)
    return result;
  while (auto* entry = readdir(folder))
    if (entry->d_name[0] != '.')
      result.push_back(entry->d_name);
  closedir(folder);
  return result;
}

bool make_folders(const std::string& parent, const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST)
    return true;
  mkdir(parent.c_str(), 0700);
  return mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

} // namespace

bool workload_files::good_name(const std::string& x) {
  return !x.empty() && x.size() <= 120 && x[0] != '.'
         && x.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
                == x.npos;
}

std::vector<process_status> workload_files::records(std::vector<std::string>& problems) const {
  std::vector<process_status> result;
  for (auto& workload : names_in(folder_ + "/workloads"))
    for (auto& file : names_in(folder_ + "/workloads/" + workload)) {
      if (!file.ends_with(record_suffix))
        continue;
      auto path = folder_ + "/workloads/" + workload + "/" + file;
      process_status x;
      if (x.ParseFromString(read_file(path)) && x.workload() == workload)
        result.push_back(std::move(x));
      else
        problems.push_back(path);
    }
  return result;
}

int workload_files::save(const process_status& x) const {
  auto folder = folder_ + "/workloads/" + x.workload();
  if (!make_folders(folder_ + "/workloads", folder))
    return errno;
  return write_whole_file(folder + "/" + x.container() + std::string{record_suffix},
                          x.SerializeAsString());
}

result<std::string> workload_files::output_of(const launch& x) const {
  auto folder = folder_ + "/logs/" + x.workload();
  if (!make_folders(folder_ + "/logs", folder))
    return fault{errno == ENOSPC ? errc::disk_full : errc::disk,
                 errno_text("mkdir " + folder, errno)};
  if (x.life() >= kept_lives)
    unlink((folder + "/" + x.container() + "." + std::to_string(x.life() - kept_lives) + ".log")
               .c_str());
  return folder + "/" + x.container() + "." + std::to_string(x.life()) + ".log";
}

result<std::string> workload_files::own_folder(const std::string& workload,
                                               const std::string& container,
                                               std::optional<std::int64_t> user,
                                               std::optional<std::int64_t> group) const {
  auto all = folder_ + "/workloads/" + workload + "/files";
  auto path = all + "/" + container;
  auto failed = [&](const char* what) {
    return fault{errno == ENOSPC ? errc::disk_full : errc::disk, errno_text(what + path, errno)};
  };
  if (!make_folders(folder_ + "/workloads", folder_ + "/workloads/" + workload)
      || !make_folders(all, path))
    return failed("mkdir ");
  if (geteuid() == 0
      && chown(path.c_str(), static_cast<uid_t>(user.value_or(-1)),
               static_cast<gid_t>(group.value_or(-1)))
             != 0)
    return failed("chown ");
  return path;
}

void workload_files::remove(const std::string& workload) const {
  remove_tree(folder_ + "/workloads/" + workload);
  drop_old_output();
}

void workload_files::drop_old_output() const {
  std::vector<std::pair<std::int64_t, std::string>> removed;
  for (auto& name : names_in(folder_ + "/logs")) {
    struct stat about {};
    auto path = folder_ + "/logs/" + name;
    if (access((folder_ + "/workloads/" + name).c_str(), F_OK) != 0
        && stat(path.c_str(), &about) == 0)
      removed.emplace_back(about.st_mtim.tv_sec, path);
  }
  if (removed.size() <= kept_removed)
    return;
  std::sort(removed.begin(), removed.end());
  removed.resize(removed.size() - kept_removed);
  for (auto& x : removed)
    remove_tree(x.second);
}

} // namespace legion::drivers
