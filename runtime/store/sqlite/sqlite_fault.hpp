#pragma once

#include <string>

#include "messages/fault.hpp"

struct sqlite3;

namespace legion::store::sqlite {

/// What a code of SQLite's means here; `doing` names the file and what was tried. A failed sync
/// ends the process: the kernel may have dropped what it could not write, so nobody can say what is
/// on disk.
fault fault_of(sqlite3* db, int code, const std::string& doing);

} // namespace legion::store::sqlite
