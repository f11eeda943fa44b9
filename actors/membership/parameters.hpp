#pragma once

#include <cstddef>

#include "messages/time.hpp"

namespace legion::membership {

/// What the protocol is tuned by. The reasons, and the simulation they were chosen from, are in
/// docs/membership.md.
struct parameters {
  // Probing (SWIM 3.1, 4.3); each is stretched by the local health multiplier.
  milliseconds probe_interval{1000};
  milliseconds direct_timeout{300}; // then others are asked to ping
  milliseconds probe_timeout{700};  // then the target is suspected; not above the interval
  std::size_t indirect_probes = 3;
  milliseconds heard_counts_for{700}; // who was heard of in that time need not be probed
  std::size_t urgent_at_once = 8;     // re-probes under way besides the routine one

  // Suspicion (Lifeguard IV-B): from `max` down to `min` as accusers come in.
  milliseconds suspicion_min{1300};
  int suspicion_max_factor = 6;
  std::size_t confirmations = 3; // at most n - 2
  std::size_t reprobers = 4;     // told of a suspicion at once, by each accuser

  int worst_health = 8; // the local health multiplier runs from 0 to this

  // Gossip (SWIM 4.1).
  std::size_t sends_per_log2 = 2;  // λ
  std::size_t update_bytes = 1000; // in one packet
  std::size_t fanout = 3;
  milliseconds gossip_interval{100}; // only while there is news

  milliseconds exchange_interval{30'000};
  milliseconds dead_probe_interval{5'000}; // and at least `dead_probe_share` for each living member
  milliseconds dead_probe_share{1'000};

  milliseconds join_timeout{3'000};
  milliseconds join_backoff_first{500};
  milliseconds join_backoff_last{10'000};
  milliseconds seek_first{1'000}; // after a join: contacts that nobody has told of
  milliseconds seek_last{60'000};

  // A wake-up this late means that this process stood still: it accuses nobody for that time.
  milliseconds pause{700};

  std::size_t zone_limit = 128;
  milliseconds dead_counts_for{600'000}; // against the limit; for as long as it keeps groups
  std::size_t known_limit = 256;         // with the dead that do not count; the oldest go first
};

} // namespace legion::membership
