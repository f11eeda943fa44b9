#pragma once

#include <string>
#include <string_view>

#include "messages/fault.hpp"

namespace legion::console {

/// A file that is there whole, or not at all: written beside its place under another name, synced,
/// and then renamed.
///
/// Shape:  `open`, `write` as often as needed, `keep`; who does not get that far leaves nothing.
/// Errors: `conflict` when it exists and must not be replaced; `disk` and `disk_full`, naming the
///         file and what the system says.
class output_file {
public:
  output_file(std::string path, bool replace) : path_(std::move(path)), replace_(replace) {}
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;
  ~output_file();

  result<void> open(); // 0600: only its owner reads it
  result<void> write(std::string_view bytes);
  result<void> keep();

  /// Where it is until it is kept.
  const std::string& unfinished() const { return unfinished_; }

private:
  fault failed(const char* what) const;

  std::string path_;
  std::string unfinished_;
  bool replace_;
  int file_ = -1;
};

} // namespace legion::console
