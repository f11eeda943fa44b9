#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "actors/node/commitments.hpp"
#include "messages/journal.pb.h"
#include "messages/time.hpp"

namespace legion::node {

/// A pod's containers and the last life of each, as a promise's latest evidence has them.
gone_pod last_seen(const commitment& x);

/// The pods that were here and are gone, so that what they wrote is still found by their names.
///
/// Shape:  the last 32, as many as the drivers keep the output of; a ring, on disk too, which
///         survives a restart of the node.
class departed {
public:
  static constexpr std::size_t most = 32;

  /// Of the newest in the journal on.
  void restore(const std::vector<record>& journal);

  /// What to write with the end of the promise; the same again if that has to be tried again.
  record note(const commitment& x, wall_ms now);

  /// The last of this name; nullptr if nothing is remembered of it.
  const gone_pod* find(std::string_view space, std::string_view pod) const;

private:
  std::map<std::uint64_t, gone_pod> ring_; // by sequence modulo `most`
  std::uint64_t last_ = 0;
};

} // namespace legion::node
