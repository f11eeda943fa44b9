#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "messages/fault.hpp"
#include "messages/ids.hpp"

/// The node communication interface: all that the bridge knows of a network.
namespace legion::transport {

/// Largest frame that any implementation carries. A larger one is refused at `send`, and cuts off
/// the peer that sent it.
inline constexpr std::size_t max_frame_bytes = 1024 * 1024;

/// What may wait for one peer before `send` answers `overloaded`.
inline constexpr std::size_t max_queued_bytes = 4 * 1024 * 1024;

/// Where a peer can be reached and how it proves who it is.
struct peer {
  node_id id;             // follows from the key
  std::string endpoint;   // HOST:PORT
  std::string public_key; // 32 bytes
};

/// How a peer was lost. Refused: nobody listens at its endpoint, so its process has ended.
enum class down { closed, refused };

/// Receives what arrives. Called on the implementation's own thread: do nothing but pass it on.
class sink {
public:
  virtual ~sink() = default;

  /// A whole frame; `from` is proved by the connection, the bytes are a stranger's.
  virtual void frame_arrived(const node_id& from, std::string frame) = 0;
  /// The first frame of a connection arrived, or an outgoing one is established.
  virtual void peer_up(const node_id& who) = 0;
  /// The connection closed, or could not be made. What was queued may be lost; it is a hint, not a
  /// verdict.
  virtual void peer_down(const node_id& who, down how, std::string why) = 0;
  /// A frame that `send` had queued was dropped before it reached the network. Not told of what the
  /// network itself lost, which nobody here knows.
  virtual void frame_lost(const node_id& to, std::string frame) = 0;
};

enum class sent { queued, overloaded, unreachable, too_large };

/// Carries frames between nodes.
///
/// Ordering:      frames of one pair of nodes arrive in the order sent; across pairs there is none.
/// Loss:          at most once. A frame that was queued may be lost with the connection, never
///                doubled or cut; one that was dropped here is given back by `frame_lost`.
/// Size:          `max_frame_bytes`.
/// Threading:     `send`, `introduce`, `forget` from any thread; they return at once. The sink is
///                called on the implementation's thread until the destructor returns, never after.
/// Back-pressure: `max_queued_bytes` a peer, then `overloaded`; a slow peer never blocks another.
class transport {
public:
  virtual ~transport() = default;

  /// Makes a peer known, so that it can be sent to; a later address or key replaces the earlier.
  virtual void introduce(const peer& who) = 0;
  /// Closes the connection and drops what is queued.
  virtual void forget(const node_id& who) = 0;
  /// `unreachable` if the peer was never introduced and has no connection to us.
  virtual sent send(const node_id& to, std::string frame) = 0;
};

/// Binds and starts; errors name the address and the cure.
using factory = std::function<result<std::unique_ptr<transport>>(sink&)>;

} // namespace legion::transport
