#pragma once

#include <memory>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/message_types.hpp"
#include "actors/node_context.hpp"
#include "actors/runtime/runtime_actor.hpp"
#include "messages/evidence.pb.h"
#include "messages/journal.pb.h"

namespace legion {

/// What a workload tells its promise.
struct workload_says {
  assessment what; // phase, readiness, containers, ports
};
struct workload_tells {
  event what;
};
struct workload_over {};
/// Its lease ran out, and it was ended.
struct workload_lapsed {};

/// It may run until then, by the boot-time clock.
struct lease_renewed {
  std::int64_t until_ms = 0;
};

/// Stops everything with the pod's grace period, then `workload_over`.
struct end_workload {};
struct workload_tick {
  std::uint64_t generation = 0;
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::workload_says)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::workload_tells)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::workload_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::workload_lapsed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::lease_renewed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::end_workload)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::workload_tick)

namespace legion {

using workload_handle = caf::typed_actor<caf::reacts_to<end_workload>,   //
                                         caf::reacts_to<process_exited>, //
                                         caf::reacts_to<lease_renewed>,  //
                                         caf::reacts_to<workload_tick>>;

/// Whom a workload answers to.
using workload_owner = caf::typed_actor<caf::reacts_to<workload_says>,   //
                                        caf::reacts_to<workload_tells>,  //
                                        caf::reacts_to<workload_lapsed>, //
                                        caf::reacts_to<workload_over>>;

/// Runs one replica on the driver; `found` is what the driver already has of it. Of one that is
/// ending nothing is begun.
workload_handle spawn_workload(caf::actor_system& system, const context_ptr& context,
                               std::shared_ptr<const promise_record> what,
                               std::vector<process_status> found, bool ending,
                               const runtime_handle& runtime, const workload_owner& owner);

} // namespace legion
