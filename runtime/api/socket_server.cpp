#include "runtime/api/socket_server.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include "messages/api.pb.h"
#include "runtime/api/frame.hpp"
#include "runtime/api/target.hpp"

namespace legion::api {

namespace {

using stream_socket = asio::generic::stream_protocol::socket;
using std::error_code;

constexpr std::size_t read_chunk_bytes = 64 * 1024;
// Clients that were turned away and have not read why; more are cut off.
constexpr std::size_t most_leaving = 64;
constexpr std::chrono::seconds leaving_time{2};

std::string overloaded_frame(std::string detail, std::string request_id = {}) {
  api_reply reply;
  reply.set_request_id(std::move(request_id));
  reply.set_last(true);
  reply.mutable_refused()->set_code(refusal_overloaded);
  reply.mutable_refused()->set_detail(std::move(detail));
  return reply.SerializeAsString();
}

class socket_server;

/// One client. Lives on the server's thread, but for `queued`.
class connection : public std::enable_shared_from_this<connection> {
public:
  connection(socket_server& server, stream_socket socket);

  void start() { read_header(); }
  void enqueue(std::string frame);
  void close();
  void request_ended() {
    --under_way_;
    watch_idle();
  }

  std::atomic<std::size_t> queued{0}; // bytes of replies on their way to the socket
  std::atomic<bool> gone{false};

private:
  void read_header();
  void read_body(std::size_t missing);
  void frame_complete();
  void write_next();
  void watch_idle();
  void arm(std::chrono::milliseconds after);

  socket_server& server_;
  stream_socket socket_;
  asio::steady_timer timer_;
  char header_[frame_header_bytes] = {};
  std::string body_;
  std::size_t counted_ = 0; // of this body, in the server's inbound bytes
  std::size_t under_way_ = 0;
  bool in_frame_ = false;
  std::deque<std::string> out_; // the first one is being written
};

class socket_server final : public server {
public:
  socket_server(settings what, sink& to) : what_(std::move(what)), sink_(to) {}

  ~socket_server() override {
    io_.stop();
    if (thread_.joinable())
      thread_.join();
    if (owns_path_)
      ::unlink(what_.socket_path.c_str());
    // Connections refer to this object: they end before its parts do.
    open_.clear();
    clients_.clear();
  }

  result<void> listen() {
    if (!what_.socket_path.empty())
      if (auto done = listen_unix(); !done)
        return done;
    if (!what_.tcp_endpoint.empty())
      if (auto done = listen_tcp(); !done)
        return done;
    accept(unix_);
    accept(tcp_);
    thread_ = std::thread([this] { io_.run(); });
    return {};
  }

  bool reply(std::uint64_t request, std::string frame, bool last) override {
    std::shared_ptr<connection> to;
    {
      std::lock_guard guard{mutex_};
      auto i = open_.find(request);
      if (i == open_.end())
        return false;
      to = i->second;
      if (last)
        open_.erase(i);
    }
    if (to->gone)
      return false;
    auto size = frame.size() + frame_header_bytes;
    auto fits = frame.size() <= max_frame_bytes && to->queued + size <= what_.max_queued_bytes;
    if (!fits) {
      asio::post(io_, [to] { to->close(); });
      return false;
    }
    to->queued += size;
    asio::post(io_, [to, last, frame = std::move(frame)]() mutable {
      to->enqueue(std::move(frame));
      if (last)
        to->request_ended();
    });
    return true;
  }

  // -- for connections, on the server's thread --------------------------------------------------

  asio::io_context& io() { return io_; }
  const settings& limits() const { return what_; }

  bool count_inbound(std::size_t bytes) {
    if (inbound_ + bytes > what_.max_inbound_bytes)
      return false;
    inbound_ += bytes;
    return true;
  }
  void discount_inbound(std::size_t bytes) { inbound_ -= bytes; }

  void arrived(const std::shared_ptr<connection>& from, std::string frame) {
    auto request = ++last_request_;
    {
      std::lock_guard guard{mutex_};
      open_.emplace(request, from);
    }
    sink_.request_arrived(request, std::move(frame));
  }

  void left(const std::shared_ptr<connection>& who) {
    std::vector<std::uint64_t> ended;
    {
      std::lock_guard guard{mutex_};
      for (auto i = open_.begin(); i != open_.end();) {
        if (i->second != who) {
          ++i;
          continue;
        }
        ended.push_back(i->first);
        i = open_.erase(i);
      }
    }
    clients_.erase(who);
    for (auto request : ended)
      sink_.request_cancelled(request);
  }

private:
  result<void> listen_unix();
  result<void> listen_tcp();

