#include <doctest/doctest.h>

#include <thread>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/streambuf.hpp>
#include <asio/write.hpp>

#include "runtime/drivers/process/probe_redirect.hpp"
#include "runtime/drivers/process/probe_try.hpp"

namespace legion::probe_redirect_test {

namespace {

using namespace legion::drivers;
using asio::ip::tcp;

probe_target asked() {
  probe_target x;
  x.port = 8080;
  x.http = true;
  x.path = "/app/health?full=1";
  return x;
}

std::string sent_to(const std::string& location) {
  auto to = redirected(asked(), "Server: x\r\nLOCATION: " + location + " \r\nX: y\r\n");
  return to ? std::to_string(to->port) + to->path : "nowhere";
}

/// Answers each connection with the next of these, on a port of its own, until it has none left.
class server {
public:
  explicit server(std::vector<std::string> answers)
      : listener_(context_, {asio::ip::make_address("127.0.0.1"), 0}),
        thread_([this, answers = std::move(answers)] {
          for (auto& x : answers) {
            tcp::socket socket{context_};
            listener_.accept(socket);
            asio::streambuf request;
            asio::read_until(socket, request, "\r\n\r\n");
            asio::write(socket, asio::buffer(x));
          }
        }) {}
  ~server() { thread_.join(); }
  int port() const { return listener_.local_endpoint().port(); }

private:
  asio::io_context context_;
  tcp::acceptor listener_;
  std::thread thread_;
};

probe_outcome probe(std::vector<std::string> answers) {
  server at{std::move(answers)};
  probe_target where;
  where.port = at.port();
  where.http = true;
  where.path = "/";
  where.timeout_ms = 10'000;
  asio::io_context context;
  probe_outcome result;
  try_probe(context, where, [&](probe_outcome x) { result = std::move(x); });
  context.run();
  return result;
}

std::string redirect(const std::string& to) {
  return "HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 0\r\n\r\n";
}

} // namespace

TEST_SUITE("drivers/probe_redirect") {

  TEST_CASE("where a Location sends the probe: on its host, over HTTP") {
    CHECK(sent_to("/bad") == "8080/bad");
    CHECK(sent_to("other") == "8080/app/other");
    CHECK(sent_to("?x=2") == "8080/app/health?x=2");
    CHECK(sent_to("/a?b=c#part") == "8080/a?b=c");
    CHECK(sent_to("http://127.0.0.1:9090/up") == "9090/up");
    CHECK(sent_to("HTTP://127.0.0.1/up") == "80/up");
    CHECK(sent_to("http://127.0.0.1:8080") == "8080/");
    CHECK(sent_to("//127.0.0.1:8080/x") == "8080/x");
    CHECK(sent_to("http://elsewhere/up") == "nowhere");
    CHECK(sent_to("https://127.0.0.1:8080/up") == "nowhere");
    CHECK(sent_to("http://127.0.0.1:port/") == "nowhere");
    CHECK(sent_to("http://[::1/") == "nowhere");
    CHECK(sent_to("") == "nowhere");
  }

  TEST_CASE("the status of a first line; only some send on") {
    CHECK(status_of("HTTP/1.1 302 Found") == 302);
    CHECK_FALSE(status_of("SSH-2.0-x"));
    CHECK_FALSE(status_of("HTTP/1.1 3x2 y"));
    for (int x : {301, 302, 303, 307, 308})
      CHECK(is_redirect(x));
    for (int x : {200, 300, 304, 305, 400})
      CHECK_FALSE(is_redirect(x));
  }

  TEST_CASE("the answer at the end of the way decides") {
    auto failed = probe({redirect("/bad"), "HTTP/1.1 500 No\r\n\r\n"});
    CHECK_FALSE(failed.passed);
    CHECK(failed.detail == "HTTP/1.1 500 No");
    CHECK(probe({redirect("/a"), redirect("/b"), "HTTP/1.1 200 OK\r\n\r\n"}).passed);
    CHECK(probe({redirect("http://elsewhere/")}).passed);
    CHECK(probe({"HTTP/1.1 304 Not Modified\r\n\r\n"}).passed);
    std::vector<std::string> round(most_redirects + 1, redirect("/"));
    auto endless = probe(std::move(round));
    CHECK_FALSE(endless.passed);
    CHECK(endless.detail.find("more than 10 times") != std::string::npos);
  }
}

} // namespace legion::probe_redirect_test
