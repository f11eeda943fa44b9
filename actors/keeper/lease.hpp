#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "messages/ids.hpp"
#include "messages/resource.pb.h"
#include "messages/time.hpp"

namespace legion::keeper {

inline constexpr const char* exclusive_annotation = "legion.dev/exclusive";

/// At most as many replicas as are wanted run anywhere: the pod, or the template, is annotated so.
bool is_exclusive(const resource& what);

/// The times of leases, for exclusive workloads: at most one of each runs anywhere.
///
/// The problem: a leader that has lost its quorum does not know it yet, and a node that is cut off
/// cannot be told. Whoever takes over must know when the other one is gone without hearing of it.
///
/// The rule: a node asks for a renewal and notes when, by its own boot-time clock. The leader
/// answers only once a quorum has confirmed it in a round that began after the ask came. The node's
/// supervisor ends the workload at `asked + lease`, TERM before, KILL then. So whatever an old
/// leader renewed was asked before a quorum turned to the new one, and is gone `lease` later, by any
/// clock that is wrong by no more than `drift`; a leader that is new waits that long, and `grace`
/// for what the kernel takes to end what was killed, before it calls again for what may run.
///
/// What the rule does not need: clocks that agree, bounded delays, an end of the old leader's
/// messages. Counting from the answer's arrival would need the second.
/// Source: Gray & Cheriton 1989, Leases, section 5; Ongaro 2014, 6.4.1, on clocks.
struct lease_times {
  milliseconds lease{10'000};
  milliseconds grace{2'000};
  milliseconds drift{100};   // over one lease: 1%, far beyond what clocks do
  milliseconds again{1'500}; // a node asks so often: three tries before the first TERM

  /// What a new leader waits, from when it became leader, before it calls again for a replica of
  /// which it has not heard that it ended.
  milliseconds wait() const { return lease + grace + drift; }
  /// TERM comes so long before the deadline, whatever grace the pod asks for.
  milliseconds term_before(milliseconds pod_grace) const;
};

/// When what was renewed last at `renewed` is gone for sure, wherever it is.
time_point lease_over(std::uint32_t lease_ms, time_point renewed);

/// Who asked to be renewed, at a group's leader.
///
/// Shape:  one ask per node, a newer one replaces the older; at most `most_asks`, the rest are not
///         heard and ask again.
class lease_desk {
public:
  static constexpr std::size_t most_asks = 256; // twice a zone

  struct ask {
    node_id from;
    std::uint64_t sequence = 0; // the node's own, to find the time by
    std::vector<std::string> uids;
  };

  /// False: too many wait.
  bool on_ask(ask x);
  /// The leader sends a beat that its followers answer: who asked until now rides with it.
  void round_begins(std::uint64_t round);
  /// A quorum has answered this round, and so every earlier one. Returns who may be renewed.
  std::vector<ask> round_confirmed(std::uint64_t round);
  /// Not the leader any more: nobody is answered.
  void deposed();

  bool empty() const { return waiting_.empty() && riding_.empty(); }

private:
  std::map<node_id, ask> waiting_; // for a round to begin
  std::map<node_id, std::pair<std::uint64_t, ask>> riding_;
};

} // namespace legion::keeper
