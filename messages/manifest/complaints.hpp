/// Gathers what is wrong with one file, and words it.
///
/// Limits: 1,000 errors and 1,000 warnings; one more says that there are more. `full` tells a
///         reader to stop.
#pragma once

#include <string>
#include <vector>

#include "messages/api.pb.h"
#include "messages/manifest/yaml_tree.hpp"

namespace legion::manifest {

class complaints {
public:
  complaints(std::string file, bool strict) : file_(std::move(file)), strict_(strict) {}

  /// FILE:LINE:COLUMN: FIELD: found FOUND, allowed: ALLOWED
  void error(place at, const std::string& field, const std::string& found,
             const std::string& allowed);

  /// FILE:LINE:COLUMN: FIELD: TEXT. An error with `strict`: the field is not honoured.
  void warning(place at, const std::string& field, const std::string& text);

  /// The same, a warning also with `strict`: the field is honoured, in a way that may surprise.
  void remark(place at, const std::string& field, const std::string& text);

  unsigned errors() const { return errors_; }
  bool full() const;

  /// Sorted by place.
  std::vector<diagnostic> take();

private:
  diagnostic& add(place at, const std::string& field);

  std::string file_;
  bool strict_;
  unsigned errors_ = 0;
  unsigned warnings_ = 0;
  std::vector<diagnostic> all_;
};

} // namespace legion::manifest
