#pragma once

#include <optional>
#include <string>

#include "runtime/store/sqlite/live_rows.hpp"

namespace legion::store::sqlite {

/// How far a journal was, in a file beside it: a log that is cut at a commit reads as whole, and only
/// this tells that its end is missing.
///
/// Written behind each commit and before anybody is told of it, and never synced: a process that is
/// killed leaves it with the kernel, and after a loss of power it is at most behind.
///
/// Shape:  the journal's id, the number of its next row, a checksum.
/// Errors: none. Where it cannot be written or read, nothing is known.
class end_mark {
public:
  end_mark(const std::string& folder, const std::string& journal_id);
  ~end_mark();
  end_mark(const end_mark&) = delete;
  end_mark& operator=(const end_mark&) = delete;

  void put(live_rows::row_id next);

  /// Nothing: there is none, or it is of another journal.
  static std::optional<live_rows::row_id> read(const std::string& folder,
                                               const std::string& journal_id);

private:
  std::string id_;
  int file_ = -1;
};

} // namespace legion::store::sqlite
