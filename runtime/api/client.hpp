#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "messages/api.pb.h"
#include "messages/fault.hpp"
#include "runtime/api/target.hpp"

namespace legion::api {

/// A connection to one node's gateway, for programs that may block.
///
/// Units:     every wait has a deadline by the steady clock.
/// Threading: one thread.
/// Errors:    `unreachable` when the node goes away, `deadline` when it does not answer: what was
///            asked may have been done all the same. After an error the connection is closed.
class client {
public:
  using clock = std::chrono::steady_clock;

  client() = default;
  client(client&& other) noexcept;
  client& operator=(client&& other) noexcept;
  ~client();

  /// Tries each address once, in order, at most `each` long. Errors: `unreachable`, with every
  /// address that was tried and why it failed.
  static result<client> connect(const targets& to, std::chrono::milliseconds each);

  result<void> send(const api_request& what, clock::time_point deadline);
  result<api_reply> receive(clock::time_point deadline);
  /// False: until then there is nothing for `receive` to begin with.
  bool has_news(clock::time_point deadline);

  /// The address that answered.
  const std::string& address() const { return address_; }
  void close();

private:
  result<void> wait(short events, clock::time_point deadline);
  result<void> read_exactly(char* to, std::size_t size, clock::time_point deadline);

  int socket_ = -1;
  std::string address_;
};

} // namespace legion::api
