#pragma once

#include <string>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/message_types.hpp"
#include "actors/node_context.hpp"
#include "messages/supervision.pb.h"

namespace legion {

/// From now on, exits of this workload's containers go to `who`, which must accept
/// `process_exited`.
struct watch_workload {
  std::string workload;
  caf::strong_actor_ptr who;
};
struct process_exited {
  process_status what;
};
/// From now on, `who` hears each time that the supervisor was lost, and all that ran under it.
struct watch_supervisor {
  caf::strong_actor_ptr who;
};
struct supervisor_lost {
  std::string why;
};
struct stop_asked {};
struct remove_workload_files {
  std::string workload;
};
struct list_running {};
struct probe_once {
  drivers::probe_target where;
};
struct read_output {
  std::string workload;
  std::string container;
  std::int64_t life = -1;  // -1: the newest
  std::int64_t offset = 0; // negative: lines from the end
};
struct check_port {
  int port = 0;
};
struct end_all {
  std::int64_t grace_ms = 30000;
};
struct list_features {};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::watch_workload)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::process_exited)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::watch_supervisor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::supervisor_lost)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::stop_asked)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::remove_workload_files)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::list_running)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::probe_once)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::read_output)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::check_port)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::end_all)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::list_features)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::drivers::probe_outcome)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::drivers::output)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::drivers::features)

namespace legion {

/// Owns the drivers. Failures come back as `fault`s of the driver.
using runtime_handle =
    caf::typed_actor<caf::replies_to<launch>::with<process_status>,             //
                     caf::replies_to<stop>::with<stop_asked>,                   //
                     caf::replies_to<renew_lease>::with<stop_asked>,            //
                     caf::replies_to<remove_workload_files>::with<stop_asked>,  //
                     caf::replies_to<list_running>::with<process_list>,         //
                     caf::replies_to<probe_once>::with<drivers::probe_outcome>, //
                     caf::replies_to<read_output>::with<drivers::output>,       //
                     caf::replies_to<check_port>::with<bool>,                   //
                     caf::replies_to<list_features>::with<drivers::features>,   //
                     caf::replies_to<end_all>::with<stop_asked>,                //
                     caf::reacts_to<watch_workload>,                            //
                     caf::reacts_to<watch_supervisor>>;

runtime_handle spawn_runtime(caf::actor_system& system, const context_ptr& context);

} // namespace legion
