#pragma once

#include <string>

#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>

#include "messages/fault.hpp"

namespace legion::api {

/// Opens a Unix socket that only this user may connect to; one that nobody serves any more is taken
/// over. Fails with what is in the way, and the cure.
result<void> listen_at_path(asio::local::stream_protocol::acceptor& with, const std::string& path);

/// HOST:PORT, loopback only.
result<void> listen_at_endpoint(asio::ip::tcp::acceptor& with, const std::string& text);

} // namespace legion::api
