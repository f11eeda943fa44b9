#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/consensus/beat_item.hpp"
#include "actors/consensus/lean_optional.hpp"
#include "actors/consensus/log.hpp"
#include "actors/consensus/options.hpp"
#include "actors/consensus/progress.hpp"
#include "actors/consensus/work.hpp"
#include "messages/fault.hpp"
#include "messages/random.hpp"
#include "messages/time.hpp"

namespace legion::consensus {

/// One member of a consensus group: inputs in, work out. After any number of inputs take the work,
/// and do it in the order in which `work` lists it:
///
///     core.on_message(x, now);              // or propose, read, on_beat, on_written, ...
///     auto todo = core.take_work(now);      // the more inputs before it, the larger the batch
///     journal(todo.write);                  // later: core.on_written(todo.write->sequence, now)
///     send(todo.messages);
///     apply(todo.committed);                // then: core.on_applied(last index)
///     wake_me(core.wake_at());              // then: core.on_tick(now)
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
///         `overloaded` (try again later), `too_large`, `invalid`. What peers say is ignored where
///         it makes no sense, and named in `work::alarms` where it breaks the protocol.
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
    /// It does not stand for election before `begin_to_stand`.
    bool waits = false;
    /// Not 0: a tombstone, `work::removed` of an earlier core of this member; the log went, the ballot
    /// stayed. It votes again once it is in a configuration of a later entry.
    log_index removed_at = 0;
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
    bool heard = false; // within the election timeout, and keeps what it promised
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
    term_number last_term = 0; // of the last entry
    log_index commit = 0;
    log_index applied = 0;
    bool trusted = true;                    // what is on its disk is all that it promised
    bool ready = false;                     // leads, and its term's first entry is committed
    std::vector<follower_status> followers; // of a leader
  };

  core(setting x, time_point now);

  // What a group's owner wants. All but `read` are the leader's only.

  result<position> propose(std::string data);
  /// Makes `wanted.voters` and `wanted.learners` the members (4.3). Every new voter must be a
  /// learner that has caught up; `wanted.outgoing` is ignored. One change at a time.
  result<position> propose_change(configuration wanted, time_point now);
  /// A linearizable read (6.4): its number comes out in `work::reads` or `work::refused_reads`.
  result<std::uint64_t> read();
  /// Hands leadership over (3.10); refuses proposals until done or an election timeout has passed.
  result<void> transfer(const member_id& to, time_point now);
  /// True: don't stand for election, and hand leadership to someone else. For a full disk or a
  /// drain.
  void abstain(bool x, time_point now);
  /// It may stand for election from now on: see `setting::waits`.
  void begin_to_stand() { waits_ = false; }

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
  /// No beat of this node has come since then; `on_beat` ends the silence.
  void on_silence(const node_id& node, time_point since, time_point now);
  /// It is dead for certain: it refused to be connected to, or starts anew.
  void on_refused(const node_id& node, time_point now);

  // Snapshots and the log's length.

  /// What a snapshot of the state after this entry is headed with: from the last compaction to the
  /// last applied.
  snapshot_head head_at(log_index index) const;
  /// A snapshot that ends at `upto` or later is on disk: entries up to here may go from memory (not
  /// all do while a follower needs them). Keep some below the snapshot for slow followers.
  void compact(log_index upto);
  /// An answer to `work::wants_snapshot`: the newest there is.
  void offer_snapshot(snapshot x);

  work take_work(time_point now);
  bool has_work() const { return touched_; }
  /// When to call `on_tick` at the latest; `time_point::max()`: not before something else happens.
  time_point wake_at() const;

  // What can be seen.

  status describe(time_point now) const;
  beat_item beat() const;
  const member_id& self() const { return self_; }
  consensus::role role() const { return role_; }
  term_number term() const { return ballot_.term; }
  const member_id& leader() const { return leader_; } // null: not known
  const configuration& members() const { return log_.members(); }
  log_index commit() const { return commit_; }
  /// It is no member, and that is settled: the group needs nothing of it.
  bool outside() const;
  /// It leads, or has heard its leader within an election timeout; who may not stand (a learner) keeps
  /// the name of a leader that is gone, but not this.
  bool leased(time_point now) const;

