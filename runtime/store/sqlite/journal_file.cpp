#include "runtime/store/sqlite/journal_file.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <span>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "runtime/store/sqlite/checksum.hpp"
#include "runtime/store/sqlite/journal_format.hpp"
#include "runtime/store/sqlite/sqlite_fault.hpp"
#include "runtime/store/sqlite/wal_scan.hpp"

namespace legion::store::sqlite {
namespace {

constexpr const char* settings = "PRAGMA page_size=4096;"
                                 "PRAGMA journal_mode=WAL;"
                                 "PRAGMA synchronous=FULL;"
                                 "PRAGMA wal_autocheckpoint=0;"
                                 "PRAGMA cache_size=-256;"
                                 "PRAGMA journal_size_limit=8388608;";

constexpr int page_bytes = 4096;
constexpr int wal_header_bytes = 32;
constexpr int wal_frame_header_bytes = 24;

} // namespace

std::uint32_t row_checksum(std::int64_t id, std::string_view body) {
  char number[8];
  for (int i = 0; i < 8; ++i)
    number[i] = static_cast<char>(id >> (8 * i));
  return crc32c(body, crc32c({number, 8}));
}

result<std::shared_ptr<journal_file>> journal_file::open(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return fault{errc::disk, folder + ": cannot be made: " + error.message()};
  std::shared_ptr<journal_file> file{new journal_file{folder + "/journal.db"}};
  auto flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (auto code = sqlite3_open_v2(file->path_.c_str(), &file->db_, flags, nullptr); code)
    return file->failed(code, "open");
  file->seen_ = ::open(file->path_.c_str(), O_PATH | O_CLOEXEC);
  sqlite3_extended_result_codes(file->db_, 1);
  // A damaged log must stay as it is: closing would copy what is readable and delete the rest.
  sqlite3_db_config(file->db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  // The lock comes first: another process may be writing what is scanned.
  if (auto locked = file->run("PRAGMA locking_mode=EXCLUSIVE; BEGIN IMMEDIATE; ROLLBACK;", "lock");
      !locked)
    return locked.why();
  auto scanned = scan_wal(file->path_ + "-wal", file->path_);
  if (!scanned)
    return scanned.why();
  if (const auto& size = *scanned)
    if (auto done = file->cut_log(*size); !done)
      return done.why();
  if (auto ready = file->prepare(); !ready)
    return ready.why();
  return file;
}

journal_file::~journal_file() {
  for (auto* statement : {begin_, commit_, insert_, update_, erase_, select_})
    sqlite3_finalize(statement);
  sqlite3_close(db_);
  if (seen_ >= 0)
    ::close(seen_);
}

fault journal_file::failed(int code, const std::string& doing) const {
  return fault_of(db_, code, path_ + ": " + doing);
}

result<void> journal_file::run(const char* sql, const std::string& doing) {
  if (auto code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); code)
    return failed(code, doing);
  return {};
}

/// SQLite has read the log already, and knows of nothing beyond the last commit.
result<void> journal_file::cut_log(std::uint64_t size) {
  sqlite3_file* log = nullptr;
  auto code = sqlite3_file_control(db_, nullptr, SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (!code && log->pMethods)
    code = log->pMethods->xTruncate(log, static_cast<sqlite3_int64>(size));
  if (!code && log->pMethods)
    code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  if (code)
    return failed(code, "cut a torn transaction off its log");
  return {};
}

result<void> journal_file::prepare() {
  auto version = read_format(db_, path_);
  if (!version)
    return version.why();
  if (auto done = run(settings, "set up"); !done)
    return done;
  auto id = settle_format(db_, path_, *version);
  if (!id)
    return id.why();
  id_ = std::move(*id);
  sqlite3_wal_hook(
      db_,
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<journal_file*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      this);
  const std::pair<sqlite3_stmt**, const char*> statements[] = {
      {&begin_, "BEGIN IMMEDIATE"},
      {&commit_, "COMMIT"},
      {&insert_, "INSERT INTO batches(id, crc, body) VALUES(?1, ?2, ?3)"},
      {&update_, "UPDATE batches SET crc=?2, body=?3 WHERE id=?1"},
      {&erase_, "DELETE FROM batches WHERE id=?1"},
      {&select_, "SELECT crc, body FROM batches WHERE id=?1"}};
  for (auto& [statement, sql] : statements)
    if (auto code = sqlite3_prepare_v2(db_, sql, -1, statement, nullptr); code)
      return failed(code, "read its table");
  return {};
}

result<record_batch> journal_file::decode(live_rows::row_id id, std::int64_t crc,
                                          std::string_view body) const {
  auto where = path_ + ": row " + std::to_string(id);
  record_batch batch;
  if (row_checksum(id, body) != crc)
    return fault{errc::damaged, where + " does not check: its bytes have changed on disk"};
  if (!batch.ParseFromArray(body.data(), static_cast<int>(body.size())))
    return fault{errc::damaged, where + " is not a batch of records"};
  return batch;
}

namespace {
std::string_view blob(sqlite3_stmt* statement, int column) {
  return {static_cast<const char*>(sqlite3_column_blob(statement, column)),
          static_cast<std::size_t>(sqlite3_column_bytes(statement, column))};
}
} // namespace

result<std::vector<record>> journal_file::replay() {
  sqlite3_stmt* all = nullptr;
  if (auto code = sqlite3_prepare_v2(db_, "SELECT id, crc, body FROM batches ORDER BY id", -1, &all,
                                     nullptr);
      code)
    return failed(code, "replay");
  std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> closes{all, sqlite3_finalize};
  std::map<std::string, record> newest;
  int code;
  while ((code = sqlite3_step(all)) == SQLITE_ROW) {
    auto id = sqlite3_column_int64(all, 0);
    auto batch = decode(id, sqlite3_column_int64(all, 1), blob(all, 2));
    if (!batch)
      return batch.why();
    live_.add(id, *batch);
    next_ = id + 1;
    for (auto& x : *batch->mutable_records())
      newest[x.key()] = std::move(x);
  }
  if (code != SQLITE_DONE)
    return failed(code, "replay, behind row " + std::to_string(next_ - 1));
  note_rows_to_clear();
  std::vector<record> result;
  for (auto& [key, x] : newest)
    if (!x.value().empty())
      result.push_back(std::move(x));
  return result;
}

result<record_batch> journal_file::read_row(live_rows::row_id id) {
  sqlite3_bind_int64(select_, 1, id);
  auto code = sqlite3_step(select_);
  auto batch = code == SQLITE_ROW
                   ? decode(id, sqlite3_column_int64(select_, 0), blob(select_, 1))
                   : result<record_batch>{failed(code, "read row " + std::to_string(id))};
  sqlite3_reset(select_);
  return batch;
}

result<void> journal_file::step(sqlite3_stmt* statement, const std::string& doing) {
  auto code = sqlite3_step(statement);
  auto done = code == SQLITE_DONE ? result<void>{} : result<void>{failed(code, doing)};
  sqlite3_reset(statement);
  return done;
}

result<void> journal_file::write_row(sqlite3_stmt* statement, live_rows::row_id id,
                                     const record_batch& batch) {
  auto body = batch.SerializeAsString();
  sqlite3_bind_int64(statement, 1, id);
  sqlite3_bind_int64(statement, 2, row_checksum(id, body));
  sqlite3_bind_blob64(statement, 3, body.data(), body.size(), SQLITE_STATIC);
  auto code = sqlite3_step(statement);
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (code != SQLITE_DONE)
    return failed(code, "write row " + std::to_string(id));
  return {};
}

result<void> journal_file::write_all(const std::deque<waiting_batch>& batches) {
  if (auto begun = step(begin_, "write"); !begun)
    return begun;
  auto id = next_;
  for (auto& x : batches)
    if (auto done = write_row(insert_, id++, x.batch); !done)
      return done;
  return {};
}

/// A few at a time, so that no commit takes long; more than come, so that they get fewer. Rows are
/// written again only once no dead ones are left: their ends of keys matter no more then.
result<void> journal_file::clear_rows(std::size_t added) {
  clearing_ = std::min(dead_.size(), std::max(least_cleared, 4 * added));
  for (auto dead : std::span{dead_}.first(clearing_)) {
    sqlite3_bind_int64(erase_, 1, dead);
    auto code = sqlite3_step(erase_);
    sqlite3_reset(erase_);
    if (code != SQLITE_DONE)
      return failed(code, "delete row " + std::to_string(dead));
  }
  if (clearing_ < dead_.size())
    return {};
  for (auto sparse : sparse_) {
    auto whole = read_row(sparse);
    if (!whole)
      return whole.why();
    auto kept = live_.keep_live(sparse, *whole);
    if (auto done = write_row(update_, sparse, kept); !done)
      return done;
    rewritten_.emplace_back(sparse, std::move(kept));
  }
  return {};
}

result<void> journal_file::commit(const std::deque<waiting_batch>& batches, clearing how) {
  rewritten_.clear();
  clearing_ = 0;
  auto done = write_all(batches);
  if (done && how == clearing::yes)
    done = clear_rows(batches.size());
  if (done)
    done = step(commit_, "commit");
  if (!done) {
    if (!sqlite3_get_autocommit(db_))
      sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
    return done;
  }
  auto cleared = dead_.begin() + static_cast<std::ptrdiff_t>(clearing_);
  for (auto i = dead_.begin(); i != cleared; ++i)
    live_.deleted(*i);
  dead_.erase(dead_.begin(), cleared);
  for (auto& [id, kept] : rewritten_) {
    live_.rewritten(id, kept);
    std::erase(sparse_, id);
  }
  for (auto& x : batches)
    live_.add(next_++, x.batch);
  note_rows_to_clear();
  return {};
}

/// Also keeps what an earlier commit left; a row that died meanwhile is not to be written again.
void journal_file::note_rows_to_clear() {
  auto join = [](std::vector<live_rows::row_id>& to, std::vector<live_rows::row_id> more) {
    to.insert(to.end(), more.begin(), more.end());
    std::sort(to.begin(), to.end());
    to.erase(std::unique(to.begin(), to.end()), to.end());
  };
  join(dead_, live_.take_dead());
  join(sparse_, live_.take_sparse());
  std::erase_if(sparse_, [this](live_rows::row_id id) {
    return std::binary_search(dead_.begin(), dead_.end(), id);
  });
}

void journal_file::check_folder() const {
  struct stat now = {};
  if (seen_ < 0 || ::fstat(seen_, &now) != 0 || now.st_nlink > 0)
    return;
  std::fprintf(stderr,
               "legion: %s: the data folder was removed: nothing that is written there is kept\n",
               path_.c_str());
  std::abort();
}

void journal_file::checkpoint() {
  auto code = sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code)
    (void)failed(code, "checkpoint"); // ends the process if a sync failed; else the next one tries
  wal_pages_ = 0;                     // of what follows; a commit counts those of a log that stays
}

/// Zeros: no frame's salts are, so whoever reads the log stops there (SQLite's file format, 4.2).
void journal_file::reserve_log() {
  sqlite3_file* log = nullptr;
  sqlite3_int64 size = 0;
  if (sqlite3_file_control(db_, nullptr, SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK
      || !log->pMethods || log->pMethods->xFileSize(log, &size) != SQLITE_OK)
    return;
  const std::string zeros(wal_frame_header_bytes + page_bytes, '\0');
  sqlite3_int64 frame_bytes = std::ssize(zeros),
                end = wal_header_bytes + reserved_pages * frame_bytes;
  auto code = SQLITE_OK;
  for (auto at = size; at < end && code == SQLITE_OK;) {
    auto bytes = std::min(frame_bytes, end - at);
    code = log->pMethods->xWrite(log, zeros.data(), static_cast<int>(bytes), at);
    at += bytes;
  }
  if (code == SQLITE_OK)
    code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  if (code != SQLITE_OK) {
    (void)failed(code, "make its log longer"); // ends the process if the sync failed
    log->pMethods->xTruncate(log, size);
  }
}

} // namespace legion::store::sqlite
