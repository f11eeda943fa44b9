#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "messages/fault.hpp"

/// The gateway's socket: one request frame in, one or a stream of reply frames out.
namespace legion::api {

/// Largest request or reply frame.
inline constexpr std::size_t max_frame_bytes = 16 * 1024 * 1024;

/// What may wait for one client before `reply` answers false and the client is cut off.
inline constexpr std::size_t max_queued_bytes = 32 * 1024 * 1024;

inline constexpr std::uint32_t version = 1;

/// Receives requests, on the implementation's own thread.
class sink {
public:
  virtual ~sink() = default;
  /// `request` is unique in this server's life; `frame` is a stranger's bytes.
  virtual void request_arrived(std::uint64_t request, std::string frame) = 0;
  /// The client went away: replies are dropped from now on, and streams must end.
  virtual void request_cancelled(std::uint64_t request) = 0;
};

/// Listens on a Unix socket (0600, peer credentials checked) and on TCP loopback.
///
/// Ordering:      replies of one request arrive in order.
/// Threading:     `reply` from any thread; it returns at once.
/// Back-pressure: `max_queued_bytes` a client; at most 256 clients, then `overloaded`.
class server {
public:
  virtual ~server() = default;
  /// `last` ends the request. False: the client is gone.
  virtual bool reply(std::uint64_t request, std::string frame, bool last) = 0;
};

using factory = std::function<result<std::unique_ptr<server>>(sink&)>;

} // namespace legion::api
