#include "runtime/store/sqlite/journal_format.hpp"

#include <cstdint>
#include <memory>

#include <sqlite3.h>
#include <sys/random.h>

#include "runtime/store/sqlite/checksum.hpp"
#include "runtime/store/sqlite/sqlite_fault.hpp"

namespace legion::store::sqlite {
namespace {

constexpr std::size_t id_bytes = 16;

using statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;

result<statement> prepare(sqlite3* db, const std::string& path, const char* sql) {
  sqlite3_stmt* made = nullptr;
  if (auto code = sqlite3_prepare_v2(db, sql, -1, &made, nullptr); code)
    return fault_of(db, code, path + ": read its format");
  return statement{made, sqlite3_finalize};
}

result<int> number(sqlite3* db, const std::string& path, const char* sql) {
  auto query = prepare(db, path, sql);
  if (!query)
    return query.why();
  if (auto code = sqlite3_step(query->get()); code != SQLITE_ROW)
    return fault_of(db, code, path + ": read its format");
  return sqlite3_column_int(query->get(), 0);
}

result<void> run(sqlite3* db, const std::string& path, const char* sql) {
  if (auto code = sqlite3_exec(db, sql, nullptr, nullptr, nullptr); code)
    return fault_of(db, code, path + ": set up its format");
  return {};
}

result<void> give_id(sqlite3* db, const std::string& path) {
  std::string id(id_bytes, '\0');
  if (::getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size()))
    return fault{errc::unsupported, "no random numbers to be had from this machine"};
  auto insert = prepare(db, path, "INSERT INTO identity(one, id, crc) VALUES(1, ?1, ?2)");
  if (!insert)
    return insert.why();
  sqlite3_bind_blob(insert->get(), 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
  sqlite3_bind_int64(insert->get(), 2, crc32c(id));
  if (auto code = sqlite3_step(insert->get()); code != SQLITE_DONE)
    return fault_of(db, code, path + ": write its id");
  return {};
}

/// One step for each format there was. The present one is the last.
result<void> steps(sqlite3* db, const std::string& path, int from) {
  if (from < 1)
    if (auto done = run(db, path,
                        "CREATE TABLE batches("
                        "id INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL)");
        !done)
      return done;
  if (from < 2) {
    if (auto done = run(db, path,
                        "CREATE TABLE identity(one INTEGER PRIMARY KEY CHECK(one = 1), "
                        "id BLOB NOT NULL, crc INTEGER NOT NULL)");
        !done)
      return done;
    if (auto done = give_id(db, path); !done)
      return done;
  }
  return run(db, path, ("PRAGMA user_version=" + std::to_string(journal_format)).c_str());
}

result<std::string> read_id(sqlite3* db, const std::string& path) {
  auto query = prepare(db, path, "SELECT id, crc FROM identity");
  if (!query)
    return query.why();
  auto code = sqlite3_step(query->get());
  if (code != SQLITE_ROW && code != SQLITE_DONE)
    return fault_of(db, code, path + ": read its id");
  std::string id;
  if (code == SQLITE_ROW)
    id.assign(static_cast<const char*>(sqlite3_column_blob(query->get(), 0)),
              static_cast<std::size_t>(sqlite3_column_bytes(query->get(), 0)));
  if (id.size() != id_bytes || sqlite3_column_int64(query->get(), 1) != crc32c(id))
    return fault{errc::damaged, path + ": the journal's id does not check"};
  return id;
}

} // namespace

result<int> read_format(sqlite3* db, const std::string& path) {
  auto version = number(db, path, "PRAGMA user_version");
  if (!version)
    return version;
  if (*version > journal_format)
    return fault{errc::unsupported,
                 path + ": the journal has format " + std::to_string(*version)
                     + ", and legion-node " LEGION_VERSION " knows formats up to "
                     + std::to_string(journal_format)
                     + ": a newer legion-node wrote it. Start that version again; nothing was "
                       "changed"};
  if (*version != 0)
    return version;
  auto tables = number(db, path, "SELECT count(*) FROM sqlite_master");
  if (!tables || *tables == 0)
    return tables;
  auto batches = number(db, path, "SELECT count(*) FROM sqlite_master WHERE name = 'batches'");
  if (!batches)
    return batches;
  if (*batches == 0)
    return fault{errc::damaged, path + ": a database, but not a journal"};
  return 1;
}

result<std::string> settle_format(sqlite3* db, const std::string& path, int from) {
  if (from < journal_format) {
    auto done = run(db, path, "BEGIN IMMEDIATE");
    if (done)
      done = steps(db, path, from);
    if (done)
      done = run(db, path, "COMMIT");
    if (!done) {
      if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
      return done.why();
    }
  }
  return read_id(db, path);
}

} // namespace legion::store::sqlite
