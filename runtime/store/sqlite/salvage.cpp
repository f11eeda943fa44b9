#include "runtime/store/sqlite/salvage.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "runtime/store/sqlite/journal_file.hpp"
#include "runtime/store/sqlite/sqlite_store.hpp"
#include "runtime/store/sqlite/wal_scan.hpp"

namespace legion::store::sqlite {
namespace {

namespace fs = std::filesystem;

constexpr const char* files[] = {"journal.db-wal", "journal.db-shm", "journal.db"}; // the last last

bool sync(const std::string& path) {
  auto file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  auto done = file >= 0 && ::fsync(file) == 0;
  if (file >= 0)
    ::close(file);
  return done;
}

fault failed(const std::string& what) {
  return {errno == ENOSPC ? errc::disk_full : errc::disk, what + ": " + std::strerror(errno)};
}

/// The name of the folder that takes the files, as the mark says; the mark is made if there is none.
result<std::string> marked_place(const std::string& folder) {
  auto mark = damage_mark(folder);
  std::string name;
  if (std::ifstream{mark} >> name && name.starts_with("journal.damaged-")
      && name.find('/') == name.npos)
    return folder + "/" + name;
  int n = 1;
  while (fs::exists(folder + "/journal.damaged-" + std::to_string(n)))
    if (++n > max_set_aside)
      return fault{errc::refused, folder + ": " + std::to_string(max_set_aside)
                                      + " damaged journals were set aside already: this disk is "
                                        "failing. Replace it, or remove journal.damaged-*"};
  name = "journal.damaged-" + std::to_string(n);
  std::ofstream{mark} << name << "\n";
  if (!sync(mark) || !sync(folder))
    return failed(mark);
  return folder + "/" + name;
}

result<void> move_files(const std::string& folder, const std::string& place) {
  std::error_code error;
  fs::create_directory(place, error);
  auto moved = fs::exists(place + "/journal.db");
  for (auto* name : files) {
    auto from = folder + "/" + name;
    if (moved) // what lies there is the beginning of a new one
      fs::remove(from, error);
    else if (fs::exists(from))
      fs::rename(from, place + "/" + name, error);
    if (error)
      return fault{errc::disk, from + ": cannot be set aside: " + error.message()};
  }
  if (!sync(place) || !sync(folder))
    return failed(place);
  return {};
}

/// Rows in both orders: a damaged page in the middle ends each of them, but hides only itself.
void read_rows(sqlite3* db, const char* sql, std::map<std::int64_t, record_batch>& into) {
  sqlite3_stmt* rows = nullptr;
  if (sqlite3_prepare_v2(db, sql, -1, &rows, nullptr) != SQLITE_OK)
    return;
  std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> closes{rows, sqlite3_finalize};
  while (sqlite3_step(rows) == SQLITE_ROW) {
    auto id = sqlite3_column_int64(rows, 0);
    std::string_view body{static_cast<const char*>(sqlite3_column_blob(rows, 2)),
                          static_cast<std::size_t>(sqlite3_column_bytes(rows, 2))};
    record_batch batch;
    if (row_checksum(id, body) == sqlite3_column_int64(rows, 1)
        && batch.ParseFromArray(body.data(), static_cast<int>(body.size())))
      into.insert_or_assign(id, std::move(batch));
  }
}

void read_database(const std::string& place, std::map<std::int64_t, record_batch>& rows) {
  sqlite3* db = nullptr;
  if (sqlite3_open_v2((place + "/journal.db").c_str(), &db, SQLITE_OPEN_READWRITE, nullptr)
      == SQLITE_OK) {
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr); // it stays as it is
    sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE", nullptr, nullptr, nullptr);
    read_rows(db, "SELECT id, crc, body FROM batches ORDER BY id", rows);
    read_rows(db, "SELECT id, crc, body FROM batches ORDER BY id DESC", rows);
  }
  sqlite3_close(db);
}

/// Twice: as the files are, and with all of the log, also what lies behind the first bad frame. Of a
/// row that both know the second is newer.
std::vector<record> read_what_checks(const std::string& place) {
  std::map<std::int64_t, record_batch> rows;
  read_database(place, rows);
  auto copy = place + "/reading";
  std::error_code error;
  fs::remove_all(copy, error);
  fs::create_directory(copy, error);
  for (auto* name : {"/journal.db", "/journal.db-wal"})
    if (!error && fs::exists(place + name))
      fs::copy_file(place + name, copy + name, error);
  if (!error && accept_all_frames(copy + "/journal.db-wal"))
    read_database(copy, rows);
  fs::remove_all(copy, error);
  std::map<std::string, record> newest;
  for (auto& [id, batch] : rows)
    for (auto& x : *batch.mutable_records())
      newest[x.key()] = std::move(x);
  std::vector<record> result;
  for (auto& [key, x] : newest)
    if (!x.value().empty())
      result.push_back(std::move(x));
  return result;
}

/// The new journal with its first rows, on disk.
result<void> begin_anew(const std::string& folder, std::vector<record> what) {
  auto file = journal_file::open(folder);
  if (!file)
    return file.why();
  if (auto nothing = (*file)->replay(); !nothing)
    return nothing.why();
  std::deque<waiting_batch> batches;
  std::size_t bytes = max_batch_bytes;
  for (auto& x : what) {
    if (bytes + x.ByteSizeLong() + 16 > max_batch_bytes)
      batches.emplace_back(), bytes = 0;
    bytes += x.ByteSizeLong() + 16;
    *batches.back().batch.add_records() = std::move(x);
  }
  return (*file)->commit(batches);
}

} // namespace

std::string damage_mark(const std::string& folder) {
  return folder + "/journal.damaged";
}

result<void> mark_outdated(const std::string& folder, const std::string& why) {
  auto place = marked_place(folder);
  if (!place)
    return place.why();
  auto mark = damage_mark(folder);
  std::ofstream{mark} << fs::path{*place}.filename().string() << "\n" << why << "\n";
  if (!sync(mark) || !sync(folder))
    return failed(mark);
  return {};
}

std::string marked_reason(const std::string& folder) {
  std::string place, why;
  std::ifstream mark{damage_mark(folder)};
  std::getline(mark, place);
  std::getline(mark, why);
  return why;
}

result<opened> set_aside(const std::string& folder, const carry_over& what) {
  auto place = marked_place(folder);
  if (!place)
    return place.why();
  if (auto moved = move_files(folder, *place); !moved)
    return moved.why();
  if (auto begun = begin_anew(folder, what({read_what_checks(*place), *place})); !begun)
    return begun.why();
  if (::unlink(damage_mark(folder).c_str()) != 0 || !sync(folder))
    return failed(damage_mark(folder));
  return open(folder);
}

} // namespace legion::store::sqlite
