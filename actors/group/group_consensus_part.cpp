#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/consensus/wire.hpp"
#include "actors/group/group_state_part.hpp"

namespace legion {

namespace {

constexpr auto write_time = seconds{60};
constexpr milliseconds write_pause{1000};
/// Entries between two snapshots, and those kept below one for slow followers.
constexpr consensus::log_index snapshot_interval = 256;
constexpr consensus::log_index entries_kept = 128;
/// With what goes around it, an entry must fit into a frame.
constexpr std::size_t most_entry_bytes = transport::max_frame_bytes - 64 * 1024;

void write_next(group_pointer self);

/// On disk: the member may go on, and what depends on it may be said.
void on_written(group_pointer self) {
  auto& s = self->state;
  s.journal->written();
  s.write_failed = false;
  auto done = std::move(s.writes.front());
  s.writes.pop_front();
  if (s.core && done.sequence != 0)
    s.core->on_written(done.sequence, now(self));
  if (s.core && done.compact_to != 0)
    s.core->compact(done.compact_to);
  write_next(self);
  pump(self);
}

/// The same is written until it is on disk: what the member wants kept can't be taken back. What an
/// author waits for may take what is left of a full disk; no more is accepted then.
void on_write_failed(group_pointer self, const fault& why) {
  auto& s = self->state;
  if (why.code == errc::disk_full || why.code == errc::overloaded)
    s.journal->refused();
  auto first = !std::exchange(s.write_failed, true);
  if (first)
    spdlog::warn("group write_failed group={} why={} detail={}", value(s.group),
                 to_string(why.code), why.detail);
  if (s.core && s.core->role() == consensus::role::leader)
    s.writes.front().batch.set_from_ballast(true);
  self->delayed_send(self, first ? milliseconds{50} : write_pause, write_again{});
}

void start_write(group_pointer self) {
  auto& s = self->state;
  s.journal->writing(s.writes.front().batch);
  self->request(s.partners.store, write_time, s.writes.front().batch)
      .then([self](written) { on_written(self); },
            [self](caf::error& why) { on_write_failed(self, fault_of(why)); });
}

/// All that waits goes to the disk together.
void write_next(group_pointer self) {
  auto& s = self->state;
  if (s.writes.empty())
    return;
  auto first = std::move(s.writes.front());
  s.writes.pop_front();
  auto bytes = first.batch.ByteSizeLong();
  while (!s.writes.empty()) {
    auto& next = s.writes.front();
    bytes += next.batch.ByteSizeLong();
    if (bytes > store::max_batch_bytes / 2)
      break;
    for (auto& x : *next.batch.mutable_records())
      *first.batch.add_records() = std::move(x);
    first.sequence = std::max(first.sequence, next.sequence);
    first.compact_to = std::max(first.compact_to, next.compact_to);
    s.writes.pop_front();
  }
  s.writes.push_front(std::move(first));
  start_write(self);
}

void enqueue(group_pointer self, group_write x) {
  auto& s = self->state;
  s.writes.push_back(std::move(x));
  if (s.writes.size() == 1)
    start_write(self);
}

consensus::core make_member(group_pointer self, group::log_records::kept kept) {
  auto& s = self->state;
  consensus::core::setting how;
  how.self = {s.context->self.id, consensus::journal_id::from_bytes(s.context->journal_id)};
  how.start = value(s.context->self.start) << 16 | s.life;
  how.seed = s.random();
  how.may_vote = !kept.fenced;
  how.removed_at = kept.removed_at;
  how.tuned.election_timeout = election_timeout;
  how.tuned.entry_bytes = most_entry_bytes;
  how.ballot = kept.ballot;
  how.head = std::move(kept.head);
  how.entries = std::move(kept.entries);
  return {std::move(how), now(self)};
}

void take_snapshot(group_pointer self) {
  auto& s = self->state;
  group_write x;
  auto keep_from = s.applied > entries_kept ? s.applied - entries_kept : 1;
  s.records->add_snapshot(s.core->head_at(s.applied), s.rules->snapshot().SerializeAsString(),
                          keep_from, x.batch);
  x.compact_to = keep_from - 1;
  s.snapshot_at = s.applied;
  enqueue(self, std::move(x));
}

void send_all(group_pointer self, std::vector<consensus::message>& messages) {
  auto& s = self->state;
  std::map<consensus::member_id, consensus_batch> by_peer;
  for (const auto& x : messages) {
    auto& batch = by_peer[x.to];
    if (batch.messages().empty()) {
      batch.set_from_journal(x.from.journal.bytes());
      batch.set_to_journal(x.to.journal.bytes());
    }
    auto& to = *batch.add_messages();
    to = consensus::to_wire(x);
    to.set_group(value(s.group));
    if (batch.ByteSizeLong() > transport::max_frame_bytes / 4) { // large ones go one by one
      s.context->directory->tell(x.to.node, "consensus", std::move(batch), self->context());
      batch = {};
    }
  }
  for (auto& [who, batch] : by_peer)
    if (!batch.messages().empty())
      s.context->directory->tell(who.node, "consensus", std::move(batch), self->context());
}

void restore(group_pointer self, const consensus::snapshot& x) {
  auto& s = self->state;
  group_state read;
  if (!x.state->empty() && !read.ParseFromString(*x.state)) {
    s.fenced = fault{errc::damaged, "the leader's snapshot of group "
                                        + std::to_string(value(s.group)) + " does not read"};
    spdlog::error("group fenced group={} why={}", value(s.group), s.fenced->detail);
  }
  s.rules = x.state->empty() ? group::state{s.group} : group::state::from(read);
  s.applied = s.snapshot_at = x.head.index;
  s.core->on_applied(s.applied);
}

void apply_committed(group_pointer self, const consensus::entry_refs& entries) {
  auto& s = self->state;
  std::vector<group_entry> batch;
  for (const auto& x : entries) {
    group_entry entry;
    auto reads = x->kind == consensus::entry_kind::data && entry.ParseFromString(x->data);
    if (x->kind == consensus::entry_kind::data && !reads)
      spdlog::error("group senseless_entry group={} index={}: it has no effect", value(s.group),
                    x->index);
    if (reads) {
      entry.set_index(x->index);
      entry.set_incarnation(std::max(entry.incarnation(), s.rules->incarnation()));
      batch.push_back(entry);
    }
  }
  apply(self, std::move(batch));
  for (const auto& x : entries) {
    s.applied = x->index;
    group_entry entry;
    auto reads = x->kind == consensus::entry_kind::data && entry.ParseFromString(x->data);
    on_committed(self, x->index, x->term, reads ? &entry : nullptr);
  }
  s.core->on_applied(s.applied);
  if (s.applied - s.snapshot_at >= snapshot_interval)
    take_snapshot(self);
}

/// The group goes on without this member: a tombstone takes its log's place.
void bury(group_pointer self, consensus::log_index removed_at) {
  auto& s = self->state;
  spdlog::info("group left group={} as_of={}", value(s.group), removed_at);
  stop_keeping(self);
  dismiss_authors(self);
  group_write x;
  auto kept = s.records->bury(removed_at, x.batch);
  for (auto& y : s.writes) // of the member that is gone
    y.sequence = y.compact_to = 0;
  s.core.emplace(make_member(self, std::move(kept)));
  s.rules.emplace(s.group);
  s.applied = s.snapshot_at = 0;
  self->send(s.partners.beats, group_forgotten{s.group});
  enqueue(self, std::move(x));
}

/// Role, leader or members are not what they were.
void on_changed(group_pointer self) {
  auto& s = self->state;
  const auto& core = *s.core;
  std::vector<node_id> nodes;
  for (const auto& who : core.members().all())
    nodes.push_back(who.node);
  if (!nodes.empty())
    self->send(s.partners.beats, group_stands{s.group, core.beat(), std::move(nodes),
                                              caf::actor_cast<consensus_member_handle>(self)});
  auto in = core.members().has(core.self());
  if (std::exchange(s.claimed, in) != in)
    self->send(s.partners.node, group_claimed{s.group, in});
  auto status = core.describe(now(self));
  spdlog::debug("group changed group={} term={} leads={} ready={} leader={} voters={}",
                value(s.group), status.term, status.role == consensus::role::leader, status.ready,
                status.leader.node.short_text(), status.members.voters.size());
  if (!status.ready) {
    s.ready_at = 0;
    stop_keeping(self);
    if (status.role != consensus::role::leader)
      dismiss_authors(self);
  } else if (s.ready_at == 0) {
    s.ready_at = std::max<consensus::log_index>(1, status.commit);
  }
  if (status.ready)
    review_soon(self, milliseconds{10});
  serve_authors(self);
}

/// In the order in which `consensus::work` lists it.
void do_work(group_pointer self, consensus::work& w) {
  auto& s = self->state;
  for (const auto& x : w.alarms)
    spdlog::error("group alarm group={} what=\"{}\"", value(s.group), x);
  if (w.fenced) {
    group_write x;
    s.records->add_fence(x.batch);
    enqueue(self, std::move(x));
  }
  if (w.write) {
    group_write x;
    s.records->add(*w.write, x.batch);
    x.sequence = w.write->sequence;
    enqueue(self, std::move(x));
  }
  if (!w.messages.empty())
    send_all(self, w.messages);
  if (w.restore)
    restore(self, *w.restore);
  if (!w.committed.empty())
    apply_committed(self, w.committed);
  for (const auto& x : w.reads)
    on_read_granted(self, x.read);
  for (auto x : w.refused_reads)
    dismiss_reader(self, x);
  if (w.wants_snapshot)
    s.core->offer_snapshot(
        {s.core->head_at(s.applied),
         std::make_shared<const std::string>(s.rules->snapshot().SerializeAsString())});
  for (const auto& x : w.readmissions) {
    spdlog::warn("group readmits group={} node={}: {}", value(s.group), name_of(s, x.was.node),
                 x.was == x.now ? "its log is shorter than it was" : "it has another journal");
    if (x.was == x.now)
      s.choice->distrust(x.was);
  }
  if (w.removed != 0)
    return bury(self, w.removed);
  if (w.changed)
    on_changed(self);
  if (!w.caught_up.empty() || !w.readmissions.empty())
    review_soon(self, milliseconds{0});
}

} // namespace

void pump(group_pointer self) {
  auto& s = self->state;
  if (!s.core || s.fenced || std::exchange(s.pumping, true))
    return;
  do {
    auto work = s.core->take_work(now(self));
    do_work(self, work);
  } while (s.core->has_work());
  s.pumping = false;
  if (s.ready_at != 0 && s.applied >= s.ready_at && !s.keeps) {
    start_keeping(self);
    serve_authors(self);
  }
  auto due = s.core->wake_at();
  for (const auto& x : s.authors)
    due = std::min(due, x.patience);
  if (due == time_point::max() || (s.armed && *s.armed <= due))
    return;
  s.armed = due;
  self->delayed_send(self, std::max(due - now(self), time_point::duration{milliseconds{1}}),
                     group_tick{++s.generation});
}

void begin_member(group_pointer self) {
  auto& s = self->state;
  s.life = s.journal->next_life();
  s.random.seed(s.context->seed_for("group/" + std::to_string(value(s.group)) + "/"
                                    + std::to_string(value(s.context->self.start)) + "/"
                                    + std::to_string(s.life)));
  s.records.emplace(s.group);
  s.rules.emplace(s.group);
  auto kept = s.records->read(s.journal->records());
  group_state read;
  if (!kept)
    s.fenced = kept.why();
  else if (!kept->state.empty() && !read.ParseFromString(kept->state))
    s.fenced = fault{errc::damaged, "the journal's snapshot of group "
                                        + std::to_string(value(s.group)) + " does not read"};
  if (s.fenced) {
    spdlog::error("group fenced group={} why={}", value(s.group), s.fenced->detail);
    return;
  }
  if (!kept->state.empty())
    s.rules = group::state::from(read);
  s.applied = s.snapshot_at = kept->head.index;
  s.core.emplace(make_member(self, std::move(*kept)));
  s.choice.emplace(s.group, s.core->self());
  pump(self);
}

void on_write_again(group_pointer self) {
  if (!self->state.writes.empty())
    start_write(self);
}

} // namespace legion
