#pragma once

#include "actors/node/commitments.hpp"
#include "actors/node/ledger.hpp"
#include "actors/placement/constraints.hpp"
#include "messages/ids.hpp"
#include "messages/negotiation.pb.h"
#include "messages/time.hpp"

namespace legion::node {

/// How long an offer holds capacity. Losers are given back at once; only a lost release waits so
/// long.
inline constexpr auto offer_lifetime = seconds{10};

/// Who volunteers, for offers and declines.
struct volunteer {
  node_id id;
  start_number start{};
  placement::self_description describes;
  bool recovering = true; // the ledger is not rebuilt yet
  bool disk_full = false; // no promise could be written
};

/// Answers a call: an offer whose capacity is held from now on under `offer_id`, or a decline with
/// numbers.
call_reply answer_call(const call& x, const volunteer& self, std::uint64_t offer_id, ledger& books,
                       const commitments& promises, time_point now);

} // namespace legion::node
