#pragma once

#include <string>
#include <vector>

#include "messages/ids.hpp"
#include "messages/time.hpp"
#include "runtime/store/store.hpp"
#include "runtime/transport/transport.hpp"

namespace legion::node_process {

/// Opens FOLDER's journal. A damaged one is set aside and another takes its place, so that what runs
/// here goes on: with a new id, without the groups' records, and with the damage noted in it.
///
/// Errors: those of the store, but for `damaged`.
result<store::opened> open_journal(const std::string& folder, wall_ms now);

/// What a node learns of itself from its journal before its first actor lives.
struct journal_start {
  start_number start{};
  std::string cluster;                   // empty: it never belonged to one
  std::vector<transport::peer> contacts; // members it knew, without itself
  std::int64_t first_ms = 0;             // of the first start; 0: before this was counted
  bool journal_is_new = false;           // nothing was ever written to it
};

/// How a node is started.
struct circumstances {
  bool founds = false; // nobody is named to be joined
  wall_ms now{};
  bool accepts_loss = false; // of an earlier damage: the note of it is taken away
  bool key_is_new = true;    // else the node has started before, whatever the journal says
};

/// Counts this start and syncs it, so that no two lives of a node share a number. Where the count is
/// lost, it goes on from the clock's seconds, of which no node starts as many times. A node that
/// founds a cluster makes its id here, in the same write: a founder that dies at once is the
/// founder of the same cluster when it returns.
///
/// Errors: those of the store; `conflict` if the journal is another node's.
result<journal_start> begin_start(store::opened& journal, const node_id& self,
                                  const circumstances& how);

/// What is to be said when a node that has started before finds an empty journal.
std::string lost_journal(bool founds);

} // namespace legion::node_process
