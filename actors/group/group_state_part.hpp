#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/consensus/lean_optional.hpp"
#include "actors/consensus/lean_queue.hpp"
#include "actors/consensus/seat_part.hpp"
#include "actors/group/gathering.hpp"
#include "actors/group/group_actor.hpp"
#include "actors/group/group_lease_part.hpp"
#include "actors/group/leaving.hpp"
#include "actors/group/member_plan.hpp"
#include "actors/group/state.hpp"
#include "actors/group/zone_table.hpp"
#include "actors/keeper/keeper_actor.hpp"
#include "messages/random.hpp"

/// What the group actor's files share; nobody else includes this.

namespace legion {

/// The members changed since the keepers were last told.
struct spread_zone {};
/// Whether the group has the right members, and leader.
struct review_members {
  std::uint64_t generation = 0;
};
/// This node leaves: whether the group can do without it is found out.
struct ask_to_leave {};
/// A node that did not say what it holds is asked again; null: whether all have.
struct gather_again {
  node_id whom;
  std::uint64_t generation = 0;
};
/// Who read this state piece by piece has it by now, or never will.
struct forget_state {
  std::uint64_t reading = 0;
};
/// A keeper that failed too often may be tried again.
struct respawn_keeper {
  group::resource_key key;
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::spread_zone)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::review_members)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::gather_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::forget_state)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::respawn_keeper)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::ask_to_leave)

namespace legion {

using group_core =
    group_handle::extend<caf::replies_to<propose_entries>::with<entries_proposed>, //
                         caf::reacts_to<seat_tick>, caf::reacts_to<write_again>,
                         caf::reacts_to<spread_zone>, caf::reacts_to<review_members>,
                         caf::reacts_to<respawn_keeper>, caf::reacts_to<ask_to_leave>,
                         caf::reacts_to<gather_again>, caf::reacts_to<forget_state>>;

using author_reply = caf::typed_response_promise<group_reply>;
using keeper_reply = caf::typed_response_promise<entries_proposed>;

struct group_author {
  group_request request;
  author_reply reply;
  time_point patience;                // until when it waits for a leader
  std::optional<group_reply> decided; // what changes nothing, until it is sure that this one leads
};

struct resource_keeper {
  keeper_handle keeper;
  caf::actor_addr who;
  std::uint32_t restarts = 0;
};

/// What a keeper proposed last of one batch, and where it stands in the log.
struct open_proposal {
  consensus::term_number term = 0;
  keeper_reply reply;
};

/// A state that is being read piece by piece.
struct open_state {
  std::uint64_t number = 0;
  state_piece head;
  std::shared_ptr<const std::string> bytes;
};

/// A raised group on its way to being kept, and what it asks of nodes that were not there then.
struct group_gathering {
  std::optional<group::gathering> rules; // while it leads
  std::uint64_t generation = 0;
  bool begun = false;  // asks, before anything is kept
  bool ending = false; // all have answered: it is being committed
  bool looks_again = false;
  time_point hold_until; // leases are over then that were given before it was raised or restored
  bool from_log = false; // as it was raised here
  std::vector<group_author> raisers;
};

struct group_shell {
  static inline const char* name = "group";
  context_ptr context;
  group_id group{};
  group_partners partners;

  std::unique_ptr<consensus::seat_holder> holder;
  std::unique_ptr<consensus::seat> seat;
  std::optional<group::state> rules;
  seeded_random random;
  bool keeps = false;              // it leads, and its keepers live
  bool claimed = false;            // the node was told that it is in the group
  bool full = false;               // the disk
  consensus::log_index hinted = 0; // the configuration that the charter was told of
  bool standing_back = false;      // the node drains
  group::leaving leaving;          // while it does

  consensus::lean_queue<group_author> authors;       // waiting for their turn, or for a leader
  consensus::lean_optional<group_author> committing; // one author's request at a time
  consensus::core::position committing_at;
  std::map<consensus::log_index, open_proposal> proposals;
  std::map<std::uint64_t, group_author> readers; // by read

  std::map<group::resource_key, resource_keeper> keepers;
  group::zone_table zone;          // while it is followed
  bool follows_zone = false;       // it leads, or leaves
  std::uint64_t zone_asked = 0;    // how often
  bool zone_known = false;         // as of the answer
  keeper::member_table_ptr spread; // as the keepers were last told; null while it is not known
  bool spreading = false;
  std::optional<group::member_rules> choice;
  charter::roster_ptr roster; // null: not known
  std::optional<time_point> review_at;
  std::uint64_t review_generation = 0;
  time_point next_move; // not before, what is healthy may move
  std::map<node_id, std::pair<std::uint64_t, std::uint64_t>> reports; // last (start, sequence)
  consensus::lean_optional<group_leases> leases;                      // once somebody asked
  group_gathering gather;
  std::vector<open_state> states; // the oldest first
  std::uint64_t state_readings = 0;

  /// Null until the journal is read.
  consensus::core* core() const { return seat ? seat->member() : nullptr; }

