#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "messages/time.hpp"
#include "runtime/transport/transport.hpp"

namespace legion::transport::simulated {

/// What the network does to frames. The fractions are of all frames, from 0 to 1.
///
/// A transport never doubles or reorders; a network does, and a bridge must bear with it: so both
/// are faults here that are off unless asked for.
struct conditions {
  std::chrono::microseconds least_delay{150};
  std::chrono::microseconds most_delay{1500};
  double loss = 0;
  double duplication = 0;
  double reordering = 0;
  /// A connection that carries nothing any more is closed after so long, on both sides.
  std::chrono::microseconds silence{1500 * 1000};
};

struct traffic {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t lost = 0; // by loss, cuts, crashes and refusals
  std::uint64_t doubled = 0;
  std::uint64_t reordered = 0;
};

/// The network between the simulated nodes of one process. No thread and no clock: whoever drives
/// the simulation runs what was handed to `later`.
///
/// Shape:     the same seed and the same calls give the same deliveries.
/// Lifetime:  outlives every transport made by `attach` and all that was handed to `later`.
/// Threading: one thread.
class network {
public:
  /// Sees each frame as it is sent and may change it; false: it is lost.
  using tamper = std::function<bool(const node_id& from, const node_id& to, std::string& frame)>;
  /// Sees each frame as it is delivered.
  using tap = std::function<void(const node_id& from, const node_id& to, const std::string& frame)>;

  network(std::uint64_t seed, run_later later);
  ~network();

  /// Makes the transport of one node; a later one of the same node replaces it, as a restart does.
  factory attach(const node_id& who);

  /// The node's process is gone: connections are reset, where the reset can get through.
  void crash(const node_id& who);
  /// What arrives waits until `resume`; connections fall silent.
  void pause(const node_id& who);
  void resume(const node_id& who);

  /// Nodes of different sides cannot talk; nodes that are named nowhere are together on one more
  /// side.
  void partition(const std::vector<std::vector<node_id>>& sides);
  /// Frames of this direction are lost.
  void cut(const node_id& from, const node_id& to);
  /// Undoes partitions and cuts.
  void heal();

  void set_conditions(const conditions& x) { conditions_ = x; }
  const conditions& present_conditions() const { return conditions_; }
  void set_tamper(tamper x) { tamper_ = std::move(x); }
  void set_tap(tap x) { tap_ = std::move(x); }
  const traffic& counts() const { return counts_; }

  /// Puts a frame on the wire that `from` never sent.
  void forge(const node_id& from, const node_id& to, std::string frame);

private:
  class port;
  friend class port;

  using number = std::uint32_t; // of a node, in the order of first mention

  /// Sent to a peer, not arrived; each frame has an arrival under way.
  struct under_way {
    number peer = 0;
    std::list<std::string> frames; // never empty
    std::size_t bytes = 0;
  };

  /// One node's side of a connection; small, for a zone of 125 nodes has 15,500 of them.
  struct link {
    number peer : 28 = 0;
    bool known : 1 = false; // introduced
    bool connected : 1 = false;
    bool told : 1 = false;     // peer_up was said
    bool refusing : 1 = false; // a refusal is on its way
  };

  struct station {
    node_id id;
    sink* listener = nullptr;
    std::uint32_t life = 0; // counts attachments
    std::uint32_t side = 0;
    bool paused = false;
    std::vector<link> links;                    // sorted by peer
    std::vector<under_way> sent;                // to few peers at a time
    std::vector<number> cut_towards;            // sorted
    std::vector<std::function<void()>> waiting; // while paused
  };

  number number_of(const node_id& who);
  link& link_of(number from, number to);
  link* find_link(number from, number to);
  under_way* find_sent(number from, number to);
  void drop_sent(number from, number to);
  bool passes(number from, number to) const;
  std::chrono::microseconds draw_delay();
  bool draw(double fraction);

  sent send(number from, const node_id& to, std::string frame);
  void carry(number from, number to, std::string frame);
  void arrive(number from, number to);
  void deliver(number from, number to, std::uint32_t life, std::string frame);
  void connect(number from, number to);
  void refuse(number from, number to);
  void close(number a, number b, const std::string& why);
  void tell_down(number who, number peer, down how, const std::string& why);
  void close_silent();
  void detach(number who, std::uint32_t life);
  void later(std::chrono::microseconds delay, std::function<void()> what);

  std::mt19937_64 random_;
  run_later later_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  conditions conditions_;
  tamper tamper_;
  tap tap_;
  traffic counts_;
  std::unordered_map<node_id, number> numbers_;
  std::vector<station> stations_;
};

} // namespace legion::transport::simulated
