#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "messages/fault.hpp"
#include "messages/journal.pb.h"
#include "runtime/store/sqlite/live_rows.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace legion::store::sqlite {

struct waiting_batch {
  std::uint64_t correlation = 0;
  record_batch batch;
  bool takes_ballast = false;
};

/// Of a row, its number with it: a row that turns up under another is damage.
std::uint32_t row_checksum(std::int64_t id, std::string_view body);

/// The journal's database: one row per batch, each with its own checksum, because SQLite has none
/// for pages. One thread at a time.
class journal_file {
public:
  static result<std::shared_ptr<journal_file>> open(const std::string& folder);
  ~journal_file();

  /// 16 random bytes, made with the file.
  const std::string& id() const { return id_; }

  /// The number of the row that comes next: rows are numbered in the order of their commits, and the
  /// last one is never deleted.
  live_rows::row_id next_row() const { return next_; }

  /// All live records in the order of their keys; once, before the first commit.
  result<std::vector<record>> replay();

  /// All of these in one transaction, synced; or none. Also clears away some of the rows that are
  /// dead, which takes space before it gives any: not where space is short.
  enum class clearing { yes, later };
  result<void> commit(const std::deque<waiting_batch>& batches, clearing how = clearing::yes);

  /// Ends the process if its folder was removed under it: what is written then is gone with the last
  /// file handle, and nobody must hear that it is kept.
  void check_folder() const;

  /// The write-ahead log is long enough to be copied into the database: soon, when nothing else is
  /// to do; or now, though somebody waits.
  int log_pages() const { return wal_pages_; }
  bool wants_checkpoint() const { return wal_pages_ >= soon_pages; }
  bool needs_checkpoint() const { return wal_pages_ >= most_pages; }
  /// Takes some milliseconds, and syncs twice.
  void checkpoint();

  /// Makes the log's file as long as it will soon be, so that a commit's sync has no new size and no
  /// new blocks to write. It stays as it was where there is no space for that.
  void reserve_log();

private:
  static constexpr int soon_pages = 250;  // 1 MiB
  static constexpr int most_pages = 2000; // 8 MiB
  static constexpr int reserved_pages = 500;
  static constexpr std::size_t least_cleared =
      8; // dead rows a commit deletes at least, if there are so many

  explicit journal_file(std::string path) : path_(std::move(path)) {}

  fault failed(int code, const std::string& doing) const;
  result<void> run(const char* sql, const std::string& doing);
  result<void> step(sqlite3_stmt* statement, const std::string& doing);
  result<void> cut_log(std::uint64_t size);
  result<void> prepare();
  result<record_batch> read_row(live_rows::row_id id);
  result<record_batch> decode(live_rows::row_id id, std::int64_t crc, std::string_view body) const;
  result<void> write_row(sqlite3_stmt* statement, live_rows::row_id id, const record_batch& batch);
  result<void> write_all(const std::deque<waiting_batch>& batches);
  result<void> clear_rows(std::size_t added);
  void note_rows_to_clear();

  std::string path_;
  std::string id_;
  sqlite3* db_ = nullptr;
  int seen_ = -1; // the database, to look at only: closing it gives up none of SQLite's locks
  sqlite3_stmt* begin_ = nullptr;
  sqlite3_stmt* commit_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_stmt* update_ = nullptr;
  sqlite3_stmt* erase_ = nullptr;
  sqlite3_stmt* select_ = nullptr;
  live_rows live_;
  live_rows::row_id next_ = 1;
  int wal_pages_ = 0;

  // What the next transaction clears: it becomes true when it is committed.
  std::vector<live_rows::row_id> dead_;
  std::size_t clearing_ = 0; // the first so many of them
  std::vector<live_rows::row_id> sparse_;
  std::vector<std::pair<live_rows::row_id, record_batch>> rewritten_;
};

} // namespace legion::store::sqlite
