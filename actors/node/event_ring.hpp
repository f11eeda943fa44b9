#pragma once

#include <vector>

#include "messages/evidence.pb.h"

namespace legion {

/// The last things that happened, for people.
///
/// Shape:  the last 100; one that repeats one of the last 16 takes its place and raises its count.
class event_ring {
public:
  void add(event x);
  /// What may be known: it is told again, by one who has counted how often it happened.
  void recall(event x);
  const std::vector<event>& all() const { return all_; }

private:
  std::vector<event> all_; // not a deque: an empty one takes half a kilobyte
};

} // namespace legion
