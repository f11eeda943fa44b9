#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "messages/journal.pb.h"

namespace legion::store::sqlite {

/// Which rows of the journal still matter: a row whose records have all been superseded can go, one
/// of which most bytes are superseded can be written again without them.
///
/// Shape: one entry per key on disk and one pointer per record on disk; values are not kept.
///
/// The end of a key (a record without a value) is itself a record that must stay for as long as an
/// older row still holds a value of that key, or a replay would bring the value back.
class live_rows {
public:
  using row_id = std::int64_t;

  /// A row was committed, or is replayed: rows come in the order of their ids.
  void add(row_id id, const record_batch& batch);
  /// Rows of which nothing is live, since the last call; the caller must delete them.
  std::vector<row_id> take_dead();
  /// Rows of which less than half the bytes are live, since the last call; the caller must write them again.
  std::vector<row_id> take_sparse();
  /// The row was deleted on disk.
  void deleted(row_id id);
  /// What a sparse row must keep.
  record_batch keep_live(row_id id, const record_batch& whole) const;
  /// The row holds only this on disk now, a result of `keep_live`.
  void rewritten(row_id id, const record_batch& kept);

  std::size_t keys() const { return keys_.size(); }
  std::size_t rows() const { return rows_.size(); }

private:
  struct key_state {
    row_id newest = 0;
    std::uint32_t bytes = 0;   // of its record there
    std::uint32_t on_disk = 0; // rows that hold a record of this key
    bool ended = false;
  };
  struct row_state {
    std::vector<const std::string*> keys; // into `keys_`
    std::uint32_t live = 0;               // records
    std::uint32_t bytes = 0;
    std::uint32_t live_bytes = 0;
    bool sparse = false; // told already
  };

  static bool live(const key_state& key) { return !key.ended || key.on_disk > 1; }
  void gain(row_state& row, const key_state& key);
  void lose(const key_state& key);
  void leave_disk(const std::string& name, row_id id);

  std::map<std::string, key_state> keys_;
  std::map<row_id, row_state> rows_;
  std::vector<row_id> dead_;
  std::vector<row_id> sparse_;
};

} // namespace legion::store::sqlite
