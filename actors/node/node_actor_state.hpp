#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/group/group_actor.hpp"
#include "actors/keeper/lease.hpp"
#include "actors/node/commitments.hpp"
#include "actors/node/departed.hpp"
#include "actors/node/event_ring.hpp"
#include "actors/node/ledger.hpp"
#include "actors/node/node_actor.hpp"
#include "actors/node/reporting.hpp"
#include "actors/node/restart_budget.hpp"
#include "actors/node/volunteering.hpp"
#include "actors/promise/promise_actor.hpp"
#include "actors/promise/renewal.hpp"
#include "actors/runtime/runtime_actor.hpp"
#include "actors/store/store_actor.hpp"

/// The node actor's own parts; nobody else includes this. Each conversation has its file.
namespace legion {

struct node_tick {
  std::uint64_t generation = 0;
};
/// The driver did not answer: what runs is asked again.
struct recover_again {};
/// What ran without a promise at the start is ended, if this node is in its zone by now.
struct judge_strays {
  std::set<std::string> uids;
};
/// The supervisor was lost: another one is asked for its name.
struct learn_supervisor {};
struct employ_later {
  std::string uid;
};
/// The node says anew what it is.
struct describe_again {};
/// After a drain, the zone has had time to hear of it.
struct zone_told {};
/// What a drain has not handed over by now stays.
struct hand_over_ends {};
/// Keepers that have not asked by now how leased replicas ended wait for their leases.
struct stop_answering {};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::node_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::recover_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::judge_strays)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::learn_supervisor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::employ_later)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::describe_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::zone_told)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::hand_over_ends)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::stop_answering)

namespace legion {

using inner_node_handle = node_handle::extend_with<promise_owner>::extend<
    caf::reacts_to<node_tick>, caf::reacts_to<recover_again>, caf::reacts_to<judge_strays>,
    caf::reacts_to<employ_later>, caf::reacts_to<describe_again>, caf::reacts_to<zone_told>,
    caf::reacts_to<hand_over_ends>, caf::reacts_to<stop_answering>, caf::reacts_to<store::health>,
    caf::reacts_to<supervisor_lost>, caf::reacts_to<learn_supervisor>>;

inline constexpr auto store_timeout = seconds{30};
inline constexpr std::size_t most_last_words = 256;
inline constexpr auto leaderless_pause = seconds{5};

/// An accept whose slots are being judged, written or waited for.
struct open_accept {
  caf::typed_response_promise<accept_reply> reply;
  accept_reply answers;
  std::size_t missing = 0;
};

/// A batch of promises on its way to the disk.
struct binding {
  std::vector<promise_record> records; // with the host ports found so far
  std::size_t looking = 0;             // replicas whose ports are still being found
};

/// Its actor is null once it was given up.
struct kept_group {
  group_handle group;
  consensus::journal_copy_ptr journal;
  node::restart_budget restarts;
};

struct node_state {
  static inline const char* name = "node";
  context_ptr context;
  node_partners partners;

  node::volunteer self;
  node::ledger ledger;
  node::commitments promises;
  node::departed departed;
  event_ring events;
  node::reporting reports;
  // Of withdrawn promises that are gone, by uid, until their keeper has heard it; at most
  // `most_last_words`, beyond which keepers find out by asking.
  std::map<std::string, assessment> last_words;
  promise::renewals leases{keeper::lease_times{}.again};
  std::vector<std::pair<node_id, std::uint64_t>> keepers; // the living who keep groups: bit g
  // Since when nobody leads a group as its keeper there says, by group.
  std::map<std::uint32_t, time_point> leaderless;
  drivers::features features;
  int supervisor_pid = 0; // 0: there is none now
  roster_known roster;
  bool joined = false; // as membership said; asked until it has
  std::uint64_t last_offer = 0;
  std::uint64_t keeps = 0;
  bool describing = false;                      // what changes together is told together
  std::map<std::uint32_t, std::uint64_t> terms; // the highest in which a group's keeper spoke
  wall_ms started_ms = 0;
  store::health journal;
  wall_ms journal_changed_ms = 0;

