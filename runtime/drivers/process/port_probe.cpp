#include "runtime/drivers/process/port_probe.hpp"

#include <cerrno>
#include <cstdint>
#include <initializer_list>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace legion::drivers {
namespace {

/// Nothing listens here and nothing lingers: a bind that asks for no favours.
bool bind_works(int family, int type, int port) {
  auto file = socket(family, type | SOCK_CLOEXEC, 0);
  if (file < 0)
    return family == AF_INET6; // a machine without IPv6
  int done = 0;
  int yes = 1;
  // Connections that are over stay in TIME_WAIT for a minute: no server minds, and this doesn't.
  if (type == SOCK_STREAM)
    setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (family == AF_INET6) {
    setsockopt(file, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
    struct sockaddr_in6 address {};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    done = bind(file, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    if (done != 0 && errno == EADDRNOTAVAIL)
      done = 0;
  } else {
    struct sockaddr_in address {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    done = bind(file, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  // Two may be bound to one address so; only one of them can listen.
  if (done == 0 && type == SOCK_STREAM)
    done = listen(file, 1);
  close(file);
  return done == 0;
}

} // namespace

bool port_is_free(int port) {
  if (port <= 0 || port >= 65536)
    return false;
  for (auto type : {SOCK_STREAM, SOCK_DGRAM})
    if (!bind_works(AF_INET, type, port) || !bind_works(AF_INET6, type, port))
      return false;
  return true;
}

} // namespace legion::drivers
