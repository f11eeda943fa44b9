#include "actors/group/log.hpp"

#include <cstdio>

namespace legion::group {

namespace {

constexpr std::size_t max_batch_bytes = 2 * 1024 * 1024;

std::string prefix(group_id group) {
  return "group/" + std::to_string(value(group)) + "/";
}

std::string entry_key(group_id group, std::uint64_t index) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%020llu", static_cast<unsigned long long>(index));
  return prefix(group) + "entry/" + digits;
}

fault damaged(const std::string& what) {
  return {errc::damaged, what + ": this group's resources are not kept until it is mended"};
}

} // namespace

log::log(group_id group) : group_(group) {}

result<void> log::replay(const std::vector<record>& records, state& into) {
  auto snapshot_key = prefix(group_) + "snapshot";
  auto entries = prefix(group_) + "entry/";
  for (const auto& x : records) {
    if (x.key() != snapshot_key || x.value().empty())
      continue;
    group_state read;
    if (!read.ParseFromString(x.value()))
      return damaged("the journal's record " + x.key() + " does not read");
    into = state::from(read);
  }
  snapshot_index_ = index_ = into.index();
  incarnation_ = into.incarnation();
  first_entry_ = index_ + 1;
  for (const auto& x : records) {
    if (x.key().compare(0, entries.size(), entries) != 0 || x.value().empty())
      continue;
    group_entry read;
    if (!read.ParseFromString(x.value()))
      return damaged("the journal's record " + x.key() + " does not read");
    if (read.index() <= index_)
      continue;
    if (read.index() != index_ + 1)
      return damaged("the journal lacks " + entry_key(group_, index_ + 1));
    into.apply(read);
    index_ = read.index();
  }
  incarnation_ = into.incarnation();
  return {};
}

std::vector<log::effect> log::propose(std::uint64_t proposal, std::vector<group_entry> entries) {
  queue_.push_back({proposal, std::move(entries)});
  return form_batch();
}

std::vector<log::effect> log::form_batch() {
  if (!writing_.empty() || queue_.empty())
    return {};
  batch_.Clear();
  if (snapshot_) {
    auto& x = *batch_.add_records();
    x.set_key(prefix(group_) + "snapshot");
    x.set_value(snapshot_->SerializeAsString());
    for (auto i = first_entry_; i <= snapshot_->index(); ++i)
      batch_.add_records()->set_key(entry_key(group_, i));
    snapshot_in_write_ = snapshot_->index();
  }
  auto next = index_;
  std::size_t bytes = 0;
  while (!queue_.empty() && (writing_.empty() || bytes < max_batch_bytes)) {
    auto x = std::move(queue_.front());
    queue_.pop_front();
    for (auto& entry : x.entries) {
      entry.set_index(++next);
      entry.set_incarnation(incarnation_);
      auto& record = *batch_.add_records();
      record.set_key(entry_key(group_, next));
      record.set_value(entry.SerializeAsString());
      bytes += record.value().size();
    }
    writing_.push_back(std::move(x));
  }
  return {write{batch_, milliseconds{0}}};
}

std::vector<log::effect> log::on_written() {
  std::vector<effect> result;
  if (snapshot_in_write_ != 0) {
    first_entry_ = snapshot_in_write_ + 1;
    snapshot_in_write_ = 0;
    snapshot_.reset();
  }
  for (auto& x : writing_) {
    index_ += x.entries.size();
    result.push_back(commit{x.proposal, std::move(x.entries)});
  }
  writing_.clear();
  for (auto& x : form_batch())
    result.push_back(std::move(x));
  return result;
}

std::vector<log::effect> log::on_failed(const fault& why) {
  if (writing_.empty())
    return {};
  if (why.code != errc::disk_full && why.code != errc::overloaded)
    return {write{batch_, seconds{1}}};
  std::vector<effect> result;
  for (const auto& x : writing_)
    result.push_back(refuse{x.proposal, why});
  writing_.clear();
  snapshot_in_write_ = 0;
  for (auto& x : form_batch())
    result.push_back(std::move(x));
  return result;
}

void log::compact(group_state snapshot) {
  snapshot_index_ = snapshot.index();
  snapshot_ = std::move(snapshot);
}

} // namespace legion::group
