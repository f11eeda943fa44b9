#pragma once

#include <cstddef>
#include <vector>

#include "messages/ids.hpp"
#include "messages/time.hpp"

namespace legion::membership {

/// One member under suspicion: who accuses it, and when it is declared dead.
///
/// Shape:  at most `wanted` + 1 accusers are remembered; each counts once.
/// Source: Dadgar et al. 2018, Lifeguard IV-B: the time-out falls from max to min with the
///         logarithm of independent confirmations.
class suspicion {
public:
  suspicion(const node_id& accuser, std::size_t wanted, milliseconds min, milliseconds max,
            time_point now);

  /// True if this accuser is new and was still wanted.
  bool confirm(const node_id& by);
  bool confirmed() const { return accusers_.size() > wanted_; }
  bool accused_by(const node_id& x) const;
  const std::vector<node_id>& accusers() const { return accusers_; }

  time_point deadline() const { return since_ + timeout(); }
  milliseconds timeout() const;

  /// This process stood still for so long: that time proves nothing about the suspect.
  void postpone(time_point::duration by) { since_ += by; }

  bool probed_here = false; // this node has checked for itself

private:
  std::vector<node_id> accusers_;
  std::size_t wanted_;
  milliseconds min_;
  milliseconds max_;
  time_point since_;
};

} // namespace legion::membership
