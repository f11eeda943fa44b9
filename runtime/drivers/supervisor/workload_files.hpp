#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages/fault.hpp"
#include "messages/supervision.pb.h"

namespace legion::drivers {

/// What the supervisor keeps on disk, below a data folder: `workloads/<id>/<container>.status`, the
/// newest life of each container, and `logs/<id>/<container>.<life>.log`.
class workload_files {
public:
  explicit workload_files(std::string folder) : folder_(std::move(folder)) {}

  /// Names that become file names: no separators, no dots in front, at most 120 bytes.
  static bool good_name(const std::string& x);

  /// Every record there is; files that cannot be read are skipped and named in `problems`.
  std::vector<process_status> records(std::vector<std::string>& problems) const;
  /// The errno, or 0.
  int save(const process_status& x) const;
  /// Makes room for the output of this life, drops lives that are too old, and names the file.
  result<std::string> output_of(const launch& x) const;
  /// The folder that a workload's processes begin in unless they name one: theirs to write, gone
  /// with the workload.
  result<std::string> own_folder(const std::string& workload, const std::string& container,
                                 std::optional<std::int64_t> user,
                                 std::optional<std::int64_t> group) const;
  /// The workload is forgotten; its output stays until `kept_removed` others were removed after it.
  void remove(const std::string& workload) const;

private:
  void drop_old_output() const;

  std::string folder_;
};

} // namespace legion::drivers
