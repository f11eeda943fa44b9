#include "runtime/api/client.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "runtime/api/api.hpp"
#include "runtime/api/frame.hpp"

namespace legion::api {

namespace {

fault system_fault(const char* call, int error) {
  return {errc::unreachable, std::string{call} + ": " + std::strerror(error)};
}

/// Connects without blocking for longer than the deadline; -1 with `why` set otherwise.
int connect_to(int family, const sockaddr* where, socklen_t size, int timeout_ms, fault& why) {
  auto s = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (s < 0) {
    why = system_fault("socket", errno);
    return -1;
  }
  auto error = ::connect(s, where, size) == 0 ? 0 : errno;
  if (error == EINPROGRESS || error == EAGAIN) {
    pollfd waiting{s, POLLOUT, 0};
    auto ready = ::poll(&waiting, 1, timeout_ms);
    auto length = static_cast<socklen_t>(sizeof(error));
    if (ready <= 0)
      error = ETIMEDOUT;
    else if (::getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
      error = errno;
  }
  if (error == 0)
    return s;
  ::close(s);
  why = {errc::unreachable, error == ETIMEDOUT ? "no answer in time" : std::strerror(error)};
  return -1;
}

int connect_unix(const std::string& path, int timeout_ms, fault& why) {
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  if (path.size() >= sizeof(where.sun_path)) {
    why = {errc::invalid, "the path has " + std::to_string(path.size()) + " bytes, the limit is "
                              + std::to_string(sizeof(where.sun_path) - 1)};
    return -1;
  }
  std::memcpy(where.sun_path, path.data(), path.size());
  auto s = connect_to(AF_UNIX, reinterpret_cast<const sockaddr*>(&where), sizeof(where), timeout_ms,
                      why);
  if (s < 0 && ::access(path.c_str(), F_OK) != 0)
    why.detail = "no such socket: no node runs with this data folder";
  return s;
}

int connect_tcp(const std::string& text, int timeout_ms, fault& why) {
  auto where = parse_endpoint(text);
  if (!where) {
    why = where.why();
    return -1;
  }
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  auto port = std::to_string(where->port);
  if (auto failed = ::getaddrinfo(where->host.c_str(), port.c_str(), &hints, &found); failed != 0) {
    why = {errc::unreachable, ::gai_strerror(failed)};
    return -1;
  }
  auto guard = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>{found, &::freeaddrinfo};
  auto s = -1;
  for (auto* x = found; x && s < 0; x = x->ai_next)
    s = connect_to(x->ai_family, x->ai_addr, x->ai_addrlen, timeout_ms, why);
  auto on = 1;
  if (s >= 0)
    ::setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return s;
}

} // namespace

client::client(client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), address_(std::move(other.address_)) {}

client& client::operator=(client&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(address_, other.address_);
  return *this;
}

client::~client() {
  close();
}

void client::close() {
  if (socket_ >= 0)
    ::close(std::exchange(socket_, -1));
}

result<client> client::connect(const targets& to, std::chrono::milliseconds each) {
  std::string tried;
  auto timeout_ms = static_cast<int>(each.count());
  for (const auto& address : to.addresses) {
    fault why;
    auto local = address.find('/') != std::string::npos;
    auto s = local ? connect_unix(address, timeout_ms, why) : connect_tcp(address, timeout_ms, why);
    if (s >= 0) {
      client made;
      made.socket_ = s;
      made.address_ = address;
      return made;
    }
    tried += "\n  " + address + ": " + why.detail;
  }
  return fault{errc::unreachable, "no node answers (targets from " + to.named_by + "):" + tried};
}

result<void> client::wait(short events, clock::time_point deadline) {
  for (;;) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
    pollfd waiting{socket_, events, 0};
    auto timeout = std::clamp<long long>(left, 0, 1'000'000'000);
    auto ready = ::poll(&waiting, 1, static_cast<int>(timeout));
    if (ready > 0)
      return {};
    if (ready == 0)
      return fault{errc::deadline, address_ + " gave no answer in time"};
    if (errno != EINTR)
      return system_fault("poll", errno);
  }
}

result<void> client::send(const api_request& what, clock::time_point deadline) {
  auto message = what.SerializeAsString();
  if (message.size() > max_frame_bytes)
    return fault{errc::too_large, "the request has " + std::to_string(message.size())
                                      + " bytes, the limit is " + std::to_string(max_frame_bytes)};
  auto frame = framed(message);
  for (std::size_t done = 0; done < frame.size();) {
    auto n = ::send(socket_, frame.data() + done, frame.size() - done, MSG_NOSIGNAL);
    if (n > 0) {
      done += static_cast<std::size_t>(n);
      continue;
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR)
      return fault{errc::unreachable, address_ + " went away: " + std::strerror(errno)};
    if (auto ready = wait(POLLOUT, deadline); !ready)
      return ready;
  }
  return {};
}

result<void> client::read_exactly(char* to, std::size_t size, clock::time_point deadline) {
  for (std::size_t done = 0; done < size;) {
    if (auto ready = wait(POLLIN, deadline); !ready)
      return ready;
    auto n = ::recv(socket_, to + done, size - done, 0);
    if (n == 0)
      return fault{errc::unreachable, address_ + " closed the connection"};
    if (n < 0 && errno != EAGAIN && errno != EINTR)
      return fault{errc::unreachable, address_ + " went away: " + std::strerror(errno)};
    done += n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  return {};
}

bool client::has_news(clock::time_point deadline) {
  auto ready = wait(POLLIN, deadline);
  return ready || ready.why().code != errc::deadline;
}

result<api_reply> client::receive(clock::time_point deadline) {
  char header[frame_header_bytes];
  if (auto got = read_exactly(header, sizeof(header), deadline); !got)
    return got.why();
  auto size = frame_size(header);
  if (size > max_frame_bytes)
    return fault{errc::damaged, address_ + " does not speak Legion's API"};
  std::string message(size, '\0');
  if (auto got = read_exactly(message.data(), size, deadline); !got)
    return got.why();
  api_reply reply;
  if (!reply.ParseFromString(message))
    return fault{errc::damaged, address_ + " does not speak Legion's API"};
  return reply;
}

} // namespace legion::api
