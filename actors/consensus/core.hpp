#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/consensus/beat_item.hpp"
#include "actors/consensus/options.hpp"
#include "actors/consensus/work.hpp"
#include "messages/fault.hpp"
#include "messages/time.hpp"

namespace legion::consensus {

/// One member of a consensus group: inputs in, work out. After any number of inputs take the work,
/// and do it in the order in which `work` lists it:
///
///     core.on_message(x, now);                     // or propose, read, on_beat, on_written, ...
///     auto todo = core.take_work(now);             // the more inputs before it, the larger the
///     batch journal(todo.write);                         // later:
///     core.on_written(todo.write->sequence, now) send(todo.messages); apply(todo.committed);  //
///     then core.on_applied(last index) wake_me(core.wake_at());                     // then
///     core.on_tick(now)
///
/// A proposal that was accepted is not yet done: it is when an entry comes out in `committed` at
/// its position *with its term*. When another comes out there, or the leader has changed, what
/// became of it is unknown until asked anew: proposals carry an id of their owner's for that.
///
/// Shape:  the log is in memory from the last compaction on; proposals, reads, windows and
///         snapshots are bounded by `options`. Nothing happens in an idle group: `wake_at` is
///         "never" while the leader's beats are heard.
/// Units:  time is the node's monotonic clock, handed in; it may stand still or jump ahead, and may
///         differ from others' by anything: no promise rests on it.
/// Errors: refusals are faults: `refused` (not the leader, or not now; detail says which),
/// `overloaded`
///         (try again later), `too_large`, `invalid`. What peers say is ignored where it makes no
///         sense, and named in `work::alarms` where it breaks the protocol.
/// Source: Ongaro 2014, Consensus: Bridging Theory and Practice; sections are cited at each rule.
///         Differs: docs/consensus.md.
class core {
public:
  struct setting {
    member_id self;
    std::uint64_t start = 1; // this node's start number
    std::uint64_t seed = 0;
    /// False: this member promised what it can't know any more (its journal is damaged, restored,
    /// or shorter than it once acknowledged). It votes nowhere and never stands, for good; the
    /// group goes on by admitting the node's new journal as a new member.
    bool may_vote = true;
    options tuned;

    // What is on disk.
    consensus::ballot ballot;
    snapshot_head
        head; // of the newest snapshot; of a new group: `founded_by`; of a joiner: nothing
    entry_refs entries; // in order, without gaps; may begin before the snapshot's end
  };

  /// Where a proposal stands in the log, if it gets there.
  struct position {
    log_index index = 0;
    term_number term = 0;
  };

  struct follower_status {
    member_id who;
    log_index match = 0; // on its disk, as far as known
    bool learner = false;
    bool caught_up = false;
    bool heard = false; // within the election timeout
  };

  struct status {
    consensus::role role = role::follower;
    term_number term = 0;
    member_id leader; // null: not known
    configuration members;
    log_index members_index = 0;
    bool members_committed = false; // and not joint: the next change may begin
    log_index first = 0;            // the oldest entry in memory
    log_index last = 0;
    log_index commit = 0;
    log_index applied = 0;
    bool ready = false;                     // leads, and its term's first entry is committed
    std::vector<follower_status> followers; // of a leader
  };

  core(setting x, time_point now);

  // What a group's owner wants. All but `read` are the leader's only.

  result<position> propose(std::string data);
  /// Makes `wanted.voters` and `wanted.learners` the members (4.3). Every new voter must be a
  /// learner that has caught up; `wanted.outgoing` is ignored. One change at a time.
  result<position> propose_change(configuration wanted);
  /// A linearizable read (6.4): its number comes out in `work::reads` or `work::refused_reads`.
  result<std::uint64_t> read();
  /// Hands leadership over (3.10); refuses proposals until done or an election timeout has passed.
  result<void> transfer(const member_id& to, time_point now);
  /// True: don't stand for election, and hand leadership to someone else. For a full disk or a
  /// drain.
  void abstain(bool x, time_point now);

  // What happens.

  void on_message(message x, time_point now);
  /// All writes up to this sequence are on disk.
  void on_written(std::uint64_t sequence, time_point now);
  /// The state holds all entries up to here.
  void on_applied(log_index index);
  void on_tick(time_point now);

  // From `beats`: nothing else is said of a peer whose state stays the same.

  /// What a peer is in this group has changed, or is known for the first time.
  void on_beat(const member_id& from, const beat_item& x, time_point now);
  /// No beat of this node has come since then; `on_heard`: they come again.
  void on_silence(const node_id& node, time_point since, time_point now);
  void on_heard(const node_id& node, time_point now);
  /// It is dead for certain: it refused to be connected to, or starts anew.
  void on_refused(const node_id& node, time_point now);

  // Snapshots and the log's length.

  /// What a snapshot of the state after this entry, the last applied or earlier, is headed with.
  snapshot_head head_at(log_index index) const;
  /// A snapshot that ends at `upto` or later is on disk: entries up to here may go from memory (not
  /// all do while a follower needs them). Keep some below the snapshot for slow followers.
  void compact(log_index upto);
  /// An answer to `work::wants_snapshot`: the newest there is.
  void offer_snapshot(snapshot x);

  work take_work(time_point now);
  bool has_work() const;
  /// When to call `on_tick` at the latest; `time_point::max()`: not before something else happens.
  time_point wake_at() const;

  // What can be seen.

  status describe(time_point now) const;
  beat_item beat() const;
  const member_id& self() const;
  consensus::role role() const;
  term_number term() const;
  const member_id& leader() const; // null: not known
  const configuration& members() const;
  log_index commit() const;
};

/// The head of a new group's empty log, to be on disk before the group's first core: these decide.
snapshot_head founded_by(std::vector<member_id> voters);

} // namespace legion::consensus
