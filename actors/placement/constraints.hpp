#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "messages/negotiation.pb.h"
#include "messages/resource.pb.h"

namespace legion::placement {

/// What a node says of itself when it judges a template.
struct self_description {
  std::string name;
  std::vector<label> labels; // sorted by key
  std::vector<taint> taints;
  bool cordoned = false;
  bool draining = false;
  std::vector<std::string> drivers; // the first is the default; empty while that is not known
  bool root = false;
  std::int64_t user = 0, group = 0; // whom it runs as: these it can give without root
};

/// Whether a node may volunteer for a template, before anybody asks what is free.
struct fit {
  decline_reason reason = decline_unknown; // unknown: it fits
  std::string detail;                      // what was asked and what is here
  int preference = 0;                      // sum of the weights of the preferred terms that match
  unsigned untolerated_soft_taints = 0;    // PreferNoSchedule

  bool fits() const { return reason == decline_unknown; }
};

/// Judges taints, selectors, affinity, nodeName and runtime, in that order of cheapness.
/// Source: Kubernetes 1.34, "Taints and Tolerations", "Assigning Pods to Nodes".
fit judge(const pod_template& what, const self_description& node);

/// Source: Kubernetes core/v1 Toleration.ToleratesTaint.
bool tolerates(const toleration& x, const taint& of);
/// The first taint with effect NoExecute that it does not tolerate; null: it may stay.
const taint* drives_out(const pod_spec& spec, const std::vector<taint>& taints);

/// Source: Kubernetes nodeaffinity: requirements are and-ed; an empty term matches nothing.
bool matches(const selector_term& term, const self_description& node);

/// Source: Kubernetes labels.Requirement.Matches; Gt and Lt compare whole numbers.
bool matches(const selector_requirement& x, const std::string* value);

/// The driver that a template asks for, or the node's default.
std::string driver_for(const pod_spec& what, const std::vector<std::string>& drivers);

} // namespace legion::placement