  std::map<std::string, promise_handle> keeping; // by uid
  std::map<std::uint32_t, kept_group> groups;
  std::map<std::string, node::restart_budget> restarts; // of promise actors that failed, by uid
  std::map<std::string, std::vector<std::shared_ptr<open_accept>>> waiting; // by uid
  std::vector<caf::typed_response_promise<drained>> draining;
  // Leased replicas that a drain has ended, until their keepers have asked: only this process can say
  // that it saw them end, and without that nothing takes their place before their leases are over.
  std::set<std::string> ends_to_tell;
  bool trusts_journal = false;          // see `await_trust`
  std::set<std::uint32_t> handing_over; // groups, and the charter, that a drain waits for
  std::size_t stuck_groups = 0;         // that nobody takes over
  bool charter_stuck = false;           // nor this node's vote in the charter
  bool leaves = false;                  // the zone was told

  std::optional<time_point> remember_members_at;
  std::size_t members_hash = 0;
  std::optional<time_point> armed;
  std::uint64_t generation = 0;

  ~node_state();
};

using node_pointer = inner_node_handle::stateful_pointer<node_state>;

inline time_point now(node_pointer self) {
  return self->clock().now();
}

// node_actor.cpp
void arm(node_pointer self);
member description(node_pointer self);
void describe(node_pointer self);

// node_actor_groups.cpp: the keeper groups that this node is in
void spawn_groups(node_pointer self, std::vector<record>& replayed);
/// Until then its groups take part in nothing.
void await_trust_of_journal(node_pointer self);
bool on_group_ended(node_pointer self, const caf::down_msg& x);
caf::result<group_reply> on_group_request(node_pointer self, const group_request& x);
caf::result<report_reply> on_report(node_pointer self, const report& x);
void on_group_mail(node_pointer self, group_mail& x);
void on_claimed(node_pointer self, const group_claimed& x);
/// Each group finds somebody to take this node's place, within a bound.
void hand_over_groups(node_pointer self);
void on_let_go(node_pointer self, const group_let_go& x);
void on_hand_over_ends(node_pointer self);
void on_stop_answering(node_pointer self);
/// The charter says who is a member, and whether this node is cordoned.
void on_roster(node_pointer self, const roster_known& x);

// node_actor_negotiation.cpp: call, accept, release
caf::typed_response_promise<accept_reply> on_accept(node_pointer self, const accept& x);
release_reply on_release(node_pointer self, const release& x);
void end_here(node_pointer self, const std::string& uid, bool withdrawn);
/// Who waits with an accept of it hears that it has ended: a restart knows that now, too.
void answer_ended(node_pointer self, const slot& x);

// node_actor_evidence.cpp: promises to keepers
void on_says(node_pointer self, const promise_says& x);
void on_tells(node_pointer self, const promise_tells& x);
void on_over(node_pointer self, const std::string& uid);
void answer_drains(node_pointer self);
void on_zone_told(node_pointer self);
void send_reports(node_pointer self);
/// The keeper of these promises is another one now: evidence goes there.
void follow_keeper(node_pointer self, const std::vector<std::string>& uids, const node_id& keeper);
void tell_everybody(node_pointer self);

// node_actor_recovery.cpp: what the journal and the driver know
void restore(node_pointer self, const std::vector<record>& replayed);
void recover(node_pointer self);
void on_judge_strays(node_pointer self, const judge_strays& x);
void employ(node_pointer self, const std::string& uid, std::vector<process_status> found);
void employ_again(node_pointer self, const std::string& uid);
void on_supervisor_lost(node_pointer self, const std::string& why);
void learn_supervisor_again(node_pointer self);
void remember_members(node_pointer self);

// node_actor_leases.cpp: asks for what its leased promises live by
void lease_begins(node_pointer self, const promise_record& x);
std::optional<time_point> next_lease_ask(node_pointer self);
void ask_for_leases(node_pointer self);
caf::result<lease_answer> on_lease_ask(node_pointer self, const lease_ask& x);

// node_actor_view.cpp: what people ask
node_view view(node_pointer self, const node_request& what);
caf::typed_response_promise<node_view> on_node_request(node_pointer self, const node_request& x);
caf::typed_response_promise<log_lines> on_logs(node_pointer self, const logs_request& x);

} // namespace legion
