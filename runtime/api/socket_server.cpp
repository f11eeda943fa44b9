#include "runtime/api/socket_server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include "runtime/api/connection.hpp"
#include "runtime/api/frame.hpp"
#include "runtime/api/listening.hpp"

namespace legion::api {

namespace {

using std::error_code;

// Clients that were turned away and have not read why; more are cut off.
constexpr std::size_t most_leaving = 64;
constexpr std::chrono::seconds leaving_time{2};

class socket_server final : public server, public connection_owner {
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
    if (!what_.socket_path.empty()) {
      if (auto done = listen_at_path(unix_, what_.socket_path); !done)
        return done;
      owns_path_ = true;
    }
    if (!what_.tcp_endpoint.empty())
      if (auto done = listen_at_endpoint(tcp_, what_.tcp_endpoint); !done)
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

private:
  asio::io_context& io() override { return io_; }
  const settings& limits() const override { return what_; }

  bool count_inbound(std::size_t bytes) override {
    if (inbound_ + bytes > what_.max_inbound_bytes)
      return false;
    inbound_ += bytes;
    return true;
  }
  void discount_inbound(std::size_t bytes) override { inbound_ -= bytes; }

  void arrived(const std::shared_ptr<connection>& from, std::string frame) override {
    auto request = ++last_request_;
    {
      std::lock_guard guard{mutex_};
      open_.emplace(request, from);
    }
    sink_.request_arrived(request, std::move(frame));
  }

  void left(const std::shared_ptr<connection>& who) override {
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
    if (!make_room(is_local(socket)))
      return turn_away(std::move(socket));
    auto client = std::make_shared<connection>(*this, std::move(socket), ++last_client_);
    clients_.insert(client);
    client->start();
  }

  /// Those of the Unix socket are counted apart: strangers on TCP must not keep the owner out. Of the
  /// idle the one goes that came first.
  bool make_room(bool local) {
    std::size_t of_its_kind = 0;
    std::shared_ptr<connection> idle;
    for (const auto& x : clients_) {
      if (x->is_local() != local)
        continue;
      ++of_its_kind;
      if (x->is_idle() && (!idle || x->number() < idle->number()))
        idle = x;
    }
    if (of_its_kind < what_.max_clients)
      return true;
    if (idle)
      idle->close();
    return idle != nullptr;
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
    if (!is_local(socket))
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
  std::uint64_t last_client_ = 0;
  std::size_t inbound_ = 0;
  std::size_t leaving_ = 0;
  std::set<std::shared_ptr<connection>> clients_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<connection>> open_; // requests under way; by mutex_
  std::thread thread_;
};

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