private:
  /// What must be on disk before a message may leave.
  enum class after : std::uint8_t { nothing, ballot, everything };
  struct held_message {
    std::uint64_t sequence = 0;
    message what;
  };
  struct pending_write {
    std::uint64_t sequence = 0;
    log_index last = 0; // of the log, as of this write and of what was cut off since
  };
  struct peer {
    member_id who;
    beat_item item;
    bool hearing = false;
    time_point last;
  };
  struct waiting_read {
    std::uint64_t number = 0;
    log_index index = 0;
    std::uint64_t round = 0;
  };
  struct incoming_snapshot {
    member_id from;
    term_number term = 0;
    snapshot_head head;
    std::uint64_t size = 0;
    std::string state;
  };
  struct handed_out {
    log_index last = 0;
    std::size_t bytes = 0;
  };

  // core.cpp
  bool holds(rule x) const { return tuned_.broken != x; }
  const configuration& deciding() const;
  void post(const member_id& to, message_body body, after what, term_number term);
  void post(const member_id& to, message_body body, after what) {
    post(to, std::move(body), what, term());
  }
  void settle(time_point now);
  void dispatch(message& x, time_point now);
  bool rises(const message& x, time_point now);
  void answer_stale(const message& x);
  bool dirty() const;
  void compose_write(work& out);
  void hand_out(work& out);
  void alarm(std::string what);

  // election.cpp
  void draw_timeout();
  bool may_vote() const;
  bool may_stand() const;
  bool hears_leader() const;
  time_point election_at() const;
  void prompt(time_point now);
  void leader_lost(time_point now);
  void become_follower(term_number term, const member_id& leader, time_point now);
  bool follow(const member_id& leader, time_point now);
  void campaign(bool trial, bool transfer, time_point now);
  void become_leader(time_point now);
  void on(const vote_request& x, const message& m, time_point now);
  void on(const vote_reply& x, const message& m, time_point now);
  void on(const take_over& x, const message& m, time_point now);
  time_point transfer_wakes_at() const;
  void advance_transfer();
  const progress* successor(log_index at_least, time_point now) const;

  // hearing.cpp
  bool follows_me(const member_id& who) const;
  bool seems_up(const progress& x, time_point now) const;
  time_point quorum_until() const;
  void wake(progress& x);
  void heard_from(const member_id& who, time_point now);

  // replication.cpp
  position append_own(entry_kind kind, std::string data);
  progress* find(const member_id& who);
  const progress* find(const member_id& who) const;
  void feed(progress& x, time_point now);
  void resend(progress& x, time_point now);
  void cut_from(log_index i);
  void maybe_commit(time_point now);
  void commit_to(log_index n, time_point now);
  void on(const append& x, const message& m, time_point now);
  void refuse(const append& x, const message& m);
  void on(const append_reply& x, const message& m, time_point now);
  void accepted(progress& x, log_index index, time_point now);
  append_reply reply_with(bool accepted, log_index index);

  // changing.cpp
  std::string obstacle_to(const configuration& wanted) const;
  position append_configuration(const configuration& x, time_point now);
  void sync_progress(log_index since, time_point now);
  void advance_change(time_point now);
  void retire(time_point now);
  void report(progress& x, const member_id& now_there);
  void on(const stranger& x, const message& m, time_point now);
  void on(const fence& x, const message& m, time_point now);
  void on(const removed& x, const message& m, time_point now);
  void count_round(progress& x, bool first, time_point now);

  // reading.cpp
  void begin_round(time_point now);
  void grant_reads();
  void refuse_reads();
  void on(const confirm& x, const message& m, time_point now);
  void on(const confirmed& x, const message& m, time_point now);

  // transferring.cpp: of snapshots
  void need_snapshot(progress& x);
  void feed_chunks(progress& x, time_point now);
  void install();
  void on(const snapshot_chunk& x, const message& m, time_point now);
  void on(const snapshot_reply& x, const message& m, time_point now);

  options tuned_;
  member_id self_;
  std::uint64_t start_;
  seeded_random random_;
  bool may_vote_;
  log_index removed_at_;
  bool abstains_ = false;
  bool waits_ = false;

  // What is promised, and what of it is on disk.
  consensus::ballot ballot_;
  log log_;
  bool ballot_dirty_ = false;
  lean_optional<snapshot> installing_; // for the next write
  log_index unwritten_ = 1;            // the first entry that no write carried yet
  log_index truncate_from_ = 0;
  std::uint64_t sequence_ = 0;        // of the newest write
  std::uint64_t ballot_sequence_ = 0; // of the newest write that changed the ballot
  std::uint64_t written_ = 0;
  log_index durable_ = 0;
  lean_queue<pending_write> writing_;
  lean_queue<std::pair<std::uint64_t, snapshot>> restoring_; // with the sequence of its write
  std::vector<held_message> held_;
  std::vector<message> outbox_;
  lean_queue<message> own_; // from this member to itself

  log_index commit_ = 0;
  log_index handed_ = 0;
  log_index applied_ = 0;
  lean_queue<handed_out> unapplied_;
  std::size_t unapplied_bytes_ = 0;

  // Elections.
  consensus::role role_ = role::follower;
  member_id leader_;
  time_point contact_; // from when on the timeout counts
  time_point::duration timeout_{};
  time_point prompt_until_;
  std::map<member_id, bool> votes_;
  std::map<node_id, peer> peers_;

  // Of a leader.
  std::vector<progress> progress_; // sorted by member, without itself
  log_index first_own_ = 0;
  log_index settled_ = 0; // the configuration of this index is committed, and dealt with
  bool ready_ = false;
  std::size_t uncommitted_bytes_ = 0;
  time_point commit_due_ = time_point::max();
  bool commit_now_ = false;
  member_id successor_; // null: nobody is asked to take over
  bool successor_told_ = false;
  time_point transfer_until_;
  std::shared_ptr<const snapshot> offer_;
  bool offer_wanted_ = false;

  // Reads.
  std::uint64_t reads_ = 0;
  lean_queue<waiting_read> waiting_;
  lean_queue<waiting_read> granted_;
  std::uint64_t round_ = 0;
  std::uint64_t agreed_round_ = 0;
  time_point confirm_again_ = time_point::max();

  // Of a follower.
  lean_optional<incoming_snapshot> incoming_;
  std::uint64_t replies_ = 0;

  lean_optional<work> out_; // what needs no composing
  bool touched_ = true;
  bool was_ready_ = false;
  consensus::role last_role_ = role::follower;
  term_number last_term_ = ~term_number{0}; // the first work says `changed`
  member_id last_leader_;
  log_index last_members_ = 0;
};

/// The head of a new group's empty log, to be on disk before the group's first core: these decide. It
/// stands for an entry 1 that no log has, so that whoever joins begins with a snapshot, and there is no
/// log without a configuration.
snapshot_head founded_by(std::vector<member_id> voters);

} // namespace legion::consensus
