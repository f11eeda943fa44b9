#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/charter/admission.hpp"
#include "actors/charter/charter_actor.hpp"
#include "actors/consensus/lean_queue.hpp"
#include "actors/consensus/seat_part.hpp"
#include "actors/group/leaving.hpp"
#include "actors/group/member_plan.hpp"
#include "messages/random.hpp"

/// What the charter actor's files share; nobody else includes this.

namespace legion {

/// Whether the charter has the right voters, and the roster the right nodes.
struct review_charter {
  std::uint64_t generation = 0;
};
/// What has changed on the roster goes to all that follow.
struct push_roster {};
/// It is time to ask whether the roster known here is the newest.
struct pull_roster {};
/// The roster known here is written.
struct write_roster {};
/// A voter that drains asks whether it may go.
struct leave_charter {};
/// What the groups here told goes to the charter's leader.
struct pass_hints {
  std::uint64_t number = 0; // of the timer: an earlier one is over
};
/// What could not be done yet.
struct try_again {
  std::function<void()> what;
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::review_charter)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::push_roster)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::pull_roster)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::write_roster)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::leave_charter)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::pass_hints)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::try_again)

namespace legion {

/// How long membership may take to say who is known.
constexpr auto list_time = seconds{2};

using charter_core =
    charter_handle::extend<caf::reacts_to<seat_tick>, caf::reacts_to<write_again>,      //
                           caf::reacts_to<review_charter>, caf::reacts_to<push_roster>, //
                           caf::reacts_to<pull_roster>, caf::reacts_to<write_roster>,   //
                           caf::reacts_to<try_again>, caf::reacts_to<pass_hints>,       //
                           caf::reacts_to<leave_charter>>;

using charter_answer = std::function<void(charter_reply)>;

/// A request at the charter's leader, or at one who may become it.
struct charter_errand {
  charter_request what;
  charter_answer answer;
  time_point patience;   // until when it waits for a leader
  bool in_doubt = false; // it is in the log of one that leads no more
};

/// The entry that is being committed, and who waits for it.
struct open_entry {
  consensus::core::position at;
  std::vector<charter_errand> waiting;
};

/// What changes nothing, and may be of the past: until it is sure that this member leads still.
struct unsure_answer {
  charter_errand to;
  std::optional<charter_reply> refused; // none: it is as was asked for
};

struct charter_shell {
  static inline const char* name = "charter";
  context_ptr context;
  charter_partners partners;
  seeded_random random;

  // Of a node that has a place in the charter; the seat is null until then.
  consensus::journal_copy_ptr journal;
  std::unique_ptr<consensus::seat_holder> holder;
  std::unique_ptr<consensus::seat> seat;
  charter::roster fold; // of the log
  std::optional<group::member_rules> choice;
  bool leads = false;
  bool full = false;            // the disk
  bool standing_back = false;   // the node drains
  bool trusts_journal = false;  // see `await_trust`
  caf::strong_actor_ptr drains; // who waits until the charter lets it go
  group::leaving leaving;       // meanwhile
  consensus::lean_queue<charter_errand> desk;
  std::optional<open_entry> committing;          // one at a time
  std::map<std::uint64_t, unsure_answer> unsure; // by read
  std::optional<time_point> review_at;
  std::uint64_t review_generation = 0;
  time_point next_move;
  charter::version pushed; // what followers were last told of
  bool pushing = false;    // and will be told again soon

  // The zone, while this node has a place in the charter, or an errand there.
  std::size_t errands = 0;
  bool zone_known = false;
  charter::zone_view zone;
  std::map<node_id, group::resident> residents;
  std::map<node_id, shared_member> records;

  // Of every node.
  charter::roster_ptr known; // the newest; null: none
  charter::version published;
  std::string standing;
  std::vector<caf::strong_actor_ptr> subscribers;
  bool writing = false;
  std::uint64_t pulls = 0;
  bool pulling = false;
  std::map<std::uint32_t, group_hint> hints; // that the roster lacks
  std::optional<time_point> hints_due;       // when they are passed on
  time_point hints_passed{};
  std::uint64_t hints_number = 0;

