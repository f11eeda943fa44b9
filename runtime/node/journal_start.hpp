#pragma once

#include <string>
#include <vector>

#include "messages/ids.hpp"
#include "runtime/store/store.hpp"
#include "runtime/transport/transport.hpp"

namespace legion::node_process {

/// What a node learns of itself from its journal before its first actor lives.
struct journal_start {
  start_number start{};
  std::string cluster;                   // empty: it never belonged to one
  std::vector<transport::peer> contacts; // members it knew, without itself
};

/// Counts this start and syncs it, so that no two lives of a node share a number. A node that
/// founds a cluster makes its id here, in the same write: a founder that dies at once is the
/// founder of the same cluster when it returns.
///
/// Errors: those of the store.
result<journal_start> begin_start(const store::opened& journal, const node_id& self, bool founds);

} // namespace legion::node_process
