#include "actors/consensus/seat_part.hpp"

#include <algorithm>
#include <map>

#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/consensus/wire.hpp"

namespace legion::consensus {

namespace {

constexpr milliseconds first_write_pause{50};
constexpr milliseconds write_pause{1000};
constexpr milliseconds alarm_pause{1000};
/// Entries between two snapshots, at random, so that not all members of a group take theirs while
/// one entry waits for them; or the bytes of as many entries of this size. A large state waits for
/// so many of `share` times its own bytes to be logged (5.1): 1.5 to 2.5 times.
constexpr log_index least_snapshot_interval = 576;
constexpr log_index snapshot_interval_spread = 384;
constexpr std::size_t entry_bytes = 1024;
constexpr log_index share = 384;
/// Kept below a snapshot for slow followers.
constexpr log_index entries_kept = 128;
/// With what goes around it, an entry must fit into a frame.
constexpr std::size_t most_entry_bytes = transport::max_frame_bytes - 64 * 1024;

} // namespace

core seat::make_member(log_records::kept kept) {
  const auto& self = setting_.context->self;
  core::setting how;
  how.self = {self.id, journal_id::from_bytes(setting_.context->journal_id)};
  how.start = value(self.start) << 16 | life_;
  how.seed = random_();
  how.may_vote = !kept.fenced;
  how.waits = setting_.context->may_be_old && !trusted_;
  how.removed_at = kept.removed_at;
  how.tuned.election_timeout = election_timeout;
  how.tuned.entry_bytes = most_entry_bytes;
  how.ballot = kept.ballot;
  how.head = std::move(kept.head);
  how.entries = std::move(kept.entries);
  return {std::move(how), holder_->now()};
}

/// What an earlier actor was writing may be on disk or not: the same again makes it sure.
void seat::begin() {
  finishing_ = !setting_.journal->in_doubt().records().empty();
  if (finishing_)
    return holder_->write(setting_.journal->in_doubt());
  life_ = setting_.journal->next_life();
  holder_->begins(life_);
  random_.seed(setting_.context->seed_for(setting_.prefix
                                          + std::to_string(value(setting_.context->self.start))
                                          + "/seat/" + std::to_string(life_)));
  records_.emplace(setting_.prefix);
  auto kept = records_->read(setting_.journal->records());
  if (!kept)
    fenced_ = kept.why();
  else if (snapshot_bytes_ = kept->state.size(); !holder_->restore(kept->state))
    fenced_ = fault{errc::damaged, "the journal's snapshot of " + setting_.name + " does not read"};
  if (fenced_) {
    spdlog::error("seat fenced of=\"{}\" why={}", setting_.name, fenced_->detail);
    return;
  }
  applied_ = snapshot_at_ = kept->head.index;
  draw_snapshot_interval();
  core_.emplace(make_member(std::move(*kept)));
  holder_->seated();
  pump();
}

/// On disk: the member may go on, and what depends on it may be said.
void seat::on_written() {
  setting_.journal->written();
  write_failed_ = false;
  if (finishing_)
    return begin();
  auto done = std::move(writes_.front());
  writes_.erase(writes_.begin());
  if (core_ && done.sequence != 0)
    core_->on_written(done.sequence, holder_->now());
  if (core_ && done.compact_to != 0)
    core_->compact(done.compact_to);
  write_next();
  pump();
}

/// The same is written until it is on disk: what the member wants kept can't be taken back. What an
/// author waits for may take what is left of a full disk; no more is accepted then.
void seat::on_write_failed(const fault& why) {
  auto first = !std::exchange(write_failed_, true);
  if (first)
    spdlog::warn("seat write_failed of=\"{}\" why={} detail={}", setting_.name, to_string(why.code),
                 why.detail);
  if (!finishing_) {
    if (why.code == errc::disk_full || why.code == errc::overloaded)
      setting_.journal->refused();
    if (core_ && core_->role() == role::leader)
      writes_.front().batch.set_from_ballast(true);
  }
  holder_->write_after(first ? first_write_pause : write_pause);
}

void seat::on_write_again() {
  if (finishing_)
    begin();
  else if (!writes_.empty())
    start_write();
}

void seat::start_write() {
  setting_.journal->writing(writes_.front().batch);
  holder_->write(writes_.front().batch);
}

/// All that waits goes to the disk together.
void seat::write_next() {
  if (writes_.empty())
    return;
  auto& first = writes_.front();
  auto bytes = first.batch.ByteSizeLong();
  auto next = writes_.begin() + 1;
  for (; next != writes_.end(); ++next) {
    bytes += next->batch.ByteSizeLong();
    if (bytes > store::max_batch_bytes / 2)
      break;
    for (auto& x : *next->batch.mutable_records())
      *first.batch.add_records() = std::move(x);
    first.sequence = std::max(first.sequence, next->sequence);
    first.compact_to = std::max(first.compact_to, next->compact_to);
  }
  writes_.erase(writes_.begin() + 1, next);
  start_write();
}

void seat::enqueue(pending x) {
  writes_.push_back(std::move(x));
  if (writes_.size() == 1)
    start_write();
}

void seat::draw_snapshot_interval() {
  snapshot_after_ = least_snapshot_interval + random_() % snapshot_interval_spread;
}

void seat::take_snapshot() {
  pending x;
  auto keep_from = applied_ > entries_kept ? applied_ - entries_kept : 1;
  auto state = holder_->snapshot();
  snapshot_bytes_ = state.size();
  records_->add_snapshot(core_->head_at(applied_), std::move(state), keep_from, x.batch);
  x.compact_to = keep_from - 1;
  snapshot_at_ = applied_;
  bytes_since_ = 0;
  draw_snapshot_interval();
  enqueue(std::move(x));
}

void seat::send_all(const std::vector<message>& messages) {
  auto& directory = *setting_.context->directory;
  std::map<member_id, consensus_batch> by_peer;
  for (const auto& x : messages) {
    auto& batch = by_peer[x.to];
    if (batch.messages().empty()) {
      batch.set_from_journal(x.from.journal.bytes());
      batch.set_to_journal(x.to.journal.bytes());
      if (const auto& rows = setting_.context->rows_written)
        batch.set_rows(rows->load());
      batch.set_start(value(setting_.context->self.start));
    }
    auto& to = *batch.add_messages();
    to = to_wire(x);
    to.set_group(value(setting_.group));
    if (batch.ByteSizeLong() > transport::max_frame_bytes / 4) { // large ones go one by one
      directory.tell(x.to.node, "consensus", std::move(batch), holder_->host());
      batch = {};
    }
  }
  for (auto& [who, batch] : by_peer)
    if (!batch.messages().empty())
      directory.tell(who.node, "consensus", std::move(batch), holder_->host());
}

void seat::restore(const snapshot& x) {
  if (!holder_->restore(*x.state)) {
    fenced_ = fault{errc::damaged, "the leader's snapshot of " + setting_.name + " does not read"};
    spdlog::error("seat fenced of=\"{}\" why={}", setting_.name, fenced_->detail);
    holder_->restore({});
  }
  applied_ = snapshot_at_ = x.head.index;
  snapshot_bytes_ = x.state->size();
  bytes_since_ = 0;
  core_->on_applied(applied_);
}

void seat::apply(const entry_refs& entries) {
  holder_->apply(entries);
  applied_ = entries.back()->index;
  core_->on_applied(applied_);
  for (const auto& x : entries)
    bytes_since_ += cost(*x);
  auto logged_enough =
      applied_ - snapshot_at_ >= snapshot_after_ || bytes_since_ >= snapshot_after_ * entry_bytes;
  if (logged_enough && bytes_since_ * share >= snapshot_bytes_ * snapshot_after_)
    take_snapshot();
}

/// The group goes on without this member: a tombstone takes its log's place.
void seat::bury(log_index removed_at) {
  spdlog::info("seat left of=\"{}\" as_of={}", setting_.name, removed_at);
  pending x;
  auto kept = records_->bury(removed_at, x.batch);
  end_member(std::move(kept), std::move(x));
}

void seat::end_member(log_records::kept kept, pending with) {
  leads_ = false;
  ready_at_ = 0;
  holder_->leads_no_more(true);
  holder_->leaves();
  for (auto& y : writes_) // of the member that is gone
    y.sequence = y.compact_to = 0;
  life_ = setting_.journal->next_life(); // what the next one says counts anew
  core_.emplace(make_member(std::move(kept)));
  holder_->restore({});
  applied_ = snapshot_at_ = 0;
  snapshot_bytes_ = bytes_since_ = 0;
  caf::anon_send(setting_.beats, group_forgotten{setting_.group});
  enqueue(std::move(with));
}

void seat::tell_beats() {
  if (!core_)
    return;
  std::vector<node_id> nodes;
  for (const auto& who : core_->members().all())
    nodes.push_back(who.node);
  if (nodes.empty())
    return;
  for (const auto& x : holder_->claimants())
    if (std::find(nodes.begin(), nodes.end(), x) == nodes.end())
      nodes.push_back(x);
  caf::anon_send(setting_.beats,
                 group_stands{setting_.group, core_->beat(), std::move(nodes), holder_->mailbox()});
}

void seat::on_changed() {
  tell_beats();
  auto status = core_->describe(holder_->now());
  spdlog::debug("seat changed of=\"{}\" term={} leads={} ready={} leader={} voters={}",
                setting_.name, status.term, status.role == role::leader, status.ready,
                status.leader.node.short_text(), status.members.voters.size());
  if (!status.ready) {
    ready_at_ = 0;
    leads_ = false;
    holder_->leads_no_more(status.role != role::leader);
  } else if (ready_at_ == 0) {
    ready_at_ = std::max<log_index>(1, status.commit);
  }
  holder_->changed(status);
}

/// What is wrong for good is alarming at each message: the disk is not to be filled with saying so.
void seat::say_alarm(const std::string& what) {
  if (holder_->now() < next_alarm_) {
    ++alarms_unsaid_;
    return;
  }
  next_alarm_ = holder_->now() + alarm_pause;
  spdlog::error("seat alarm of=\"{}\" what=\"{}\" unsaid_before={}", setting_.name, what,
                std::exchange(alarms_unsaid_, 0));
}

/// In the order in which `consensus::work` lists it, but for the messages: none of them waits for
/// this write, and the others write while this node does (10.2.1).
void seat::do_work(work& w) {
  for (const auto& x : w.alarms)
    say_alarm(x);
  if (!w.messages.empty())
    send_all(w.messages);
  if (w.fenced) {
    pending x;
    records_->add_fence(x.batch);
    enqueue(std::move(x));
    if (const auto& begin = setting_.context->begin_new_journal)
      begin(setting_.name + ": " + (w.alarms.empty() ? "its log is not whole" : w.alarms.front()));
  }
  if (w.write) {
    pending x;
    records_->add(*w.write, x.batch);
    x.sequence = w.write->sequence;
    enqueue(std::move(x));
  }
  if (w.restore)
    restore(*w.restore);
  if (!w.committed.empty())
    apply(w.committed);
  for (const auto& x : w.reads)
    holder_->read_granted(x.read);
  for (auto x : w.refused_reads)
    holder_->read_refused(x);
  if (w.wants_snapshot)
    core_->offer_snapshot(
        {core_->head_at(applied_), std::make_shared<const std::string>(holder_->snapshot())});
  for (const auto& x : w.readmissions)
    holder_->readmits(x);
  if (w.removed != 0)
    return bury(w.removed);
  if (w.changed)
    on_changed();
  if (!w.caught_up.empty() || !w.readmissions.empty())
    holder_->members_due();
}

void seat::arm() {
  auto due = std::min(core_->wake_at(), holder_->wants_tick());
  if (due == time_point::max() || (armed_ && *armed_ <= due))
    return;
  armed_ = due;
  holder_->wake_after(std::max(due - holder_->now(), time_point::duration{milliseconds{1}}),
                      ++generation_);
}

void seat::pump() {
  if (!core_ || fenced_ || std::exchange(pumping_, true))
    return;
  do {
    auto work = core_->take_work(holder_->now());
    do_work(work);
    if (ready_at_ != 0 && applied_ >= ready_at_ && !std::exchange(leads_, true))
      holder_->leads();
  } while (core_->has_work());
  pumping_ = false;
  arm();
}

bool seat::on_tick(const seat_tick& x) {
  if (x.generation != generation_)
    return false;
  armed_.reset();
  if (core_ && core_->wake_at() <= holder_->now())
    core_->on_tick(holder_->now());
  return true;
}

} // namespace legion::consensus
