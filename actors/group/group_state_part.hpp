#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/group/group_actor.hpp"
#include "actors/group/log.hpp"
#include "actors/group/state.hpp"
#include "actors/group/whereabouts.hpp"
#include "actors/keeper/keeper_actor.hpp"
#include "messages/random.hpp"

/// What the group actor's files share; nobody else includes this.

namespace legion {

/// Writes again a batch whose end is unknown.
struct rewrite_batch {};
/// The members changed since the keepers were last told.
struct spread_zone {};
/// What an earlier actor was writing when it failed is written again.
struct finish_writing {};
/// The last resource is gone for some time.
struct give_up_claim {};
/// A keeper that failed too often may be tried again.
struct respawn_keeper {
  group::resource_key key;
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::rewrite_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::spread_zone)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::finish_writing)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::give_up_claim)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::respawn_keeper)

namespace legion {

using group_core =
    group_handle::extend<caf::replies_to<propose_entries>::with<entries_proposed>, //
                         caf::reacts_to<rewrite_batch>, caf::reacts_to<spread_zone>,
                         caf::reacts_to<finish_writing>, caf::reacts_to<give_up_claim>,
                         caf::reacts_to<respawn_keeper>>;

using author_reply = caf::typed_response_promise<group_reply>;
using keeper_reply = caf::typed_response_promise<entries_proposed>;

struct group_author {
  group_request request;
  author_reply reply;
};

struct resource_keeper {
  keeper_handle keeper;
  caf::actor_addr who;
  std::uint32_t restarts = 0;
};

struct group_shell {
  static inline const char* name = "group";
  context_ptr context;
  group_id group{};
  group::journal_copy_ptr journal;
  store_handle store;
  membership_handle membership;
  node_handle node;
  std::optional<group::log> log;
  std::optional<group::state> rules;
  std::optional<fault> fenced; // the journal is damaged: nothing is kept or answered
  seeded_random random;
  std::uint64_t next_proposal = 1;
  std::optional<group_author> committing; // one author's request at a time
  std::uint64_t committing_proposal = 0;
  std::deque<group_author> authors; // waiting for their turn
  std::map<std::uint64_t, keeper_reply> proposals;
  record_batch unknown_batch;
  std::map<group::resource_key, resource_keeper> keepers;
  std::map<node_id, group::candidate_keeper> zone;
  keeper::member_table members;    // as it is
  keeper::member_table_ptr spread; // as the keepers were last told; null while it is not known
  bool zone_known = false;
  bool spreading = false;
  bool begun = false;       // the journal is read
  bool claimed = false;     // the node was told that resources are kept here
  bool giving_up = false;   // a `give_up_claim` is on its way
  bool withdrawing = false; // until the member record says it, nobody may put anything here
  std::map<node_id, std::pair<std::uint64_t, std::uint64_t>> reports; // last (start, sequence)

  ~group_shell();
};

using group_pointer = group_core::stateful_pointer<group_shell>;

/// Answers from the keepers of the resources that are asked for.
void read(group_pointer self, const group_author& x);
void explain(group_pointer self, const group_author& x);

/// Evidence goes to the keepers of the resources it is about; a report that was heard before is
/// only acknowledged again.
caf::result<report_reply> on_report(group_pointer self, const report& x);

} // namespace legion
