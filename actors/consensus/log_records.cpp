#include "actors/consensus/log_records.hpp"

#include <cstdio>

#include "actors/consensus/wire.hpp"

namespace legion::consensus {

namespace {

fault damaged(const std::string& what) {
  return {errc::damaged, what + ": what this log holds is not kept here until it is mended"};
}

fault unreadable(const record& x) {
  return damaged("the journal's record " + x.key() + " does not read");
}

} // namespace

std::string log_records::entry_key(log_index index) const {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%020llu", static_cast<unsigned long long>(index));
  return prefix_ + "log/" + digits;
}

void log_records::put_promised(record_batch& into) const {
  consensus_promised x;
  *x.mutable_ballot() = to_wire(ballot_);
  x.set_removed_at(removed_at_);
  x.set_fenced(fenced_);
  auto& to = *into.add_records();
  to.set_key(prefix_ + "promised");
  to.set_value(x.SerializeAsString());
}

void log_records::put_snapshot(const snapshot_head& head, std::string state,
                               record_batch& into) const {
  consensus_snapshot x;
  *x.mutable_head() = to_wire(head);
  x.set_state(std::move(state));
  auto& to = *into.add_records();
  to.set_key(prefix_ + "snapshot");
  to.set_value(x.SerializeAsString());
}

void log_records::drop(log_index from, log_index upto, record_batch& into) {
  for (auto i = std::max(from, first_); i <= std::min(upto, last_); ++i)
    into.add_records()->set_key(entry_key(i));
}

void log_records::found(std::string prefix, const std::vector<member_id>& voters,
                        record_batch& into) {
  log_records{std::move(prefix)}.put_snapshot(founded_by(voters), {}, into);
}

result<log_records::kept> log_records::read(const std::vector<record>& records) {
  kept x;
  auto entries = prefix_ + "log/";
  auto old_entries = prefix_ + "entry/";
  for (const auto& y : records) { // in the order of keys: the log comes first
    if (y.value().empty())
      continue;
    if (y.key().starts_with(old_entries))
      return fault{errc::unsupported,
                   "the journal is of a version in which a group had one member; "
                   "apply its resources again with a new data folder"};
    if (y.key().starts_with(entries)) {
      consensus_entry wire;
      auto entry = wire.ParseFromString(y.value()) ? from_wire(wire) : nullptr;
      if (!entry || entry_key(entry->index) != y.key())
        return unreadable(y);
      if (!x.entries.empty() && entry->index != x.entries.back()->index + 1)
        return damaged("the journal lacks " + entry_key(x.entries.back()->index + 1));
      x.entries.push_back(std::move(entry));
    } else if (y.key() == prefix_ + "promised") {
      consensus_promised wire;
      auto ballot = wire.ParseFromString(y.value()) ? from_wire(wire.ballot()) : std::nullopt;
      if (!ballot)
        return unreadable(y);
      x.ballot = *ballot;
      x.removed_at = wire.removed_at();
      x.fenced = wire.fenced();
    } else if (y.key() == prefix_ + "snapshot") {
      consensus_snapshot wire;
      auto head = wire.ParseFromString(y.value()) ? from_wire(wire.head()) : std::nullopt;
      if (!head)
        return unreadable(y);
      x.head = std::move(*head);
      x.state = wire.state();
    }
  }
  if (!x.entries.empty() && x.entries.front()->index > x.head.index + 1)
    return damaged("the journal lacks " + entry_key(x.head.index + 1));
  first_ = x.entries.empty() ? x.head.index + 1 : x.entries.front()->index;
  last_ = x.entries.empty() ? x.head.index : x.entries.back()->index;
  ballot_ = x.ballot;
  removed_at_ = x.removed_at;
  fenced_ = x.fenced;
  return x;
}

void log_records::add(const write& x, record_batch& into) {
  ballot_ = x.ballot;
  put_promised(into);
  if (x.installed) {
    drop(first_, last_, into);
    put_snapshot(x.installed->head, *x.installed->state, into);
    first_ = x.installed->head.index + 1;
    last_ = x.installed->head.index;
  }
  if (x.truncate_from != 0 && x.truncate_from <= last_) {
    drop(x.truncate_from, last_, into);
    last_ = x.truncate_from - 1;
  }
  for (const auto& entry : x.entries) {
    auto& to = *into.add_records();
    to.set_key(entry_key(entry->index));
    to.set_value(to_wire(*entry).SerializeAsString());
    last_ = entry->index;
  }
}

void log_records::add_snapshot(const snapshot_head& head, std::string state, log_index keep_from,
                               record_batch& into) {
  put_snapshot(head, std::move(state), into);
  if (keep_from <= first_)
    return;
  drop(first_, keep_from - 1, into);
  first_ = keep_from;
}

void log_records::add_fence(record_batch& into) {
  fenced_ = true;
  put_promised(into);
}

log_records::kept log_records::bury(log_index removed_at, record_batch& into) {
  drop(first_, last_, into);
  into.add_records()->set_key(prefix_ + "snapshot");
  removed_at_ = removed_at;
  first_ = 1;
  last_ = 0;
  put_promised(into);
  kept result;
  result.ballot = ballot_;
  result.removed_at = removed_at_;
  result.fenced = fenced_;
  return result;
}

log_records::kept log_records::leave_behind(log_index last, term_number heard, record_batch& into) {
  if (heard > ballot_.term)
    ballot_ = {heard, {}};
  fenced_ = false;
  return bury(last, into);
}

log_records::kept log_records::raise(const snapshot_head& head, std::string state,
                                     record_batch& into) {
  drop(first_, last_, into);
  ballot_ = {head.term, {}};
  removed_at_ = 0;
  fenced_ = false;
  first_ = head.index + 1;
  last_ = head.index;
  put_promised(into);
  put_snapshot(head, state, into);
  kept result;
  result.ballot = ballot_;
  result.head = head;
  result.state = std::move(state);
  return result;
}

} // namespace legion::consensus
