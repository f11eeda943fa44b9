#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <mutex>

#include "runtime/api/client.hpp"
#include "runtime/api/frame.hpp"
#include "runtime/api/socket_server.hpp"

namespace legion::socket_server_test {

using namespace std::chrono_literals;

namespace {

constexpr auto patience = 10s;

auto soon() {
  return api::client::clock::now() + patience;
}

struct folder {
  folder() {
    char name[] = "/tmp/legion-api-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~folder() { std::filesystem::remove_all(path); }
  std::string path;
};

struct recorder final : api::sink {
  void request_arrived(std::uint64_t request, std::string frame) override {
    std::unique_lock lock{mutex};
    arrived.emplace_back(request, std::move(frame));
    changed.notify_all();
    changed.wait_for(lock, patience, [this] { return !stands_still; });
  }
  void stand_still(bool x) {
    std::lock_guard guard{mutex};
    stands_still = x;
    changed.notify_all();
  }
  void request_cancelled(std::uint64_t request) override {
    std::lock_guard guard{mutex};
    cancelled.push_back(request);
    changed.notify_all();
  }
  std::pair<std::uint64_t, std::string> next() {
    std::unique_lock lock{mutex};
    if (!changed.wait_for(lock, patience, [this] { return !arrived.empty(); }))
      return {0, "nothing arrived"};
    auto result = arrived.front();
    arrived.pop_front();
    return result;
  }
  bool is_cancelled(std::uint64_t request) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, patience, [&] {
      return std::find(cancelled.begin(), cancelled.end(), request) != cancelled.end();
    });
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::pair<std::uint64_t, std::string>> arrived;
  std::vector<std::uint64_t> cancelled;
  bool stands_still = false; // the server's thread, with the next request
};

struct fixture {
  explicit fixture(api::settings what = {}) {
    what.socket_path = where.path + "/api.sock";
    path = what.socket_path;
    auto made = api::make(what)(heard);
    REQUIRE(made);
    server = std::move(*made);
  }
  api::client connect() {
    auto x = api::client::connect({{path}, "the test"}, 10s);
    REQUIRE(x);
    return std::move(*x);
  }
  int raw() {
    auto s = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, path.data(), path.size());
    REQUIRE(::connect(s, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0);
    timeval limit{10, 0};
    ::setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return s;
  }
  /// The server closed it: reading ends, with or without what was sent before.
  static bool is_closed(int s) {
    char buffer[4096];
    for (;;) {
      auto n = ::recv(s, buffer, sizeof(buffer), 0);
      if (n > 0)
        continue;
      auto error = errno;
      ::close(s);
      return n == 0 || error == ECONNRESET;
    }
  }
  bool still_serves() {
    auto x = connect();
    api_request request;
    request.set_request_id("still here?");
    REQUIRE(x.send(request, soon()));
    auto [id, frame] = heard.next();
    api_reply reply;
    reply.set_request_id("yes");
    REQUIRE(server->reply(id, reply.SerializeAsString(), true));
    auto got = x.receive(soon());
    return got && got->request_id() == "yes";
  }

