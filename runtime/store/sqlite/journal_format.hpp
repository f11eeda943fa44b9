#pragma once

#include <string>

#include "messages/fault.hpp"

struct sqlite3;

namespace legion::store::sqlite {

/// The format of a journal's file that this program writes, kept in SQLite's `user_version`.
///
/// 1: the batches alone; such a file has the version 0.
/// 2: and the journal's id.
inline constexpr int journal_format = 2;

/// The file's format; 0 for a new file. Reads only.
///
/// Errors: `unsupported` for a newer format, with both numbers and the cure; `damaged` for a
///         database that is no journal.
result<int> read_format(sqlite3* db, const std::string& path);

/// Makes a new file, or brings one of format `from` to this program's, in one transaction: a crash
/// leaves the old one whole. Returns the journal's id: 16 random bytes, made with the file or at
/// its migration, never changed.
///
/// Errors: those of the disk; `damaged` if the id does not check.
result<std::string> settle_format(sqlite3* db, const std::string& path, int from);

} // namespace legion::store::sqlite
