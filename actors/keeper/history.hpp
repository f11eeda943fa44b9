#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "actors/node/event_ring.hpp"
#include "messages/evidence.pb.h"
#include "messages/keeping.pb.h"

namespace legion::keeper {

/// What happened to one resource, for people: in memory. Of the time before its keeper began it has
/// the rounds that were committed with what they decided, and what the pods' nodes tell again.
///
/// Shape:  the last 100 events, the last 64 pods that are gone. Of rounds, those that named a pod
///         that lives, and the newest others up to 16 in all; the oldest go first once there are
///         more than 1024, or 512 KiB of them. An event that repeats one of the last 16 raises its
///         count; a round in vain for the pods of the round before takes its place.
class history {
public:
  static constexpr std::size_t few_rounds = 16;
  static constexpr std::size_t most_rounds = 1024;
  static constexpr std::size_t most_round_bytes = 512 * 1024;
  static constexpr std::size_t most_saved_bytes = 64 * 1024; // at a time
  static constexpr std::size_t most_candidate_bytes = 16 * 1024;

  void add(event x) { events_.add(std::move(x)); }
  /// What its node tells of the time before this keeper began, or tells again.
  void recall(event x) { events_.recall(std::move(x)); }
  void add(negotiation_round x, const std::set<std::string>& living);
  /// What a node answered after its round was decided takes the place of its silence.
  void amend(std::uint64_t call, const candidate& x);
  /// The node took back the offer that its newest round had accepted for this pod.
  void regret(regretted_slot x);
  void add_gone(pod_view x);

  /// What was committed before this keeper began.
  void restore(const std::deque<negotiation_round>& rounds);
  /// The rounds that named one of these pods and are not committed as they are now, oldest first, to
  /// be committed: of the newest so many as fit, each with so many candidates as fit.
  std::vector<negotiation_round> unsaved(const std::set<std::string>& pods);
  /// What came of them.
  void saved(bool committed);

  const std::vector<event>& events() const { return events_.all(); }
  bool was_here(const std::string& pod) const;

  /// The rounds that called for this pod, and, if it is gone, how it was last seen.
  explanation explain(const std::string& pod) const;

private:
  event_ring events_;
  void push_round(negotiation_round x);
  void drop_round(std::size_t i);

  enum class on_disk : std::uint8_t { no, under_way, yes };
  struct remembered_round {
    negotiation_round what;
    std::size_t bytes = 0;
    on_disk kept = on_disk::no;
  };
  void changed(remembered_round& x);

  std::deque<remembered_round> rounds_;
  std::size_t round_bytes_ = 0;
  std::deque<pod_view> gone_;
};

} // namespace legion::keeper
