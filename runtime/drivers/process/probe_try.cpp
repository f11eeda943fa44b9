#include "runtime/drivers/process/probe_try.hpp"

#include <algorithm>
#include <array>
#include <charconv>
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

namespace legion::drivers {
namespace {

using asio::ip::tcp;

constexpr std::size_t max_status_line = 8 * 1024;

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
    auto target = tcp::endpoint{address, static_cast<std::uint16_t>(where_.port)};
    socket_.async_connect(target, [me = shared_from_this()](const std::error_code& error) {
      if (error)
        me->finish({false, "connect to " + me->place() + ": " + error.message()});
      else if (!me->where_.http)
        me->finish({true, "connected to " + me->place()});
      else
        me->ask();
    });
  }

private:
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
          auto end = me->answer_.find('\n');
          if (end != std::string::npos)
            me->finish(judge_status_line(std::string_view{me->answer_}.substr(0, end)));
          else if (error)
            me->finish({false, "closed without an answer: " + error.message()});
          else if (me->answer_.size() > max_status_line)
            me->finish({false, "the answer is not HTTP: no end of its first line"});
          else
            me->hear();
        });
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
  int status = 0;
  auto space = line.find(' ');
  if (!line.starts_with("HTTP/1.") || space == line.npos || line.size() < space + 4)
    return {false, "the answer is not HTTP: " + std::string{line.substr(0, 80)}};
  auto* digits = line.data() + space + 1;
  if (auto [end, error] = std::from_chars(digits, digits + 3, status);
      error != std::errc{} || end != digits + 3)
    return {false, "the answer is not HTTP: " + std::string{line.substr(0, 80)}};
  return {status >= 200 && status < 400, std::string{line.substr(0, 200)}};
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
