#include "tests/simulation/consensus/model_disk.hpp"

#include <algorithm>

namespace legion::proof {

void model_disk::apply(const consensus::write& x) {
  ballot = x.ballot;
  if (x.installed) {
    kept = *x.installed;
    entries.clear();
  }
  auto from = x.truncate_from;
  if (!x.entries.empty())
    from = x.entries.front()->index;
  while (from != 0 && !entries.empty() && entries.back()->index >= from)
    entries.pop_back();
  entries.insert(entries.end(), x.entries.begin(), x.entries.end());
}

void model_disk::apply(const keep_snapshot& x) {
  if (x.what.head.index <= kept.head.index)
    return;
  kept = x.what;
  std::erase_if(entries, [&](const consensus::entry_ref& e) { return e->index <= x.compact_to; });
}

void model_disk::sync_one() {
  std::visit([&](const auto& x) { apply(x); }, unsynced.front());
  unsynced.pop_front();
}

void model_disk::crash(std::mt19937_64& random) {
  for (auto n = random() % (unsynced.size() + 1); n > 0; --n)
    sync_one();
  unsynced.clear();
  syncing = 0;
}

model_disk model_disk::durable() const {
  auto result = *this;
  result.unsynced.clear();
  result.syncing = 0;
  return result;
}

void model_disk::bury(consensus::log_index at) {
  while (!unsynced.empty())
    sync_one();
  kept = {};
  entries.clear();
  removed_at = std::max(removed_at, at);
  syncing = 0;
}

consensus::snapshot_head model_disk::newest_members() const {
  for (auto i = entries.rbegin(); i != entries.rend(); ++i)
    if ((*i)->kind == consensus::entry_kind::configuration)
      if (auto x = consensus::decode_configuration((*i)->data)) {
        consensus::snapshot_head result;
        result.members = *x;
        result.members_index = (*i)->index;
        return result;
      }
  return kept.head;
}

} // namespace legion::proof
