#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "runtime/api/api.hpp"

namespace legion::api {

/// Where users are listened to. An empty address is not listened on.
struct settings {
  std::string socket_path;       // DATA/api.sock, at most 107 bytes
  std::string tcp_endpoint;      // HOST:PORT, loopback only
  std::string node_name;         // for refusals
  std::size_t max_clients = 256; // of the Unix socket, and as many of TCP
  std::size_t max_requests = 16; // under way, of one client
  std::size_t max_inbound_bytes =
      64 * 1024 * 1024; // of requests that are not whole yet, all clients
  std::size_t max_queued_bytes = api::max_queued_bytes; // of replies, one client
  std::chrono::milliseconds half_frame_timeout{10'000}; // from a frame's first byte to its last
  std::chrono::milliseconds idle_timeout{60'000};       // of a client that has asked for nothing
};

/// The server on sockets: a frame is four bytes of length, big endian, and so many bytes of
/// message.
///
/// Errors: those of the factory name the address and the cure. A client that sends an empty or too
///         large frame, or half of one, is cut off; one over `max_requests` is
///         told `overloaded` first; so is one over `max_clients`, unless another asks for nothing:
///         then that one is cut off. A client of another user is cut off without a word (Unix
///         socket).
factory make(settings what);

} // namespace legion::api
