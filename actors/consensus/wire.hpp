#pragma once

#include <optional>

#include "actors/consensus/message.hpp"
#include "actors/consensus/work.hpp"
#include "messages/consensus.pb.h"

namespace legion::consensus {

// Between the core's own types and what travels or is kept; one function for each type. Bytes that
// make no sense read as nothing.

consensus_member to_wire(const member_id& x);
std::optional<member_id> from_wire(const consensus_member& x);

consensus_configuration to_wire(const configuration& x);
std::optional<configuration> from_wire(const consensus_configuration& x);

consensus_ballot to_wire(const ballot& x);
std::optional<ballot> from_wire(const consensus_ballot& x);

consensus_entry to_wire(const entry& x);
entry_ref from_wire(const consensus_entry& x); // null: no sense

consensus_snapshot_head to_wire(const snapshot_head& x);
std::optional<snapshot_head> from_wire(const consensus_snapshot_head& x);

/// Without group, from and to: these are the batch's.
consensus_message to_wire(const message& x);
std::optional<message> from_wire(const consensus_message& x, const member_id& from,
                                 const member_id& to);

} // namespace legion::consensus
