#include <doctest/doctest.h>

#include <thread>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/drivers/real_machine.hpp"

namespace legion::probing_test {

using namespace legion::real_machine;

namespace {

class datagram_server {
public:
  datagram_server() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  datagram_server(const datagram_server&) = delete;
  ~datagram_server() { close(socket_); }

  int port = 0;

private:
  int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

/// Answers each connection with the same bytes.
class small_server {
public:
  explicit small_server(std::string answer) : answer_(std::move(answer)) {
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1; // as servers do
    setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(listen(socket_, 8) == 0);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    thread_ = std::thread{[this] {
      for (int one; (one = accept(socket_, nullptr, nullptr)) >= 0;) {
        char buffer[4096];
        if (!answer_.empty()) {
          auto n = recv(one, buffer, sizeof(buffer), 0);
          request.assign(buffer, static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
          send(one, answer_.data(), answer_.size(), MSG_NOSIGNAL);
        } else {
          recv(one, buffer, sizeof(buffer), 0), recv(one, buffer, sizeof(buffer), 0);
        }
        close(one);
      }
    }};
  }
  ~small_server() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
  }

  int port = 0;
  std::string request;

private:
  std::string answer_;
  int socket_;
  std::thread thread_;
};

} // namespace

TEST_SUITE("drivers/probes") {

  TEST_CASE("probes: http by its status, tcp by its connection, and no longer than they may take") {
    machine m;
    drivers::probe_target where;
    small_server good{"HTTP/1.1 204 No Content\r\n\r\n"};
    where.port = good.port;
    where.http = true;
    where.path = "/ready?x=1";
    auto* header = &where.headers.emplace_back();
    header->set_name("X-Probe");
    header->set_value("yes");
    auto said = m.probe(where);
    CHECK(said.passed);
    CHECK(said.detail == "HTTP/1.1 204 No Content");
    CHECK(good.request.starts_with("GET /ready?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
    CHECK(good.request.find("\r\nX-Probe: yes\r\n") != std::string::npos);
    where.path = "ready?a=b c";
    CHECK(m.probe(where).passed);
    CHECK(good.request.starts_with("GET /ready?a=b%20c HTTP/1.1\r\n"));
    where.http = false;
    CHECK(m.probe(where).passed);
    CHECK_FALSE(m.driver->port_is_free(where.port));
    datagram_server names;
    CHECK_FALSE(m.driver->port_is_free(names.port)); // a containerPort may be UDP

    small_server bad{"HTTP/1.0 500 Internal Server Error\r\n\r\n"};
    where.http = true;
    where.port = bad.port;
    said = m.probe(where);
    CHECK_FALSE(said.passed);
    CHECK(said.detail == "HTTP/1.0 500 Internal Server Error");

    small_server silent{""};
    where.port = silent.port;
    where.timeout_ms = 50;
    said = m.probe(where);
    CHECK_FALSE(said.passed);
    CHECK(said.detail == "no answer within 50 ms");

    small_server babble{"SSH-2.0-OpenSSH\r\n"};
    where.port = babble.port;
    where.timeout_ms = 10000;
    CHECK(m.probe(where).detail == "the answer is not HTTP: SSH-2.0-OpenSSH");

    where.port = 1;
    CHECK(m.probe(where).detail.find("refused") != std::string::npos);
    where.path = "/x\r\nHost: y";
    CHECK_FALSE(m.probe(where).passed);
    // A connection that its server closed first stays in TIME_WAIT: nobody holds its port any more.
    int port = 0;
    {
      small_server closes_first{"bye"};
      port = closes_first.port;
      auto client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      to.sin_port = htons(static_cast<std::uint16_t>(port));
      REQUIRE(connect(client, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0);
      REQUIRE(send(client, "?", 1, MSG_NOSIGNAL) == 1);
      char buffer[16];
      while (recv(client, buffer, sizeof(buffer), 0) > 0)
        continue;
      close(client);
    }
    CHECK(m.driver->port_is_free(port));
  }

} // TEST_SUITE

} // namespace legion::probing_test
