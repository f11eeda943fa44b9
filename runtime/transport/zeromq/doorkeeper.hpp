#pragma once

#include "runtime/transport/zeromq/socket.hpp"

namespace legion::transport::zeromq {

/// Answers ZeroMQ's question whether a key may come in (ZAP, https://rfc.zeromq.org/spec/27), and
/// makes the key the connection's User-Id. For now every well-formed CURVE key may.
///
/// Shape: bound before the ROUTER, in the same context; polled by the same thread.
class doorkeeper {
public:
  static constexpr const char* domain = "legion";

  explicit doorkeeper(void* context);

  bool bound() const { return bound_; }
  const socket& door() const { return door_; }

  /// Answers all that wait.
  void answer();

private:
  bool answer_one();

  socket door_;
  bool bound_ = false;
};

} // namespace legion::transport::zeromq