  template <class Acceptor>
  void accept(Acceptor& from) {
    if (!from.is_open())
      return;
    from.async_accept([this, &from](error_code failed, typename Acceptor::protocol_type::socket x) {
      if (failed == asio::error::operation_aborted)
        return;
      if (!failed) {
        welcome(stream_socket{std::move(x)});
        accept(from);
        return;
      }
      // Out of descriptors, most likely: the pending client would make this loop spin.
      auto pause = std::make_shared<asio::steady_timer>(io_, std::chrono::milliseconds{100});
      pause->async_wait([this, &from, pause](error_code) { accept(from); });
    });
  }

  void welcome(stream_socket socket) {
    error_code ignored;
    socket.non_blocking(true, ignored);
    if (!own_user(socket))
      return;
    if (clients_.size() >= what_.max_clients)
      return turn_away(std::move(socket));
    auto client = std::make_shared<connection>(*this, std::move(socket));
    clients_.insert(client);
    client->start();
  }

  /// Says why, and stays until the client has read it: a socket that is closed with a request
  /// unread takes the answer with it.
  void turn_away(stream_socket socket) {
    error_code ignored;
    auto frame = framed(overloaded_frame(
        "overloaded: " + (what_.node_name.empty() ? "this node" : what_.node_name) + " serves "
        + std::to_string(what_.max_clients) + " clients already; try again, or another node"));
    socket.write_some(asio::buffer(frame), ignored);
    socket.shutdown(stream_socket::shutdown_send, ignored);
    if (leaving_ >= most_leaving)
      return;
    ++leaving_;
    read_away(std::make_shared<departure>(std::move(socket), io_));
  }

  struct departure {
    departure(stream_socket x, asio::io_context& io) : socket(std::move(x)), end(io) {
      end.expires_after(leaving_time);
    }
    stream_socket socket;
    asio::steady_timer end;
    char unread[4096];
    bool timed = false;
  };

  void read_away(const std::shared_ptr<departure>& who) {
    if (!std::exchange(who->timed, true))
      who->end.async_wait([who](error_code) {
        error_code ignored;
        who->socket.close(ignored);
      });
    who->socket.async_read_some(asio::buffer(who->unread), [this, who](error_code failed, auto) {
      if (!failed)
        return read_away(who);
      --leaving_;
      who->end.cancel();
    });
  }

  /// On a Unix socket the kernel says who it is; loopback TCP cannot.
  static bool own_user(stream_socket& socket) {
    if (socket.local_endpoint().protocol().family() != AF_UNIX)
      return true;
    ucred who{};
    auto size = static_cast<socklen_t>(sizeof(who));
    if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
      return false;
    return who.uid == 0 || who.uid == ::geteuid();
  }

  settings what_;
  sink& sink_;
  asio::io_context io_{1};
  asio::local::stream_protocol::acceptor unix_{io_};
  asio::ip::tcp::acceptor tcp_{io_};
  bool owns_path_ = false;
  std::uint64_t last_request_ = 0;
  std::size_t inbound_ = 0;
  std::size_t leaving_ = 0;
  std::set<std::shared_ptr<connection>> clients_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<connection>> open_; // requests under way; by mutex_
  std::thread thread_;
};

result<void> socket_server::listen_unix() {
  const auto& path = what_.socket_path;
  constexpr std::size_t longest = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > longest)
    return fault{errc::invalid, "the API's socket " + path + " has a path of "
                                    + std::to_string(path.size()) + " bytes, the limit is "
                                    + std::to_string(longest) + ": use a shorter --data"};
  asio::local::stream_protocol::endpoint endpoint{path};
  error_code failed;
  struct stat there {};
  if (::lstat(path.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode))
      return fault{errc::conflict, path + " is in the way of the API's socket: move it away"};
    asio::local::stream_protocol::socket other{io_};
    other.connect(endpoint, failed);
    if (!failed)
      return fault{errc::locked, "another process serves " + path + ": use another --data"};
    ::unlink(path.c_str());
  }
  // Nobody can connect before `listen`, so the mode is right from the first connection on.
  unix_.open(endpoint.protocol(), failed);
  if (!failed)
    unix_.bind(endpoint, failed);
  if (!failed) {
    owns_path_ = true;
    if (::chmod(path.c_str(), 0600) != 0)
      failed = error_code{errno, std::generic_category()};
  }
  if (!failed)
    unix_.listen(64, failed);
  if (failed)
    return fault{errc::refused, "cannot listen on " + path + ": " + failed.message()};
  return {};
}

