#pragma once

#include <string>

#include "messages/fault.hpp"

namespace legion::store::sqlite {

/// Reads a write-ahead log before SQLite does. SQLite takes the first bad frame for the end of the
/// log, silently; that is right for a torn tail and wrong for anything else.
///
/// Every transaction is synced before it is answered and before the next one begins, so at most one
/// is ever torn: more than one commit frame of the current salts at or behind the first bad frame
/// means that acknowledged ones are lost.
/// Source: sqlite.org/fileformat2.html, "WAL File Format".
/// Errors: `damaged` names the file and the frame; a missing or empty file is fine.
result<void> scan_wal(const std::string& path);

} // namespace legion::store::sqlite
