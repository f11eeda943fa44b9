#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "runtime/transport/transport.hpp"
#include "runtime/transport/zeromq/identify.hpp"

/// Keys and free ports for tests over real sockets on loopback.
namespace legion::transport::zeromq_nodes {

/// Waits for an event that another thread brings, with a deadline.
inline bool until(const std::function<bool()>& condition) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline)
      return false;
    std::this_thread::yield();
    ::poll(nullptr, 0, 1);
  }
  return true;
}

inline std::string free_endpoint() {
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(at);
  ::bind(fd, reinterpret_cast<sockaddr*>(&at), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
  ::close(fd);
  return "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
}

struct keys {
  keys() {
    char open[41], hidden[41];
    zmq_curve_keypair(open, hidden);
    who.public_key.resize(32);
    secret_key.resize(32);
    zmq_z85_decode(reinterpret_cast<std::uint8_t*>(who.public_key.data()), open);
    zmq_z85_decode(reinterpret_cast<std::uint8_t*>(secret_key.data()), hidden);
    who.id = identify(who.public_key);
    who.endpoint = free_endpoint();
  }
  peer who;
  std::string secret_key;
};

} // namespace legion::transport::zeromq_nodes
