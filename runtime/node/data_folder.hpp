#pragma once

#include <string>

#include "messages/fault.hpp"

namespace legion::node_process {

/// A node's data folder, held by this process alone until it ends.
///
/// Errors: `locked` names the process that holds it; `disk` names the folder, what failed and the
///         cure.
class data_folder {
public:
  static result<data_folder> open(const std::string& path);

  /// The process that holds a folder; 0 if nobody does.
  static int holder_of(const std::string& path);

  data_folder(data_folder&& other) noexcept;
  data_folder& operator=(data_folder&&) = delete;
  ~data_folder();

  const std::string& path() const { return path_; }

private:
  data_folder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_;
};

/// The node's CURVE key pair.
struct key_pair {
  std::string public_key; // 32 bytes
  std::string secret_key; // 32 bytes
  bool made = false;      // just now, by this start
};

/// Reads DIR/node.key, or makes it at the first start (mode 0600, synced).
///
/// Errors: `damaged` for a file that holds no key pair, or if the key is missing beside a journal:
///         who takes that journal over would keep another node's promises; `refused` if others may
///         read it.
result<key_pair> open_key(const std::string& folder);

} // namespace legion::node_process
