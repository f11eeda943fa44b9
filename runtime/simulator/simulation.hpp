#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "messages/fault.hpp"
#include "messages/manifest/manifest.hpp"
#include "runtime/simulator/cluster.hpp"
#include "runtime/simulator/simulate_report.hpp"

namespace legion::simulator {

/// What `legionctl simulate` does in each zone: form it, apply the manifest, let the faults happen,
/// and wait until all is ready.
struct simulation {
  cluster_options options; // of the whole
  std::vector<manifest::source> files;
  std::vector<disturbance> faults;    // sorted by time, which counts from apply
  std::chrono::seconds patience{120}; // after the last fault
  event_log::writer log;              // if it is wanted
};

/// What came of one zone. Times are as in `simulated`.
struct zone_outcome {
  std::string refused; // why the manifest was; then there is nothing else
  std::chrono::microseconds formed{0};
  std::chrono::microseconds ended{0};
  bool ready = false;
  std::vector<simulator::placed> placed;
};

/// One zone's life. It is the same whatever other zones there are, and which live meanwhile.
zone_outcome live(const simulation& what, std::uint32_t zone);

/// All zones' lives, `at_once` of them at a time; with a log one at a time, so that it has them one
/// after another, each from its beginning.
///
/// Shape:  the result and the log do not depend on `at_once`.
/// Errors: the first zone that refuses the manifest, and why.
result<simulated> run(const simulation& what, std::uint32_t at_once,
                      const std::function<void(std::uint32_t zone)>& begins = {});

} // namespace legion::simulator