  /// Null until there is a seat, and its journal is read.
  consensus::core* core() const { return seat ? seat->member() : nullptr; }
  /// Not from the moment on in which its member hears of a later term: `leads` tells a little later.
  bool decides() const { return leads && core()->leader() == core()->self(); }
};

using charter_pointer = charter_core::stateful_pointer<charter_shell>;

inline time_point now(charter_pointer self) {
  return self->clock().now();
}

// charter_voting_part.cpp: the member of the charter's group

/// Takes this node's place in the charter.
void take_seat(charter_pointer self);
/// Others should lead while this node can't write, or is about to leave.
void stand_aside(charter_pointer self);
void review(charter_pointer self, const review_charter& x);
void review_soon(charter_pointer self, time_point::duration after);
void on_member(charter_pointer self, const member_change& x);
/// The zone as the choice of voters sees it.
std::vector<group::resident> residents_of(const charter_shell& state);

// charter_leaving_part.cpp: a node that drains

/// Goes on until the node may go, and says so to who asked.
void try_to_leave(charter_pointer self);
group_reply on_leave_request(charter_pointer self, const group_request& x);

// charter_desk_part.cpp: what the charter's leader is asked for, and commits

/// Puts it on the desk of a member that leads, or may soon; what is too much is refused.
void take_in(charter_pointer self, charter_errand x);
/// Commits what waits, while this member leads; one entry at a time.
void serve_desk(charter_pointer self);
void answer_done(charter_pointer self, const charter_errand& x);
void on_read_granted(charter_pointer self, std::uint64_t read);
void on_read_refused(charter_pointer self, std::uint64_t read);
/// Leadership went elsewhere, or nobody leads: whoever asked here is sent on.
void dismiss(charter_pointer self, consensus::lean_queue<charter_errand> all);
void dismiss_impatient(charter_pointer self);
/// The living who are not on the roster as they are: a zone of an earlier version had none, and
/// nodes change.
void bring_up_to_date(charter_pointer self);
/// Nodes on the roster that the zone does not know count as dead from now on.
void see_the_unseen(charter_pointer self);

// charter_following_part.cpp: the roster that is known here

/// Subscribers hear of it, and it is written.
void publish(charter_pointer self);
void on_subscribe(charter_pointer self, const subscribe_roster& x);
roster_ask on_news(charter_pointer self, const roster_state& x);
roster_state on_ask(charter_pointer self, const roster_ask& x);
void push(charter_pointer self);
void push_soon(charter_pointer self, time_point::duration after);
/// A node that is back hears which roster is the newest, and asks for what it lacks.
void announce(charter_pointer self, const node_id& whom);
/// A follower asks a voter, or anybody, now and then.
void pull(charter_pointer self, std::vector<node_id> whom);
void pull_now_and_then(charter_pointer self);
void write_known(charter_pointer self);
/// Tells a node of an entry, and goes on when it has heard it, or does not answer.
void tell_node(charter_pointer self, const node_id& whom, std::function<void(bool heard)> done);

// charter_asking_part.cpp: requests, answered here or passed on

caf::typed_response_promise<charter_reply> on_request(charter_pointer self, charter_request& x);
/// The zone, once it is known here, stays known until this is answered: who has no place in the
/// charter forgets it then.
charter_answer with_zone(charter_pointer self, charter_answer answer);
/// Asks the charter's voters one after another.
void run_errand(charter_pointer self, charter_request what, charter_answer answer,
                bool in_doubt = false);
charter_reply elsewhere(const charter_shell& state);
void on_hint(charter_pointer self, const group_members_are& x);
void pass_on_hints(charter_pointer self);
/// The charter as its leader sees it.
charter_reply shown(charter_pointer self);
/// The voters as this node knows them, the likeliest to answer first.
std::vector<node_id> voters_known(const charter_shell& state);
/// Its journal is gone or set aside: it is no more the voter that it was.
bool lost_its_vote(const charter_shell& s, const consensus::member_id& who);

charter_reply refused(refusal_code code, std::string why);

// charter_rebuilding_part.cpp

/// Raises the charter again from what this node knows, with it as the only voter.
void rebuild(charter_pointer self, const rebuild_charter& x, charter_answer answer);

} // namespace legion
