#include "runtime/store/sqlite/live_rows.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace legion::store::sqlite {

namespace {

std::uint32_t bytes_of(const record& x) {
  return static_cast<std::uint32_t>(x.key().size() + x.value().size());
}

} // namespace

void live_rows::add(row_id id, const record_batch& batch) {
  auto& row = rows_[id];
  for (auto& record : batch.records()) {
    auto [i, fresh] = keys_.try_emplace(record.key());
    auto& key = i->second;
    auto again = !fresh && key.newest == id; // twice in one batch: the later one counts
    if (again && live(key)) {
      --row.live;
      row.live_bytes -= key.bytes;
    } else if (!fresh && live(key)) {
      lose(key);
    }
    key.newest = id;
    key.ended = record.value().empty();
    key.bytes = bytes_of(record);
    row.bytes += key.bytes;
    if (!again) {
      ++key.on_disk;
      row.keys.push_back(&i->first);
    }
    if (live(key))
      gain(row, key);
  }
  if (row.live == 0)
    dead_.push_back(id);
}

void live_rows::gain(row_state& row, const key_state& key) {
  ++row.live;
  row.live_bytes += key.bytes;
}

/// The newest record of a key is live no more.
void live_rows::lose(const key_state& key) {
  auto& row = rows_.at(key.newest);
  --row.live;
  row.live_bytes -= key.bytes;
  if (row.live == 0)
    dead_.push_back(key.newest);
  else if (row.live_bytes < row.bytes / 2 && !std::exchange(row.sparse, true))
    sparse_.push_back(key.newest);
}

std::vector<live_rows::row_id> live_rows::take_dead() {
  std::sort(dead_.begin(), dead_.end());
  dead_.erase(std::unique(dead_.begin(), dead_.end()), dead_.end());
  return std::exchange(dead_, {});
}

std::vector<live_rows::row_id> live_rows::take_sparse() {
  auto result = std::exchange(sparse_, {});
  std::erase_if(result, [&](row_id id) {
    auto i = rows_.find(id);
    return i == rows_.end() || i->second.live == 0;
  });
  return result;
}

void live_rows::leave_disk(const std::string& name, row_id id) {
  auto i = keys_.find(name);
  auto& key = i->second;
  auto was = live(key);
  --key.on_disk;
  if (key.on_disk == 0)
    keys_.erase(i);
  else if (key.newest != id && was && !live(key))
    lose(key);
}

void live_rows::deleted(row_id id) {
  auto node = rows_.extract(id);
  if (node)
    for (auto* name : node.mapped().keys)
      leave_disk(*name, id);
}

record_batch live_rows::keep_live(row_id id, const record_batch& whole) const {
  record_batch result;
  std::map<std::string_view, const record*> last;
  for (auto& x : whole.records())
    last[x.key()] = &x;
  for (auto& [name, x] : last) {
    auto i = keys_.find(x->key());
    if (i != keys_.end() && i->second.newest == id && live(i->second))
      *result.add_records() = *x;
  }
  return result;
}

void live_rows::rewritten(row_id id, const record_batch& kept) {
  auto& row = rows_.at(id);
  auto before = std::exchange(row.keys, {});
  row = {};
  for (auto& x : kept.records()) {
    auto i = keys_.find(x.key());
    row.keys.push_back(&i->first);
    row.bytes += bytes_of(x);
    if (i->second.newest == id && live(i->second))
      gain(row, i->second);
  }
  auto still = row.keys;
  std::sort(still.begin(), still.end());
  for (auto* name : before)
    if (!std::binary_search(still.begin(), still.end(), name))
      leave_disk(*name, id);
  if (row.live == 0)
    dead_.push_back(id);
}

} // namespace legion::store::sqlite