  folder where;
  std::string path;
  recorder heard;
  std::unique_ptr<api::server> server;
};

api_reply reply_of(std::string version, bool last) {
  api_reply x;
  x.set_version(std::move(version));
  x.set_last(last);
  return x;
}

std::string text_of(const api_reply& x) {
  return x.SerializeAsString();
}

} // namespace

TEST_SUITE("api/socket_server") {

  TEST_CASE("a request gets its stream of replies in order") {
    fixture f;
    auto client = f.connect();
    api_request request;
    request.mutable_version_of();
    REQUIRE(client.send(request, soon()));
    auto [id, frame] = f.heard.next();
    CHECK(frame == request.SerializeAsString());
    for (auto* x : {"1", "2", "3"})
      CHECK(f.server->reply(id, text_of(reply_of(x, *x == '3')), *x == '3'));
    for (auto* x : {"1", "2", "3"}) {
      auto reply = client.receive(soon());
      REQUIRE(reply);
      CHECK(reply->version() == x);
    }
    CHECK_FALSE(f.server->reply(id, text_of(reply_of("4", true)), true));
  }

  TEST_CASE("the socket belongs to its user alone") {
    fixture f;
    struct stat found {};
    REQUIRE(::stat(f.path.c_str(), &found) == 0);
    CHECK((found.st_mode & 0777) == 0600);
  }

  TEST_CASE("garbage, empty and too large frames are cut off, and the server goes on") {
    fixture f;
    for (auto bytes :
         {std::string{"GET / HTTP/1.1\r\n\r\n"}, std::string{"\x16\x03\x01\x02\x00\x01\x00", 7},
          std::string(4, '\0'), std::string{"\x01\x00\x00\x01", 4}, std::string(1000, '\xff')}) {
      auto s = f.raw();
      CHECK(::send(s, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0);
      CHECK(fixture::is_closed(s));
    }
    CHECK(f.still_serves());
  }

  TEST_CASE("half a header and half a message time out") {
    api::settings hasty;
    hasty.half_frame_timeout = 50ms;
    fixture f{hasty};
    for (auto bytes : {std::string{"\0\0", 2}, std::string{"\0\0\0\x09half", 8}}) {
      auto s = f.raw();
      CHECK(::send(s, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0);
      CHECK(fixture::is_closed(s));
    }
    CHECK(f.still_serves());
  }

  TEST_CASE("a client that asks for nothing is cut off after a while") {
    api::settings hasty;
    hasty.idle_timeout = 50ms;
    fixture f{hasty};
    CHECK(fixture::is_closed(f.raw()));
    CHECK(f.still_serves());
  }

  TEST_CASE("a client that goes away cancels its requests") {
    fixture f;
    auto client = f.connect();
    api_request request;
    request.mutable_version_of();
    REQUIRE(client.send(request, soon()));
    auto id = f.heard.next().first;
    client.close();
    CHECK(f.heard.is_cancelled(id));
    CHECK_FALSE(f.server->reply(id, "late", true));
  }

  TEST_CASE("what a server did not read before its client hung up is not done") {
    fixture f;
    f.heard.stand_still(true); // as one that is stopped
    auto first = f.connect();
    api_request request;
    request.set_request_id("first");
    REQUIRE(first.send(request, soon()));
    CHECK(f.heard.next().second == request.SerializeAsString());
    auto impatient = f.connect();
    request.set_request_id("asked elsewhere since");
    REQUIRE(impatient.send(request, soon()));
    impatient.close();
    f.heard.stand_still(false);
    auto last = f.connect();
    request.set_request_id("last");
    REQUIRE(last.send(request, soon()));
    CHECK(f.heard.next().second == request.SerializeAsString());
    CHECK(f.still_serves());
  }

  TEST_CASE("one client too many is told so") {
    api::settings few;
    few.max_clients = 2;
    few.node_name = "legion-1";
    fixture f{few};
    auto a = f.connect();
    auto b = f.connect();
    // Both are known to be served before the third knocks.
    api_request request;
    request.mutable_version_of();
    for (auto* x : {&a, &b}) {
      REQUIRE(x->send(request, soon()));
      f.heard.next();
    }
    auto c = f.connect();
    auto reply = c.receive(soon());
    REQUIRE(reply);
    CHECK(reply->last());
    CHECK(reply->refused().code() == refusal_overloaded);
    CHECK(reply->refused().detail()
          == "overloaded: legion-1 serves 2 clients already; try again, or another node");
    // Asked before it was told: what was said is not lost with the connection.
    auto d = f.connect();
    REQUIRE(d.send(request, soon()));
    std::this_thread::yield();
    auto told = d.receive(soon());
    REQUIRE(told);
    CHECK(told->refused().code() == refusal_overloaded);
    a.close();
    b.close();
    CHECK(f.heard.is_cancelled(1));
    CHECK(f.heard.is_cancelled(2));
    CHECK(f.still_serves());
  }

  TEST_CASE("who asks for nothing makes room for who does, the first that came first") {
    api::settings few;
    few.max_clients = 2;
    fixture f{few};
    auto a = f.connect();
    auto b = f.connect();
    api_request request;
    request.mutable_version_of();
    REQUIRE(b.send(request, soon()));
    auto asked = f.heard.next().first; // both are served by now
    auto c = f.connect();
    REQUIRE(c.send(request, soon()));
    auto other = f.heard.next().first;
    CHECK_FALSE(a.receive(soon()));
    CHECK(f.server->reply(asked, text_of(reply_of("b", true)), true));
    CHECK(f.server->reply(other, text_of(reply_of("c", true)), true));
    CHECK(b.receive(soon())->version() == "b");
    CHECK(c.receive(soon())->version() == "c");
  }

  TEST_CASE("one request too many of a client is refused, the others are not") {
    api::settings few;
    few.max_requests = 1;
    fixture f{few};
    auto client = f.connect();
    api_request request;
    request.set_request_id("first");
    REQUIRE(client.send(request, soon()));
    auto id = f.heard.next().first;
    request.set_request_id("second");
    REQUIRE(client.send(request, soon()));
    auto reply = client.receive(soon());
    REQUIRE(reply);
    CHECK(reply->request_id() == "second");
    CHECK(reply->refused().code() == refusal_overloaded);
    CHECK(f.server->reply(id, text_of(reply_of("first", true)), true));
    reply = client.receive(soon());
    REQUIRE(reply);
    CHECK(reply->version() == "first");
  }

  TEST_CASE("a client that does not read is cut off when its queue is full") {
    api::settings small;
    small.max_queued_bytes = 4 * 1024 * 1024;
    fixture f{small};
    auto client = f.connect();
    api_request request;
    request.mutable_version_of();
    REQUIRE(client.send(request, soon()));
    auto id = f.heard.next().first;
    auto sent = 0;
    while (sent < 100 && f.server->reply(id, std::string(1024 * 1024, 'x'), false))
      ++sent;
    CHECK(sent < 100);
    CHECK(sent >= 3);
    CHECK(f.heard.is_cancelled(id));
    CHECK(f.still_serves());
  }

  TEST_CASE("messages that are not whole are bounded over all clients") {
    api::settings small;
    small.max_inbound_bytes = 100'000;
    fixture f{small};
    auto s = f.raw();
    auto frame = api::framed(std::string(200'000, 'x'));
    CHECK(::send(s, frame.data(), frame.size(), MSG_NOSIGNAL) > 0);
    CHECK(fixture::is_closed(s));
    CHECK(f.still_serves());
  }

  TEST_CASE("a stale socket is replaced, a live one and a file are not") {
    folder where;
    api::settings what;
    what.socket_path = where.path + "/api.sock";
    recorder heard;
    {
      auto first = api::make(what)(heard);
      REQUIRE(first);
      auto second = api::make(what)(heard);
      REQUIRE_FALSE(second);
      CHECK(second.why().code == errc::locked);
      CHECK(second.why().detail
            == "another process serves " + what.socket_path + ": use another --data");
    }
    CHECK_FALSE(std::filesystem::exists(what.socket_path));
    auto s = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, what.socket_path.data(), what.socket_path.size());
    REQUIRE(::bind(s, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0);
    ::close(s);
    CHECK(api::make(what)(heard));
    std::filesystem::create_directory(what.socket_path);
    auto in_the_way = api::make(what)(heard);
    REQUIRE_FALSE(in_the_way);
    CHECK(in_the_way.why().code == errc::conflict);
    what.socket_path = where.path + "/" + std::string(120, 'x');
    auto too_long = api::make(what)(heard);
    REQUIRE_FALSE(too_long);
    CHECK(too_long.why().detail.find("the limit is 107") != std::string::npos);
  }

  TEST_CASE("TCP: loopback only, and a taken port is named with the cure") {
    recorder heard;
    auto taken = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(taken, reinterpret_cast<sockaddr*>(&at), sizeof(at)) == 0);
    REQUIRE(::listen(taken, 1) == 0);
    auto size = static_cast<socklen_t>(sizeof(at));
    REQUIRE(::getsockname(taken, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    auto port = std::to_string(ntohs(at.sin_port));
    api::settings what;
    what.tcp_endpoint = "127.0.0.1:" + port;
    auto clash = api::make(what)(heard);
    REQUIRE_FALSE(clash);
    CHECK(clash.why().detail.starts_with("--api 127.0.0.1:" + port + ": that port is taken"));
    CHECK(clash.why().detail.ends_with("choose another port with --api HOST:PORT"));
    ::close(taken);
    auto free = api::make(what)(heard);
    REQUIRE(free);
    auto client = api::client::connect({{"[::1]:1", "localhost:" + port}, "the test"}, 10s);
    REQUIRE(client);
    api_request request;
    request.set_request_id("over TCP");
    REQUIRE(client->send(request, soon()));
    CHECK(heard.next().second == request.SerializeAsString());
    what.tcp_endpoint = "0.0.0.0:7711";
    auto open = api::make(what)(heard);
    REQUIRE_FALSE(open);
    CHECK(open.why().detail.find("not a loopback address") != std::string::npos);
    what.tcp_endpoint = "nonsense";
    CHECK_FALSE(api::make(what)(heard));
  }

  TEST_CASE("a client's errors list every address that was tried and why") {
    folder where;
    auto missing = where.path + "/api.sock";
    auto x = api::client::connect({{missing, "nonsense"}, "--target"}, 1s);
    REQUIRE_FALSE(x);
    CHECK(x.why().code == errc::unreachable);
    CHECK(x.why().detail
          == "no node answers (targets from --target):\n  " + missing
                 + ": no such socket: no node runs with this data folder\n"
                   "  nonsense: 'nonsense' is not HOST:PORT (such as 127.0.0.1:7711 or "
                   "[::1]:7711)");
  }

  TEST_CASE("a client waits no longer than its deadline") {
    fixture f;
    auto client = f.connect();
    auto reply = client.receive(api::client::clock::now() + 20ms);
    REQUIRE_FALSE(reply);
    CHECK(reply.why().code == errc::deadline);
  }

} // TEST_SUITE

} // namespace legion::socket_server_test
