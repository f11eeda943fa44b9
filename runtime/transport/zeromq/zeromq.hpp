#pragma once

#include <string>

#include "runtime/transport/transport.hpp"

/// The transport over ZeroMQ: one thread, one ROUTER that accepts and connects, CURVE always on.
/// See docs/zeromq.md.
namespace legion::transport::zeromq {

struct settings {
  std::string endpoint;   // HOST:PORT to bind; loopback only
  std::string public_key; // 32 bytes
  std::string secret_key; // 32 bytes
};

/// Errors: invalid (the address), refused (not loopback), conflict (the port is in use).
factory make(settings x);

} // namespace legion::transport::zeromq
