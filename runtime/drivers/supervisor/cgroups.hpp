#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "messages/fault.hpp"
#include "runtime/drivers/supervisor/cgroup_layout.hpp"

namespace legion::drivers {

/// The cgroups of one data folder: a group per life under `legion/<hash of the folder>`, in every
/// hierarchy that has a controller we want.
///
/// Errors: a missing controller is no error but is said in `line`; a limit that cannot be set is.
class cgroups {
public:
  /// Finds out what this machine gives. Groups that an earlier supervisor of the same folder left
  /// are killed and removed, wherever it had put them: `memory_file` says where.
  cgroups(const std::string& folder_hash, std::string memory_file);

  /// The enforced ones, of "cpu", "memory", "pids".
  const std::vector<std::string>& enforced() const { return enforced_; }
  /// What the probe found, in one line for a person.
  const std::string& line() const { return line_; }
  bool usable() const { return !bases_.empty(); }

  /// Makes the group of one life and sets its limits.
  result<void> make(const std::string& name, const limits& x) const;
  /// Where the first process of the group must write "0" before anything else.
  std::vector<std::string> doors(const std::string& name) const;
  bool out_of_memory(const std::string& name) const;
  /// KILL to every process in it.
  void kill(const std::string& name) const;
  /// False while a process is left in it.
  bool remove(const std::string& name) const;
  /// Removes the parents: the supervisor ends.
  void remove_all() const;

private:
  struct base {
    int version = 2;
    std::string folder;
    std::vector<std::string> controllers;
  };

  void try_hierarchy(const hierarchy& x, const std::string& below);
  static void make_again(const base& x);
  std::string describe() const;

  std::vector<base> bases_;
  std::vector<std::string> enforced_;
  std::string line_;
  std::string memory_file_;
};

} // namespace legion::drivers
