#pragma once

#include <memory>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "actors/node_context.hpp"
#include "actors/runtime/runtime_actor.hpp"
#include "actors/workload/workload_actor.hpp"

namespace legion {

/// What a promise tells its node.
struct promise_says {
  std::string uid;
  assessment what;
};
struct promise_tells {
  std::string uid;
  event what;
};
/// Its workload was ended because its lease ran out: nobody may begin it again.
struct promise_lapsed {
  std::string uid;
};
/// Nothing of it runs any more.
struct promise_over {
  std::string uid;
};

/// It was released; or, withdrawn, this node ends it without being asked.
struct end_promise {
  bool withdrawn = false;
};
struct raise_order {
  order_number to;
};

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::promise_says)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::promise_tells)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::promise_lapsed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::promise_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::end_promise)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::raise_order)

namespace legion {

using promise_handle = workload_owner::extend<caf::reacts_to<end_promise>, //
                                              caf::reacts_to<raise_order>, //
                                              caf::reacts_to<lease_renewed>>;

/// Whom a promise answers to: the node.
using promise_owner = caf::typed_actor<caf::reacts_to<promise_says>,   //
                                       caf::reacts_to<promise_tells>,  //
                                       caf::reacts_to<promise_lapsed>, //
                                       caf::reacts_to<promise_over>>;

/// Keeps one promise; its record is on disk already. `found` is what the driver has of it. Of
/// one that is ending already nothing is begun.
promise_handle spawn_promise(caf::actor_system& system, const context_ptr& context,
                             std::shared_ptr<const promise_record> what,
                             std::vector<process_status> found, bool ending,
                             const runtime_handle& runtime, const promise_owner& owner);

} // namespace legion
