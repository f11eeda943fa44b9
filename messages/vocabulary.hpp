#pragma once

#include <cstdint>
#include <memory>

#include "messages/api.pb.h"
#include "messages/charter.pb.h"
#include "messages/consensus.pb.h"
#include "messages/envelope.pb.h"
#include "messages/evidence.pb.h"
#include "messages/keeping.pb.h"
#include "messages/membership.pb.h"
#include "messages/negotiation.pb.h"

/// Every message that may travel between nodes, with its number on the wire. A number is never used
/// again; 44 was.
#define LEGION_REMOTE_MESSAGES(X)                                                                  \
  X(1, swim_packet)                                                                                \
  X(2, member_list)                                                                                \
  X(3, join_request)                                                                               \
  X(4, join_reply)                                                                                 \
  X(10, call)                                                                                      \
  X(11, call_reply)                                                                                \
  X(12, accept)                                                                                    \
  X(13, accept_reply)                                                                              \
  X(14, release)                                                                                   \
  X(15, release_reply)                                                                             \
  X(16, lease_ask)                                                                                 \
  X(17, lease_answer)                                                                              \
  X(20, report)                                                                                    \
  X(21, report_reply)                                                                              \
  X(30, group_request)                                                                             \
  X(31, group_reply)                                                                               \
  X(40, node_request)                                                                              \
  X(41, node_view)                                                                                 \
  X(42, logs_request)                                                                              \
  X(43, log_lines)                                                                                 \
  X(50, consensus_batch)                                                                           \
  X(51, consensus_beat)                                                                            \
  X(60, charter_request)                                                                           \
  X(61, charter_reply)                                                                             \
  X(62, roster_ask)                                                                                \
  X(63, roster_state)

namespace legion {

/// The wire number of a message type; 0 for one that does not travel.
template <class T>
inline constexpr std::uint32_t message_kind = 0;

#define LEGION_KIND(number, type)                                                                  \
  template <>                                                                                      \
  inline constexpr std::uint32_t message_kind<type> = number;
LEGION_REMOTE_MESSAGES(LEGION_KIND)
#undef LEGION_KIND

/// Kinds that bridges exchange without a body. `watch`: tell me when the actor at this path ends;
/// `ended`: it has. `done`: the answer of an actor that answers with nothing.
inline constexpr std::uint32_t kind_done = 0;
inline constexpr std::uint32_t kind_watch = 5;
inline constexpr std::uint32_t kind_ended = 6;

} // namespace legion