  ~group_shell();
};

using group_pointer = group_core::stateful_pointer<group_shell>;

inline time_point now(group_pointer self) {
  return self->clock().now();
}

inline bool leads(const group_shell& state) {
  return state.core() && state.core()->role() == consensus::role::leader;
}

// group_consensus_part.cpp: the consensus member

/// Reads the journal's records and becomes a member, or waits to be one.
void take_seat(group_pointer self, consensus::journal_copy_ptr journal);

// group_authors_part.cpp: requests of authors, and what is committed for them

author_reply on_request(group_pointer self, group_request& x);
keeper_reply on_propose(group_pointer self, propose_entries& x);
void serve_authors(group_pointer self);
/// An entry is committed at this place of the log.
void on_committed(group_pointer self, consensus::log_index index, consensus::term_number term,
                  const group_entry* what);
void on_read_granted(group_pointer self, std::uint64_t read);
/// This member leads no more: who waits is sent elsewhere.
void dismiss_authors(group_pointer self);
/// Those who have waited too long for a leader.
void dismiss_impatient(group_pointer self);
void dismiss_reader(group_pointer self, std::uint64_t read);

// group_keepers_part.cpp: the keepers of the resources, while this member leads

void start_keeping(group_pointer self);
void stop_keeping(group_pointer self);
void start_keeper(group_pointer self, const group::resource_key& key);
/// Folds committed entries into the state; keepers hear of them, and come and go with resources.
void apply(group_pointer self, const std::vector<group_entry>& entries);
/// With its place, and the incarnation of it and all before it; nothing: it is not the group's own, or
/// does not read.
std::optional<group_entry> read_entry(const consensus::entry& x, std::uint64_t& incarnation);
void on_keeper_down(group_pointer self, const caf::down_msg& x);

// group_members_part.cpp: the zone, and who of it is in the group

/// From now on it knows the zone, which only those who lead or leave need: a node is in many groups.
void follow_zone(group_pointer self);
void forget_zone(group_pointer self);
void on_member(group_pointer self, const member_change& x);
void on_spread_zone(group_pointer self);
void on_roster(group_pointer self, const roster_known& x);
void review(group_pointer self, const review_members& x);
/// Also when it begins to lead: else all groups would move at once after a start of all nodes.
void draw_next_move(group_pointer self);
/// The charter hears who the members are, as of what is committed.
void hint(group_pointer self, const consensus::core::status& x);
void review_soon(group_pointer self, time_point::duration after);
std::string name_of(const group_shell& state, const node_id& x);

// group_leaving_part.cpp: what becomes of the group when a node of it drains

/// Asks until the group can do without this node, or nobody can take its place; tells the node.
void try_to_leave(group_pointer self);
/// Others should lead while this node can't write, or is about to leave. Who is alone goes on, to
/// say so; so does one of voters that all leave, to bring in others.
void stand_aside(group_pointer self);
/// `try_to_leave`, when its group's turn has come.
void leave_in_turn(group_pointer self);
/// Another node drains, and this one leads.
group_reply on_leave_request(group_pointer self, const group_request& x);

// group_raising_part.cpp: begun anew from what is left

group_reply look(group_pointer self, const group_request& x);
void raise(group_pointer self, group_author x);
void start_gathering(group_pointer self);
void stop_gathering(group_pointer self);
/// The zone is known now.
void gather_zone(group_pointer self);
/// The group was raised by others meanwhile: who asked for it here is told so.
void dismiss_raisers(group_pointer self);
/// A node came alive, or is dead, or did not change.
void gather_from(group_pointer self, const group::resident& x);
void on_gather_again(group_pointer self, const gather_again& x);
/// All was gathered, and that is committed.
void on_gathered(group_pointer self);
/// Nodes that were not there when the group was raised may hold promises of it.
void ask_late_holders(group_pointer self);
/// From now on what is exclusive waits for old leases, if there may be any, before it is called.
void hold_exclusive(group_pointer self);
/// Once they are over that is committed, and the next leader need not wait.
void outwait_leases(group_pointer self);

// group_reading_part.cpp

/// The whole state as of now, in pieces; and the others of them.
void begin_state(group_pointer self, const group_author& x);
void give_state(group_pointer self, const group_author& x);
void on_forget_state(group_pointer self, const forget_state& x);

/// Answers from the keepers of the resources that are asked for.
void read(group_pointer self, const group_author& x);
void explain(group_pointer self, const group_author& x);

/// Evidence goes to the keepers of the resources it is about; a report that was heard before is
/// only acknowledged again.
caf::result<report_reply> on_report(group_pointer self, const report& x);

/// Answered once a quorum has confirmed, in a round that begins after this, that the group is led
/// here.
lease_reply on_lease_ask(group_pointer self, const lease_ask& x);
/// Tells, later or at once, whether a quorum confirms that this member leads now; never, once it
/// leads no more.
void confirm_quorum(group_pointer self, std::function<void(bool)> done);
/// False: the read was not for leases.
bool on_quorum_answered(group_pointer self, std::uint64_t read, bool yes);
/// This member leads no more: who asked is to ask another.
void dismiss_lease_asks(group_pointer self);

} // namespace legion
