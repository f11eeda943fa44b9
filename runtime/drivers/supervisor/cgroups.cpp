#include "runtime/drivers/supervisor/cgroups.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <dirent.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/drivers/supervisor/small_files.hpp"

namespace legion::drivers {
namespace {

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> result;
  std::string word;
  for (auto c : text + ' ') {
    if (c != ' ' && c != '\n')
      word += c;
    else if (!word.empty())
      result.push_back(std::exchange(word, {}));
  }
  return result;
}

std::vector<std::string> folders_in(const std::string& path) {
  std::vector<std::string> result;
  auto* folder = opendir(path.c_str());
  if (!folder)
    return result;
  while (auto* entry = readdir(folder))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
      result.push_back(path + "/" + entry->d_name);
  closedir(folder);
  return result;
}

void kill_in(const std::string& group) {
  if (write_file(group + "/cgroup.kill", "1") == 0)
    return;
  for (auto& word : words(read_file(group + "/cgroup.procs")))
    if (auto pid = std::atoi(word.c_str()); pid > 1)
      ::kill(pid, SIGKILL);
}

/// Ends all that an earlier supervisor left in one place; gives up after five seconds.
void clear(const std::string& base) {
  for (auto& group : folders_in(base)) {
    for (int tries = 0; tries < 500; ++tries) {
      kill_in(group);
      if (rmdir(group.c_str()) == 0 || errno == ENOENT)
        break;
      poll(nullptr, 0, 10);
    }
  }
  rmdir(base.c_str());
  rmdir(base.substr(0, base.rfind('/')).c_str());
}

bool make_folder(const std::string& path) {
  return mkdir(path.c_str(), 0755) == 0 || errno == EEXIST;
}

} // namespace

cgroups::cgroups(const std::string& folder_hash, std::string memory_file)
    : memory_file_(std::move(memory_file)) {
  for (auto& base : words(read_file(memory_file_)))
    if (base.find("/legion/") != base.npos)
      clear(base);
  for (auto& x : cgroup_layout(read_file("/proc/self/mountinfo"), read_file("/proc/self/cgroup")))
    try_hierarchy(x, "/legion/" + folder_hash);
  std::string places;
  for (auto& x : bases_) {
    clear(x.folder);
    make_folder(x.folder.substr(0, x.folder.rfind('/')));
    make_folder(x.folder);
    places += x.folder + "\n";
  }
  write_whole_file(memory_file_, places);
  for (auto* name : {"cpu", "memory", "pids"})
    for (auto& x : bases_)
      if (std::find(x.controllers.begin(), x.controllers.end(), name) != x.controllers.end())
        enforced_.push_back(name);
  line_ = describe();
}

void cgroups::try_hierarchy(const hierarchy& x, const std::string& below) {
  static constexpr std::pair<const char*, const char*> proofs[] = {
      {"cpu", "cpu.cfs_quota_us"}, {"memory", "memory.limit_in_bytes"}, {"pids", "pids.max"}};
  std::vector<std::string> places{x.mount + x.own};
  if (!x.own.empty())
    places.push_back(x.mount);
  for (auto& place : places) {
    base found{x.version, place + below, {}};
    auto parent = place + "/legion";
    if (x.version == 2) {
      // A cgroup with processes of its own cannot pass controllers on, unless it is the root.
      for (auto* name : {"cpu", "memory", "pids"})
        write_file(place + "/cgroup.subtree_control", std::string{"+"} + name);
    }
    if (make_folder(parent) && x.version == 2)
      for (auto* name : {"cpu", "memory", "pids"})
        write_file(parent + "/cgroup.subtree_control", std::string{"+"} + name);
    if (make_folder(found.folder)) {
      if (x.version == 2) {
        for (auto* name : {"cpu", "memory", "pids"})
          write_file(found.folder + "/cgroup.subtree_control", std::string{"+"} + name);
        found.controllers = words(read_file(found.folder + "/cgroup.subtree_control"));
      } else {
        for (auto& [name, file] : proofs)
          if (std::find(x.controllers.begin(), x.controllers.end(), name) != x.controllers.end()
              && access((found.folder + "/" + file).c_str(), W_OK) == 0)
            found.controllers.push_back(name);
      }
    }
    if (!found.controllers.empty()) {
      bases_.push_back(std::move(found));
      return;
    }
    rmdir(found.folder.c_str());
    rmdir(parent.c_str());
  }
}

std::string cgroups::describe() const {
  std::string result, missing;
  for (auto* name : {"cpu", "memory", "pids"}) {
    auto i = std::find_if(bases_.begin(), bases_.end(), [&](auto& x) {
      return std::find(x.controllers.begin(), x.controllers.end(), name) != x.controllers.end();
    });
    if (i == bases_.end())
      missing += (missing.empty() ? "" : ", ") + std::string{name};
    else
      result += (result.empty() ? "" : ", ") + std::string{name} + " (cgroup v"
                + std::to_string(i->version) + ")";
  }
  if (result.empty())
    return geteuid() == 0 ? "no limits are enforced: this machine gives no cgroup controllers"
                          : "no limits are enforced: that needs root";
  result = "limits enforced: " + result;
  return missing.empty() ? result : result + "; not enforced: " + missing;
}

/// Another supervisor of the same folder's name may have removed them at its end.
void cgroups::make_again(const base& x) {
  auto parent = x.folder.substr(0, x.folder.rfind('/'));
  for (const auto& folder : {parent, x.folder}) {
    make_folder(folder);
    if (x.version == 2)
      for (const auto& name : x.controllers)
        write_file(folder + "/cgroup.subtree_control", "+" + name);
  }
}

result<void> cgroups::make(const std::string& name, const limits& x) const {
  for (auto& base : bases_) {
    auto group = base.folder + "/" + name;
    if (access(base.folder.c_str(), F_OK) != 0)
      make_again(base);
    if (!make_folder(group))
      return fault{errc::disk, errno_text("mkdir " + group, errno)};
    for (auto& controller : base.controllers)
      for (auto& control : control_writes(base.version, controller, x))
        if (auto error = write_file(group + "/" + control.file, control.value);
            error && control.needed)
          return fault{errc::refused, "write " + control.value + " to " + group + "/" + control.file
                                          + ": " + std::strerror(error)};
  }
  return {};
}

std::vector<std::string> cgroups::doors(const std::string& name) const {
  std::vector<std::string> result;
  for (auto& base : bases_)
    result.push_back(base.folder + "/" + name + "/cgroup.procs");
  return result;
}

bool cgroups::out_of_memory(const std::string& name) const {
  for (auto& base : bases_)
    if (std::find(base.controllers.begin(), base.controllers.end(), "memory")
        != base.controllers.end()) {
      auto file = base.version == 1 ? "/memory.oom_control" : "/memory.events";
      return counter_in(read_file(base.folder + "/" + name + file), "oom_kill") > 0;
    }
  return false;
}

void cgroups::kill(const std::string& name) const {
  if (!bases_.empty()) // every process is in each of them
    kill_in(bases_.front().folder + "/" + name);
}

bool cgroups::remove(const std::string& name) const {
  bool gone = true;
  for (auto& base : bases_)
    if (rmdir((base.folder + "/" + name).c_str()) != 0 && errno != ENOENT)
      gone = false;
  return gone;
}

void cgroups::remove_all() const {
  for (auto& x : bases_) { // as far as nothing is in them: another supervisor may use them, too
    rmdir(x.folder.c_str());
    rmdir(x.folder.substr(0, x.folder.rfind('/')).c_str());
  }
  unlink(memory_file_.c_str());
}

} // namespace legion::drivers
