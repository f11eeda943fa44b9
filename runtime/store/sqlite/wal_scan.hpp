#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "messages/fault.hpp"

namespace legion::store::sqlite {

/// Reads a write-ahead log before SQLite does. SQLite takes the first bad frame for the end of the
/// log, silently; that is right for a torn tail and wrong for anything else.
///
/// Every transaction is synced before it is answered and before the next one begins, so at most one
/// is ever torn: more than one commit frame of the current salts at or behind the first bad frame
/// means that acknowledged ones are lost. So what a torn one leaves must be cut off before the next
/// is written, which may be shorter: this returns the size to cut the file to, if there is
/// anything.
///
/// A log is begun anew in place, once the database has all of it. A crash may tear its header then.
/// One that does not check is fine if every page that the log commits is in the database as the log
/// has it; all of it is to be cut off, for SQLite would go on with the torn header's salts, which
/// may be those of the frames behind it.
/// Source: sqlite.org/fileformat2.html, "WAL File Format".
/// Errors: `damaged` names the file and the frame; a missing or empty file is fine.
result<std::optional<std::uint64_t>> scan_wal(const std::string& path, const std::string& database);

/// Makes a damaged log readable to its last commit, for salvage from a copy: frames that are not of
/// the current salts are left out, and the others' checksums are made anew. What a page holds is
/// not proved by that: each row has a checksum of its own.
///
/// Returns false if it could not be read or written.
bool accept_all_frames(const std::string& path);

} // namespace legion::store::sqlite
