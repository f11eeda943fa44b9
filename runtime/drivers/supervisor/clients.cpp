#include "runtime/drivers/supervisor/clients.hpp"

#include <cerrno>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace legion::drivers {
namespace {
constexpr std::size_t max_clients = 16;
} // namespace

clients::clients(poller& events, int listening, request_call call)
    : events_(events), listening_(listening), call_(std::move(call)) {
  events_.add(listening_, EPOLLIN, [this](std::uint32_t) { accept_one(); });
}

clients::~clients() {
  for (auto& [id, x] : clients_)
    close(x.socket);
  close(listening_);
}

void clients::accept_one() {
  auto socket = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket < 0)
    return;
  struct ucred who {};
  socklen_t size = sizeof(who);
  getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size);
  if ((who.uid != geteuid() && who.uid != 0) || clients_.size() >= max_clients) {
    close(socket);
    return;
  }
  auto id = next_++;
  clients_[id].socket = socket;
  events_.add(socket, EPOLLIN, [this, id](std::uint32_t events) { on_event(id, events); });
}

void clients::on_event(client_id id, std::uint32_t events) {
  auto i = clients_.find(id);
  if (i != clients_.end() && (events & EPOLLOUT) && !write_to(i->second))
    return drop(id);
  if (i != clients_.end() && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
      && !read_from(id, i->second))
    drop(id);
}

bool clients::read_from(client_id id, client& x) {
  char buffer[16 * 1024];
  auto n = recv(x.socket, buffer, sizeof(buffer), 0);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
    return false;
  if (n > 0)
    x.in.feed({buffer, static_cast<std::size_t>(n)});
  while (auto frame = x.in.next()) {
    supervisor_request request;
    if (!request.ParseFromString(*frame))
      return false;
    call_(id, std::move(request));
    if (!clients_.contains(id))
      return true; // it was dropped while it was answered
  }
  return !x.in.broken();
}

bool clients::write_to(client& x) {
  while (!x.out.empty()) {
    auto n = ::send(x.socket, x.out.data(), x.out.size(), MSG_NOSIGNAL);
    if (n < 0)
      return errno == EAGAIN || errno == EINTR;
    x.out.erase(0, static_cast<std::size_t>(n));
  }
  events_.change(x.socket, EPOLLIN);
  return true;
}

void clients::drop(client_id id) {
  auto node = clients_.extract(id);
  if (!node)
    return;
  events_.remove(node.mapped().socket);
  close(node.mapped().socket);
}

void clients::put(client_id id, client& x, const std::string& frame) {
  auto waited = !x.out.empty();
  x.out += frame;
  if (!write_to(x) || x.out.size() > max_supervision_frame_bytes)
    return drop(id);
  if (!x.out.empty() && !waited)
    events_.change(x.socket, EPOLLIN | EPOLLOUT);
}

void clients::send(client_id to, const supervisor_reply& what) {
  if (auto i = clients_.find(to); i != clients_.end())
    put(to, i->second, framed(what));
}

void clients::send_all(const supervisor_reply& what) {
  auto frame = framed(what);
  std::vector<client_id> ids;
  for (auto& [id, x] : clients_)
    ids.push_back(id);
  for (auto id : ids)
    if (auto i = clients_.find(id); i != clients_.end())
      put(id, i->second, frame);
}

void clients::flush() {
  for (auto& [id, x] : clients_)
    for (int tries = 0; tries < 10 && !x.out.empty(); ++tries) {
      if (!write_to(x))
        break;
      if (pollfd ready{x.socket, POLLOUT, 0}; !x.out.empty())
        poll(&ready, 1, 100);
    }
}

} // namespace legion::drivers
