#pragma once

#include <cstddef>
#include <string>

namespace legion::store::sqlite {

/// A file that only takes up space. On a full disk it is given back, so that the journal can still
/// write what a node must say when it steps down.
///
/// Source: SQLite needs space even to delete (a page goes to the log first).
class ballast {
public:
  static constexpr std::size_t bytes = 1024 * 1024;

  explicit ballast(const std::string& folder) : path_(folder + "/journal.ballast") {}

  bool whole() const { return whole_; }
  /// Takes the space if it does not have it; false: the disk has too little.
  bool take();
  /// Gives it back to the disk.
  void drop();
  /// Whether as much as this can be written beside it: tried, because quotas are not told.
  bool fits(std::size_t more) const;

private:
  std::string path_;
  bool whole_ = false;
};

} // namespace legion::store::sqlite
