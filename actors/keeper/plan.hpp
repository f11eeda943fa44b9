#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/ids.hpp"
#include "messages/resource.pb.h"
#include "messages/time.hpp"

namespace legion::keeper {

/// A replica that its keeper counts: named or accepted, not ended.
struct replica {
  std::string uid;
  bool current = false;   // made from the template as it is now
  bool missing = false;   // no node has accepted it
  bool recalled = false;  // named for an earlier template, which is kept
  bool assessed = false;  // its node was heard about it
  bool ready = false;     // as last heard
  bool available = false; // ready for long enough
  wall_ms created_ms = 0;
  node_id node;        // null while missing
  std::string earlier; // the template that it was made from, if that is not the newest, and is kept
};

/// What brings the replicas a step closer to what is wanted.
struct plan {
  std::vector<std::string> end; // uids
  int name = 0;                 // how many to name anew
  std::string of = {};          // of which earlier template; empty: of the newest

  friend bool operator==(const plan&, const plan&) = default;
};

/// How many replicas may be over and under what is wanted while a template is replaced.
struct leeway {
  int surge = 0;
  int unavailable = 0;
};

/// One at a time, the new one first, if nothing is said; else Kubernetes' arithmetic: 25% for what is
/// left out, surge rounded up, unavailable rounded down, never both 0.
leeway leeway_of(const deployment_spec& x);

/// One step of a rollout. `leaving`: so many replicas were ended but may still run; of earlier
/// templates (Recreate waits for them), of a bare Pod, whose name serves one at a time, and of what
/// is exclusive: then they and the others together are never more than wanted.
///
/// Source: Kubernetes' deployment controller, rolling.go: new ones first up to the surge, then
///         unready old ones go, then ready old ones as far as enough stay available. Differs: a
///         missing replica of an old template is dropped at once, but for one that stands in for one
///         that was lost; what is too many for the surge after scaling down is taken from the new
///         ones that do not serve, not from all in proportion; and while paused new ones are made from
///         what serves.
plan plan_of(const resource& what, const std::vector<replica>& replicas, int leaving);

} // namespace legion::keeper
