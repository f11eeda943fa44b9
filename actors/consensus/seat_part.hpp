#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/send.hpp>

#include "actors/consensus/beats_actor.hpp"
#include "actors/consensus/core.hpp"
#include "actors/consensus/incarnation.hpp"
#include "actors/consensus/journal_copy.hpp"
#include "actors/consensus/log_records.hpp"
#include "actors/message_types.hpp"
#include "actors/node_context.hpp"
#include "actors/store/store_actor.hpp"

/// The part of an actor that takes part in a consensus group; the actors that do include it.

namespace legion {

/// The member has something to do by now.
struct seat_tick {
  std::uint64_t generation = 0;
};
/// A write that failed is tried again.
struct write_again {};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::seat_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::write_again)

namespace legion::consensus {

/// What a seat has its actor do, and tells it. All are called while the actor handles a message;
/// none may call the seat's `pump`, which goes on when they return.
class seat_holder {
public:
  virtual ~seat_holder() = default;

  // The actor's hands: `acting_holder` has them.
  virtual time_point now() const = 0;
  virtual void write(const record_batch& x) = 0; // then `seat::on_written` or `on_write_failed`
  virtual void write_after(time_point::duration pause) = 0; // then `seat::on_write_again`
  virtual void wake_after(time_point::duration pause, std::uint64_t generation) = 0;
  virtual caf::execution_unit* host() const = 0;
  virtual consensus_member_handle mailbox() const = 0;

  // The group's state.

  /// The journal is about to be read, the `life`th time in this process.
  virtual void begins(std::uint32_t life) = 0;
  /// The state is this now, whatever it was; empty: as of a new group. False: it does not read.
  virtual bool restore(const std::string& state) = 0;
  virtual void apply(const entry_refs& entries) = 0;
  virtual std::string snapshot() const = 0;

  // What becomes of the member.

  /// There is a member now.
  virtual void seated() = 0;
  virtual void read_granted(std::uint64_t read) = 0;
  virtual void read_refused(std::uint64_t read) = 0;
  /// It leads, and its term's first entry is applied: it knows all that was decided before.
  virtual void leads() = 0;
  /// `deposed`: it is not even the leader any more. May be told again.
  virtual void leads_no_more(bool deposed) = 0;
  /// Role, term, leader or members are not what they were.
  virtual void changed(const core::status& x) = 0;
  virtual void readmits(const readmission& x) = 0;
  /// A learner may vote, or a member is to be readmitted.
  virtual void members_due() = 0;
  /// The group goes on without this member, whose log ends; `restore` with nothing follows.
  virtual void leaves() = 0;
  /// The group begins anew here, as this incarnation after this entry, with all there is applied.
  virtual void raise(incarnation_number, log_index) {}
  /// Nodes that say that they are in the group, members or not: what they are in may be an earlier
  /// incarnation of it, and they must hear of this one.
  virtual std::vector<node_id> claimants() const { return {}; }
  /// When it wants a tick at the latest.
  virtual time_point wants_tick() const { return time_point::max(); }
};

/// A node's member of one consensus group: its core, its records in the journal, its writes in
/// order, its snapshots, and its mail. Knows nothing of what the group decides.
///
/// Shape:  one write under way; what waits meanwhile goes to the disk together. A snapshot every
///         192 to 319 entries; of a large state not before 1.5 to 2.5 times its bytes are logged.
///         Starts from `journal`: what an earlier actor was writing is written again first.
/// Errors: a write that fails is tried again until it is on disk; a journal or a snapshot that does
///         not read fences the seat: nothing is heard, written or said any more.
class seat {
public:
  struct setting {
    std::string name; // in the log
    group_id group{};
    std::string prefix; // of its records
    context_ptr context;
    journal_copy_ptr journal;
    beats_handle beats;
  };

  seat(setting x, seat_holder& holder) : setting_(std::move(x)), holder_(&holder) {}

  void begin();
  /// Does what the member wants done, until it wants nothing.
  void pump();
  /// True: the holder has something to look at, which is `wants_tick` or the member's own time.
  bool on_tick(const seat_tick& x);
  void on_written();
  void on_write_failed(const fault& why);
  void on_write_again();
  /// What others say. Who says more than one incarnation has been told the higher one, and one that
  /// is left behind stops: its log ends, and it waits to be admitted as a new member.
  void on_mail(std::vector<message> messages);
  void on_beat(const member_id& from, const beat_item& x);
  /// The journal is no old copy: what others said meanwhile is heard now. Until then a member of a
  /// node whose journal may be one is told nothing, and so votes for nobody and acknowledges nothing.
  void trust_journal();
  /// The claimants are not who they were.
  void tell_beats();

