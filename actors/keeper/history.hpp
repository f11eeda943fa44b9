#pragma once

#include <deque>
#include <string>
#include <vector>

#include "messages/evidence.pb.h"
#include "messages/keeping.pb.h"

namespace legion::keeper {

/// What happened to one resource, for people: in memory, and gone with its keeper.
///
/// Shape: the last 100 events, the last 16 rounds, the last 64 pods that are gone. An event that
/// repeats one of the last 16 raises its count; a round in vain for the pods of the round before
/// takes its place.
class history {
public:
  void add(event x);
  void add(negotiation_round x);
  void add_gone(pod_view x);

  const std::deque<event>& events() const { return events_; }
  bool was_here(const std::string& pod) const;

  /// The rounds that called for this pod, and, if it is gone, how it was last seen.
  explanation explain(const std::string& pod) const;

private:
  std::deque<event> events_;
  std::deque<negotiation_round> rounds_;
  std::deque<pod_view> gone_;
};

} // namespace legion::keeper
