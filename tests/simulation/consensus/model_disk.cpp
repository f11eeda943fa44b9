#include "tests/simulation/consensus/model_disk.hpp"

#include <algorithm>

namespace legion::proof {

void model_disk::found(const std::vector<consensus::member_id>& voters) {
  record_batch x;
  consensus::log_records::found(prefix, voters, x);
  if (files_) {
    open_files();
    write_to_files(x);
  }
  put(x);
  kept.head = consensus::founded_by(voters);
}

void model_disk::append(consensus::write x) {
  batch added;
  records_.add(x, added.records);
  added.what = std::move(x);
  unsynced.push_back(std::move(added));
}

void model_disk::append(keep_snapshot x) {
  batch added;
  records_.add_snapshot(x.what.head, *x.what.state, x.compact_to + 1, added.records);
  added.what = std::move(x);
  unsynced.push_back(std::move(added));
}

void model_disk::append_fence() {
  batch added;
  records_.add_fence(added.records);
  added.what = keep_fence{};
  unsynced.push_back(std::move(added));
}

result<consensus::log_records::kept> model_disk::read() {
  std::vector<record> records;
  for (const auto& [key, value] : rows_) {
    auto& x = records.emplace_back();
    x.set_key(key);
    x.set_value(value);
  }
  records_ = consensus::log_records{prefix};
  return records_.read(records);
}

result<consensus::log_records::kept> model_disk::open() {
  if (files_)
    open_files();
  if (flaw_)
    return *flaw_;
  auto kept = read();
  if (kept)
    if (auto what = difference(*kept); !what.empty())
      return fault{errc::damaged, "its records read otherwise than they were written: " + what};
  return kept;
}

std::string model_disk::difference(const consensus::log_records::kept& x) const {
  if (x.ballot != ballot)
    return "the ballot";
  if (x.removed_at != removed_at)
    return "the tombstone";
  if (x.head != kept.head || x.state != (kept.state ? *kept.state : std::string{}))
    return "the snapshot";
  auto same = [](const consensus::entry_ref& a, const consensus::entry_ref& b) {
    return a->index == b->index && a->term == b->term && a->kind == b->kind && a->data == b->data;
  };
  if (!std::equal(x.entries.begin(), x.entries.end(), entries.begin(), entries.end(), same))
    return "the log";
  return {};
}

void model_disk::put(const record_batch& x) {
  for (const auto& y : x.records())
    if (y.value().empty())
      rows_.erase(y.key());
    else
      rows_[y.key()] = y.value();
}

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
  kept = x.what;
  std::erase_if(entries, [&](const consensus::entry_ref& e) { return e->index <= x.compact_to; });
}

void model_disk::sync_one() {
  std::visit([&](const auto& x) { apply(x); }, unsynced.front().what);
  put(unsynced.front().records);
  unsynced.pop_front();
}

void model_disk::crash(std::mt19937_64& random) {
  if (files_)
    crash_files(random);
  else
    for (auto n = random() % (unsynced.size() + 1); n > 0; --n)
      sync_one();
  unsynced.clear();
  syncing = 0;
}

model_disk model_disk::durable() const {
  auto result = *this;
  result.unsynced.clear();
  result.syncing = 0;
  if (files_) {
    result.files_ = files_->copy();
    result.opened_ = false;
  }
  return result;
}

void model_disk::bury(consensus::log_index at) {
  if (files_) {
    files_->go_on();
    write_files(unsynced.size());
  }
  while (!unsynced.empty())
    sync_one();
  kept = {};
  entries.clear();
  removed_at = std::max(removed_at, at);
  record_batch x;
  records_.bury(removed_at, x);
  if (files_)
    write_to_files(x);
  put(x);
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