  /// Begins the group anew, alone, from all that this member's disk has of it. For a group whose
  /// quorum is lost for good; earlier members stop as they hear of it.
  ///
  /// Errors: conflict (it has a leader, or this incarnation or a later one), overloaded (a write is
  ///         under way: try again), damaged (its records do not read).
  result<log_index> raise(incarnation_number x, log_index above);
  /// What this member's log has beyond what it knows to be committed: `raise` takes it for that.
  ///
  /// Errors: damaged.
  result<entry_refs> unapplied();
  /// Of the log here, or heard of.
  incarnation_number incarnation() const {
    return core_ ? incarnation_of(core_->term()) : incarnation_number{0};
  }
  /// It has a log: it is a member, or was admitted to become one.
  bool has_log() const { return core_ && !core_->members().all().empty(); }

  /// Beats' silence and the like go to the member, once there is one; all is said again.
  template <class Input>
  void hear(Input input) {
    if (!core_ || fenced_)
      return;
    input(*core_);
    pump();
  }

  /// Null until the journal is read.
  core* member() { return core_ ? &*core_ : nullptr; }
  const core* member() const { return core_ ? &*core_ : nullptr; }
  const std::optional<fault>& fenced() const { return fenced_; }
  log_index applied() const { return applied_; }

private:
  /// A batch on its way to the disk, or waiting for its turn.
  struct pending {
    record_batch batch;
    std::uint64_t sequence = 0; // of the member; 0: none
    log_index compact_to = 0;   // 0: no snapshot is in it
  };

  core make_member(log_records::kept kept);
  void start_write();
  void write_next();
  void enqueue(pending x);
  void draw_snapshot_interval();
  void take_snapshot();
  void send_all(const std::vector<message>& messages);
  void restore(const snapshot& x);
  void apply(const entry_refs& entries);
  void bury(log_index removed_at);
  void end_member(log_records::kept kept, pending with);
  void leave_behind(term_number heard);
  bool is_later(term_number x) const;
  void on_changed();
  void say_alarm(const std::string& what);
  void do_work(work& w);
  void arm();

  setting setting_;
  seat_holder* holder_;
  std::optional<core> core_;
  std::optional<log_records> records_;
  std::optional<fault> fenced_;
  seeded_random random_;
  std::uint32_t life_ = 0;
  bool trusted_ = false;         // `trust_journal` was called
  std::vector<message> unheard_; // until then; the first `most_unheard`
  bool finishing_ = false;       // what an earlier actor was writing is being written again
  std::vector<pending> writes_;  // the first is under way
  bool write_failed_ = false;
  time_point next_alarm_; // not said before
  std::uint64_t alarms_unsaid_ = 0;
  bool pumping_ = false;
  std::optional<time_point> armed_;
  std::uint64_t generation_ = 0;
  log_index applied_ = 0;
  log_index snapshot_at_ = 0;
  log_index snapshot_after_ = 0;   // entries
  std::size_t snapshot_bytes_ = 0; // of the newest, as far as known
  std::size_t bytes_since_ = 0;    // of the entries applied since
  log_index ready_at_ = 0;         // what must be applied before it leads; 0: it does not
  bool leads_ = false;
};

/// The hands of a typed actor whose state holds the seat as `seat`, and whose interface has
/// `seat_tick` and `write_again`.
template <class Pointer>
class acting_holder : public seat_holder {
public:
  acting_holder(Pointer self, store_handle store) : self_(self), store_(std::move(store)) {}

  time_point now() const final { return self_->clock().now(); }
  void write(const record_batch& x) final {
    legion::write(
        self_, store_, write_time, x, [self = self_](written) { self->state.seat->on_written(); },
        [self = self_](const caf::error& why) {
          self->state.seat->on_write_failed(fault_of(why));
        });
  }
  void write_after(time_point::duration pause) final {
    self_->delayed_send(self_, pause, write_again{});
  }
  void wake_after(time_point::duration pause, std::uint64_t generation) final {
    self_->delayed_send(self_, pause, seat_tick{generation});
  }
  caf::execution_unit* host() const final { return self_->context(); }
  consensus_member_handle mailbox() const final {
    return caf::actor_cast<consensus_member_handle>(self_);
  }

protected:
  static constexpr auto write_time = seconds{60};
  Pointer self_;
  store_handle store_;
};

} // namespace legion::consensus
