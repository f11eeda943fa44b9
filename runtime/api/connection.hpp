#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "runtime/api/frame.hpp"
#include "runtime/api/socket_server.hpp"

namespace legion::api {

using stream_socket = asio::generic::stream_protocol::socket;

class connection;

/// Whose client a connection is. On the server's thread.
class connection_owner {
public:
  virtual ~connection_owner() = default;
  virtual asio::io_context& io() = 0;
  virtual const settings& limits() const = 0;
  /// Bytes of a request that is not whole yet; false: too many of all clients together.
  virtual bool count_inbound(std::size_t bytes) = 0;
  virtual void discount_inbound(std::size_t bytes) = 0;
  virtual void arrived(const std::shared_ptr<connection>& from, std::string frame) = 0;
  virtual void left(const std::shared_ptr<connection>& who) = 0;
};

/// One client. Lives on the server's thread, but for `queued`.
class connection : public std::enable_shared_from_this<connection> {
public:
  /// `number`: of the server's clients, in the order in which they came.
  connection(connection_owner& owner, stream_socket socket, std::uint64_t number);

  void start() { read_header(); }
  void enqueue(std::string frame);
  void close();
  void request_ended() {
    --under_way_;
    watch_idle();
  }

  /// It asks for nothing now: it may have to make room for one that does.
  bool is_idle() const { return under_way_ == 0 && !in_frame_ && out_.empty(); }
  bool is_local() const { return local_; } // of a Unix socket
  std::uint64_t number() const { return number_; }

  std::atomic<std::size_t> queued{0}; // bytes of replies on their way to the socket
  std::atomic<bool> gone{false};

private:
  void read_header();
  void read_body(std::size_t missing);
  bool hung_up();
  void frame_complete();
  void write_next();
  void watch_idle();
  void arm(std::chrono::milliseconds after);

  connection_owner& owner_;
  stream_socket socket_;
  asio::steady_timer timer_;
  char header_[frame_header_bytes] = {};
  std::string body_;
  std::size_t counted_ = 0; // of this body, in the server's inbound bytes
  std::size_t under_way_ = 0;
  std::uint64_t number_;
  bool local_;
  bool in_frame_ = false;
  std::deque<std::string> out_; // the first one is being written
};

bool is_local(const stream_socket& x);

/// An answer to who is turned away, without its length.
std::string overloaded_frame(std::string detail, std::string request_id = {});

} // namespace legion::api
