#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "actors/group/state.hpp"
#include "actors/keeper/members.hpp"
#include "actors/keeper/plan.hpp"
#include "messages/evidence.pb.h"
#include "messages/keeping.pb.h"
#include "messages/time.hpp"

namespace legion::keeper {

/// What a keeper heard about one slot; lost with the keeper, heard again from full reports.
struct watch {
  bool bound = false;    // its node said so, by an answer or by evidence
  bool released = false; // its node has nothing of it any more
  bool ended = false;    // and saw its workload end
  std::string regret;    // why its node will not bind it; empty: no regret
  std::optional<assessment> seen;
  std::optional<time_point> ready_since;
  std::optional<time_point> renewed; // no lease of it was asked for later; nothing: it had none
  bool granted = false;              // that lease was given by this keeper
};

using watches = std::map<std::string, watch>; // by uid

/// Takes in what a node says of its promise.
void hear(watch& x, const assessment& y, time_point now);

/// The slot's workload is finished for good: a bare Pod's that is not to be restarted.
bool is_finished(const resource& what, const watch& x);

/// Whether a replica whose node is dead is left to it until it is back. What is not to be restarted
/// would be: the process of a node that died outlives it, and would run beside the one called anew.
/// Not so what is exclusive, which ends first.
bool waits_for_its_node(const resource& what);

/// Why the slot has to be replaced; empty: it has not.
std::string broken_because(const resource& what, const watch& x);

/// When a ready slot becomes available; nothing while it is not ready.
std::optional<time_point> available_from(const resource& what, const watch& x);

/// The slot as the plan counts it.
replica replica_of(const resource& what, const std::string& revision, const group::slot_state& slot,
                   const watch& heard, time_point now);

/// The slot as people see it.
pod_view view_of(const resource& what, const group::slot_state& slot, const watch& heard,
                 bool node_dead, const std::string& note);

} // namespace legion::keeper
