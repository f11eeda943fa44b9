#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/fault.hpp"

namespace legion::simulator {

/// Something that goes wrong, or right again, at a time. Nodes are named by their index from 0.
struct disturbance {
  enum class kind {
    crash,       // of `nodes`: the process is killed; disk and workloads stay
    restart,     // of `nodes`, if they are down
    stop,        // of `nodes`: SIGTERM
    pause,       // of `nodes`: SIGSTOP
    resume,      // of `nodes`: SIGCONT
    partition,   // into `sides`; nodes that are named nowhere are one more side
    cut,         // from nodes[0] to nodes[1], this direction only
    heal,        // partitions and cuts
    loss,        // `fraction` of frames
    duplication, // `fraction` of frames
    reordering,  // `fraction` of frames
    delay,       // `least` to `most`
    disk_full,   // of `nodes`
    disk_free,   // of `nodes`
    kill,        // all workloads of `nodes`, as kill -9 does
    supervisor,  // of `nodes` dies, and all that it runs
    wipe,        // of `nodes`: the process is killed, and its disk is another, empty one
    copy,        // of `nodes`: a copy of the disk is made
    put_back,    // of `nodes`: the process is killed, and its disk is as when it was copied last
  };

  std::chrono::microseconds at{0};
  kind what = kind::heal;
  std::vector<std::uint32_t> nodes;
  std::vector<std::vector<std::uint32_t>> sides;
  double fraction = 0;
  std::chrono::microseconds least{0};
  std::chrono::microseconds most{0};
};

const char* to_string(disturbance::kind x);

/// In one line, as the event log shows it.
std::string text_of(const disturbance& x);

/// What of it concerns the nodes from `first` on, `count` of them, named as before; nothing if it names
/// nodes, but none of these, or a cut of which one end is not among them.
std::optional<disturbance> part_of(const disturbance& x, std::uint32_t first, std::uint32_t count);

/// How rough a seed may be.
struct roughness {
  std::uint32_t nodes = 3;
  std::chrono::microseconds begin{0};
  std::chrono::microseconds end{0}; // from here on all is well again: healed, restarted, resumed
  std::uint32_t incidents = 6;      // each with its own end
  bool disks = true;
  bool supervisors = true;
  std::uint32_t blackouts = 0;  // all nodes are killed at one moment, and each starts again
  std::uint32_t old_copies = 0; // a node's disk is replaced by an earlier copy of it
};

/// What a seed decides, sorted by time. All that it broke is mended at `end`.
std::vector<disturbance> draw_disturbances(std::uint64_t seed, const roughness& how);

/// A faults file as docs/simulator.md describes it; `nodes` is how many there are. Errors begin
/// with FILE:LINE:COLUMN.
result<std::vector<disturbance>> read_disturbances(const std::string& file_name,
                                                   const std::string& text, std::uint32_t nodes);

} // namespace legion::simulator