result<void> socket_server::listen_tcp() {
  const auto& text = what_.tcp_endpoint;
  auto where = parse_endpoint(text);
  if (!where)
    return where.why();
  error_code failed;
  auto host = where->host == "localhost" ? std::string{"127.0.0.1"} : where->host;
  auto address = asio::ip::make_address(host, failed);
  if (failed || !address.is_loopback())
    return fault{errc::unsupported,
                 text
                     + " is not a loopback address: the API does not check users yet, so --api "
                       "takes 127.0.0.1:PORT or [::1]:PORT only"};
  asio::ip::tcp::endpoint endpoint{address, where->port};
  tcp_.open(endpoint.protocol(), failed);
  if (!failed)
    tcp_.set_option(asio::ip::tcp::acceptor::reuse_address(true), failed);
  if (!failed)
    tcp_.bind(endpoint, failed);
  if (!failed)
    tcp_.listen(64, failed);
  if (failed == asio::error::address_in_use)
    return fault{errc::conflict,
                 "--api " + text
                     + ": that port is taken, perhaps by another legion-node of this machine "
                       "(ss -ltnp names the process): stop that one, or choose another port with "
                       "--api HOST:PORT"};
  if (failed)
    return fault{errc::refused, "cannot listen on " + text + " for the API: " + failed.message()
                                    + ": --api HOST:PORT"};
  return {};
}

connection::connection(socket_server& server, stream_socket socket)
    : server_(server), socket_(std::move(socket)), timer_(server.io()) {}

void connection::arm(std::chrono::milliseconds after) {
  timer_.expires_after(after);
  timer_.async_wait([weak = weak_from_this()](error_code failed) {
    if (auto self = weak.lock(); self && !failed)
      self->close();
  });
}

void connection::watch_idle() {
  if (under_way_ == 0 && !in_frame_ && !gone)
    arm(server_.limits().idle_timeout);
}

void connection::read_header() {
  watch_idle();
  auto self = shared_from_this();
  auto first = asio::buffer(header_, 1);
  socket_.async_read_some(first, [self, this](error_code failed, std::size_t got) {
    if (failed || got == 0)
      return close();
    in_frame_ = true;
    arm(server_.limits().half_frame_timeout);
    auto rest = asio::buffer(header_ + 1, frame_header_bytes - 1);
    asio::async_read(socket_, rest, [self, this](error_code cut, std::size_t) {
      if (cut)
        return close();
      auto size = frame_size(header_);
      if (size == 0 || size > max_frame_bytes)
        return close();
      read_body(size);
    });
  });
}

/// In pieces, so that a length alone takes no memory.
void connection::read_body(std::size_t missing) {
  auto piece = std::min(missing, read_chunk_bytes);
  if (!server_.count_inbound(piece))
    return close();
  counted_ += piece;
  auto old = body_.size();
  body_.resize(old + piece);
  auto self = shared_from_this();
  auto into = asio::buffer(body_.data() + old, piece);
  asio::async_read(socket_, into, [self, this, missing, piece](error_code failed, std::size_t) {
    if (failed)
      return close();
    if (missing > piece)
      return read_body(missing - piece);
    frame_complete();
  });
}

void connection::frame_complete() {
  timer_.cancel();
  in_frame_ = false;
  server_.discount_inbound(std::exchange(counted_, 0));
  auto frame = std::exchange(body_, {});
  if (under_way_ >= server_.limits().max_requests) {
    api_request refused;
    refused.ParseFromString(frame);
    auto answer =
        overloaded_frame("a client may have " + std::to_string(under_way_) + " requests under way",
                         refused.request_id());
    queued += answer.size() + frame_header_bytes;
    if (queued > server_.limits().max_queued_bytes)
      return close();
    enqueue(std::move(answer));
  } else {
    ++under_way_;
    server_.arrived(shared_from_this(), std::move(frame));
  }
  read_header();
}

void connection::enqueue(std::string frame) {
  if (gone)
    return;
  out_.push_back(framed(frame));
  if (out_.size() == 1)
    write_next();
}

void connection::write_next() {
  auto self = shared_from_this();
  asio::async_write(socket_, asio::buffer(out_.front()), [self, this](error_code failed, auto) {
    if (failed || gone)
      return close();
    auto size = out_.front().size();
    queued -= std::min<std::size_t>(queued, size);
    out_.pop_front();
    if (!out_.empty())
      write_next();
  });
}

void connection::close() {
  if (gone.exchange(true))
    return;
  server_.discount_inbound(std::exchange(counted_, 0));
  timer_.cancel();
  error_code ignored;
  socket_.shutdown(stream_socket::shutdown_both, ignored);
  socket_.close(ignored);
  server_.left(shared_from_this());
}

} // namespace

factory make(settings what) {
  return [what = std::move(what)](sink& to) -> result<std::unique_ptr<server>> {
    auto made = std::make_unique<socket_server>(what, to);
    try {
      if (auto done = made->listen(); !done)
        return done.why();
    } catch (const std::exception& why) {
      return fault{errc::refused, std::string{"the API cannot start: "} + why.what()};
    }
    return std::unique_ptr<server>{std::move(made)};
  };
}

} // namespace legion::api
