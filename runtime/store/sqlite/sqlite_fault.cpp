#include "runtime/store/sqlite/sqlite_fault.hpp"

#include <cstdio>
#include <cstdlib>

#include <sqlite3.h>

namespace legion::store::sqlite {

fault fault_of(sqlite3* db, int code, const std::string& doing) {
  auto text = doing + ": " + (db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
  if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) {
    std::fprintf(stderr, "legion: %s: a sync failed; what is on disk is unknown\n", text.c_str());
    std::abort();
  }
  switch (code & 0xff) {
    case SQLITE_FULL:
      return {errc::disk_full, text};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {errc::damaged, text};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {errc::locked, text + " (another process has it open)"};
    default:
      return {errc::disk, text};
  }
}

} // namespace legion::store::sqlite
