#include "runtime/drivers/process/probe_try.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

#include <asio/buffer.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include "runtime/drivers/process/probe_redirect.hpp"

namespace legion::drivers {
namespace {

using asio::ip::tcp;

constexpr std::size_t max_answer = 16 * 1024; // of what is read of it

/// Numeric, or a name of /etc/hosts: a probe never waits for a name server.
std::optional<asio::ip::address> address_of(const std::string& host) {
  std::error_code error;
  auto numeric = asio::ip::make_address(host.empty() ? "127.0.0.1" : host, error);
  if (!error)
    return numeric;
  if (host == "localhost")
    return asio::ip::make_address("127.0.0.1");
  std::ifstream table{"/etc/hosts"};
  for (std::string line; std::getline(table, line);) {
    std::istringstream words{line.substr(0, line.find('#'))};
    std::string number, name;
    words >> number;
    while (words >> name)
      if (name == host) {
        auto found = asio::ip::make_address(number, error);
        if (!error)
          return found;
      }
  }
  return std::nullopt;
}

/// A request line ends at a space: what may not be in one goes as %XX.
std::string escaped(const std::string& path) {
  std::string result;
  for (unsigned char c : path) {
    char code[4] = {};
    if (c <= ' ' || c >= 127)
      std::snprintf(code, sizeof(code), "%%%02X", c);
    else
      code[0] = static_cast<char>(c);
    result += code;
  }
  return result;
}

std::string request_of(const probe_target& where) {
  auto host = where.host.empty() ? "127.0.0.1" : where.host;
  std::string headers;
  for (auto& x : where.headers) {
    if (x.name() == "Host" || x.name() == "host")
      host = x.value();
    else
      headers += x.name() + ": " + x.value() + "\r\n";
  }
  auto path = escaped(where.path.empty() || where.path[0] != '/' ? "/" + where.path : where.path);
  if (host == where.host || where.host.empty())
    host += ":" + std::to_string(where.port);
  return "GET " + path + " HTTP/1.1\r\nHost: " + host
         + "\r\nUser-Agent: legion-probe/" LEGION_VERSION "\r\nAccept: */*\r\n" + headers
         + "Connection: close\r\n\r\n";
}

bool breaks_lines(const probe_target& where) {
  auto breaks = [](const std::string& x) { return x.find_first_of("\r\n") != x.npos; };
  return breaks(where.path) || breaks(where.host)
         || std::any_of(where.headers.begin(), where.headers.end(),
                        [&](auto& x) { return breaks(x.name()) || breaks(x.value()); });
}

class attempt : public std::enable_shared_from_this<attempt> {
public:
  attempt(asio::io_context& context, const probe_target& where,
          std::function<void(probe_outcome)> done)
      : where_(where), done_(std::move(done)), socket_(context), timer_(context) {}

  void start(const asio::ip::address& address) {
    timer_.expires_after(std::chrono::milliseconds{std::max<std::int64_t>(where_.timeout_ms, 1)});
    timer_.async_wait([me = shared_from_this()](const std::error_code& error) {
      if (!error)
        me->finish({false, "no answer within " + std::to_string(me->where_.timeout_ms) + " ms"});
    });
    address_ = address;
    connect();
  }

private:
  void connect() {
    auto target = tcp::endpoint{address_, static_cast<std::uint16_t>(where_.port)};
    socket_.async_connect(target, [me = shared_from_this()](const std::error_code& error) {
      if (error)
        me->finish({false, "connect to " + me->place() + ": " + error.message()});
      else if (!me->where_.http)
        me->finish({true, "connected to " + me->place()});
      else
        me->ask();
    });
  }

  std::string place() const {
    return (where_.host.empty() ? "127.0.0.1" : where_.host) + ":" + std::to_string(where_.port);
  }

  void ask() {
    request_ = request_of(where_);
    asio::async_write(socket_, asio::buffer(request_),
                      [me = shared_from_this()](const std::error_code& error, std::size_t) {
                        if (error)
                          me->finish({false, "write: " + error.message()});
                        else
                          me->hear();
                      });
  }

  void hear() {
    socket_.async_read_some(
        asio::buffer(piece_),
        [me = shared_from_this()](const std::error_code& error, std::size_t size) {
          me->answer_.append(me->piece_.data(), size);
          auto over = error || me->answer_.size() > max_answer;
          if (me->judge(over))
            return;
          if (error)
            me->finish({false, "closed without an answer: " + error.message()});
          else if (over)
            me->finish({false, "the answer is not HTTP: no end of its first line"});
          else
            me->hear();
        });
  }

  /// False: its first line is not here yet, or sends the probe on, and where is not. `over`: no more
  /// of it comes, or is read.
  bool judge(bool over) {
    auto all = std::string_view{answer_};
    auto end = all.find('\n');
    if (end == all.npos)
      return false;
    auto line = all.substr(0, end);
    auto status = status_of(line);
    if (status && is_redirect(*status)) {
      auto last = std::min(all.find("\n\r\n"), all.find("\n\n"));
      if (last == all.npos && !over)
        return false;
      if (auto next = redirected(where_, all.substr(0, last))) {
        go_on(std::move(*next));
        return true;
      }
    }
    finish(judge_status_line(line));
    return true;
  }

  void go_on(probe_target next) {
    if (++redirects_ > most_redirects)
      return finish({false, "sent on more than " + std::to_string(most_redirects)
                                + " times, at last to " + next.path.substr(0, 80)});
    if (next.port < 1 || next.port > 65535 || breaks_lines(next))
      return finish({false, "sent on to what is no address"});
    std::error_code ignored;
    socket_.close(ignored);
    where_ = std::move(next);
    answer_.clear();
    connect();
  }

  void finish(probe_outcome what) {
    if (!done_)
      return;
    std::error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
    std::exchange(done_, nullptr)(std::move(what));
  }

  probe_target where_;
  std::function<void(probe_outcome)> done_;
  asio::ip::address address_;
  int redirects_ = 0;
  tcp::socket socket_;
  asio::steady_timer timer_;
  std::string request_;
  std::array<char, 1024> piece_{};
  std::string answer_;
};

} // namespace

probe_outcome judge_status_line(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n'))
    line.remove_suffix(1);
  auto status = status_of(line);
  if (!status)
    return {false, "the answer is not HTTP: " + std::string{line.substr(0, 80)}};
  return {*status >= 200 && *status < 400, std::string{line.substr(0, 200)}};
}

void try_probe(asio::io_context& context, const probe_target& where,
               std::function<void(probe_outcome)> done) {
  if (where.port < 1 || where.port > 65535)
    return done({false, "port " + std::to_string(where.port) + " is not a port"});
  if (breaks_lines(where))
    return done({false, "a line break in the probe's path, host or headers"});
  auto address = address_of(where.host);
  if (!address)
    return done({false, "host " + where.host + " is neither a number nor in /etc/hosts"});
  std::make_shared<attempt>(context, where, std::move(done))->start(*address);
}

} // namespace legion::drivers
