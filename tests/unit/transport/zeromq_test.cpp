#include "runtime/transport/zeromq/zeromq.hpp"

#include <array>
#include <chrono>
#include <condition_variable>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "runtime/transport/zeromq/identify.hpp"
#include "tests/unit/transport/contract.hpp"
#include "tests/unit/transport/zeromq_nodes.hpp"

namespace legion::transport::zeromq_test {
namespace {

using contract::listener;

class zeromq_testbed final : public contract::testbed {
public:
  transport& at(int i) override {
    auto& x = nodes_[i];
    if (!x.running) {
      x.ears = std::make_unique<stalling_listener>();
      auto made = zeromq::make({x.who.endpoint, x.who.public_key, x.secret_key})(*x.ears);
      REQUIRE_MESSAGE(made, made.why().detail);
      x.running = std::move(*made);
    }
    return *x.running;
  }
  listener& ears(int i) override { return nodes_[i].ears->heard; }
  peer who(int i) override { return nodes_[i].who; }
  void kill(int i) override {
    nodes_[i].ears->release();
    nodes_[i].running.reset();
  }
  bool until(const std::function<bool()>& condition) override {
    return zeromq_nodes::until(condition);
  }
  bool stall(int i) override {
    nodes_[i].ears->stall();
    return true;
  }
  ~zeromq_testbed() override {
    for (auto& x : nodes_)
      if (x.ears)
        x.ears->release();
  }

private:
  /// A sink that holds up its transport's thread on demand, as none should.
  class stalling_listener final : public sink {
  public:
    void frame_arrived(const node_id& from, std::string frame) override {
      heard.frame_arrived(from, std::move(frame));
      std::unique_lock guard{mutex_};
      released_.wait(guard, [&] { return !stalled_; });
    }
    void peer_up(const node_id& who) override { heard.peer_up(who); }
    void peer_down(const node_id& who, down how, std::string why) override {
      heard.peer_down(who, how, std::move(why));
    }
    void frame_lost(const node_id& to, std::string frame) override {
      heard.frame_lost(to, std::move(frame));
    }
    void stall() {
      std::lock_guard guard{mutex_};
      stalled_ = true;
    }
    void release() {
      std::lock_guard guard{mutex_};
      stalled_ = false;
      released_.notify_all();
    }
    listener heard;

  private:
    std::mutex mutex_;
    std::condition_variable released_;
    bool stalled_ = false;
  };

  struct node : zeromq_nodes::keys {
    std::unique_ptr<stalling_listener> ears;
    std::unique_ptr<transport> running;
  };
  std::array<node, 3> nodes_;
};

/// A plain TCP connection to a node's port.
class raw_connection {
public:
  explicit raw_connection(const std::string& endpoint) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.find(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0;
  }
  raw_connection(raw_connection&& x) noexcept
      : connected(x.connected), fd_(std::exchange(x.fd_, -1)) {}
  ~raw_connection() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  void say(std::string_view bytes) {
    [[maybe_unused]] auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  bool connected = false;

private:
  int fd_;
};

std::string greeting() {
  std::string x(64, '\0');
  x[0] = '\xff';
  x[9] = '\x7f';
  x[10] = 3;
  x.replace(12, 5, "CURVE");
  return x;
}

} // namespace

TEST_SUITE("transport/zeromq") {
  TEST_CASE("the contract") {
    contract::check_all([] { return std::make_unique<zeromq_testbed>(); });
  }

  TEST_CASE("an id follows from the key, and a wrong key gives none") {
    CHECK(identify(std::string(31, 'k')).null());
    CHECK(identify(std::string(32, 'k')) != identify(std::string(32, 'l')));
    // b2sum -l 256 of 32 zero bytes
    CHECK(identify(std::string(32, '\0')).text() == "89eb0d6a8a691dae2cd15ed0369931ce");
  }

  TEST_CASE("an address is refused with the reason and the cure") {
    listener ears;
    zeromq_nodes::keys keys;
    auto try_at = [&](const std::string& endpoint) {
      auto made = zeromq::make({endpoint, keys.who.public_key, keys.secret_key})(ears);
      REQUIRE(!made);
      return made.why();
    };
    CHECK(try_at("0.0.0.0:7710").code == errc::refused);
    CHECK(try_at("192.168.1.1:7710").detail.find("not a loopback address") != std::string::npos);
    for (auto x :
         {"", "7710", ":7710", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:0", "127.0.0.1:70000"})
      CHECK(try_at(x).code == errc::invalid);
    zeromq_nodes::keys other;
    auto first = zeromq::make({keys.who.endpoint, other.who.public_key, other.secret_key})(ears);
    REQUIRE(first);
    auto why = try_at(keys.who.endpoint);
    CHECK(why.code == errc::conflict);
    CHECK(why.detail.find(keys.who.endpoint) != std::string::npos);
    CHECK(why.detail.find("--listen") != std::string::npos);
  }

  TEST_CASE("garbage and half messages neither stop a node nor reach it") {
    zeromq_testbed x;
    x.at(1);
    auto endpoint = x.who(1).endpoint;
    std::vector<raw_connection> left_open;
    for (std::string_view bytes :
         {std::string_view{"GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
          std::string_view{"\xff\0\0\0\0\0\0\0\x01\x7f", 10},
          std::string_view{"\0\0\0\0\0\0\0\0\0\0\0\0", 12}, std::string_view{""}}) {
      raw_connection{endpoint}.say(bytes);
      left_open.emplace_back(endpoint).say(bytes);
    }
    // A sound greeting, then a handshake that stops halfway, or that is noise.
    for (auto rest : {std::string{}, std::string{"\x04\xc8\x05HELLO"}, std::string(4096, '\xff')}) {
      raw_connection{endpoint}.say(greeting() + rest);
      left_open.emplace_back(endpoint).say(greeting() + rest);
    }
    for (auto& c : left_open)
      CHECK(c.connected);
    x.at(0).introduce(x.who(1));
    REQUIRE(x.at(0).send(x.who(1).id, "still here?") == sent::queued);
    CHECK(x.until([&] { return x.ears(1).count() == 1; }));
    CHECK(x.ears(1).count() == 1);
  }

  TEST_CASE("a peer with another key than the one introduced gets nothing") {
    zeromq_testbed x;
    x.at(1);
    auto impostor = x.who(2); // who(2)'s key at who(1)'s address
    impostor.endpoint = x.who(1).endpoint;
    x.at(0).introduce(impostor);
    x.at(0).send(impostor.id, "secret");
    CHECK(x.until([&] { return x.ears(0).heard(impostor.id, false); }));
    CHECK(x.ears(1).count() == 0);
    // And who really lives there can be reached.
    x.at(0).introduce(x.who(1));
    CHECK(x.until([&] {
      x.at(0).send(x.who(1).id, "hello");
      return x.ears(1).count() != 0;
    }));
  }

  TEST_CASE("frames for a peer that refuses the connection are given back as lost, in order") {
    zeromq_testbed x;
    x.at(0).introduce(x.who(1));
    std::vector<std::pair<node_id, std::string>> expected;
    for (int i = 0; i < 3; ++i)
      if (x.at(0).send(x.who(1).id, std::to_string(i)) == sent::queued)
        expected.emplace_back(x.who(1).id, std::to_string(i));
    REQUIRE(!expected.empty());
    CHECK(x.until([&] { return x.ears(0).lost().size() == expected.size(); }));
    CHECK(x.ears(0).lost() == expected);
    // What is given back no longer counts as queued; a later start of the peer is reached.
    x.at(1);
    CHECK(x.until([&] {
      x.at(0).send(x.who(1).id, "hello");
      return x.ears(1).count() != 0;
    }));
  }

  TEST_CASE("an introduction whose id is not its key's is not believed") {
    zeromq_testbed x;
    x.at(1);
    auto forged = x.who(1);
    forged.id = x.who(2).id;
    x.at(0).introduce(forged);
    CHECK(x.at(0).send(forged.id, "hello") == sent::unreachable);
  }

  TEST_CASE("a client without CURVE, or with the wrong server key, is not heard") {
    zeromq_testbed x;
    x.at(1);
    void* context = zmq_ctx_new();
    void* plain = zmq_socket(context, ZMQ_DEALER);
    int no_linger = 0;
    zmq_setsockopt(plain, ZMQ_LINGER, &no_linger, sizeof(no_linger));
    REQUIRE(zmq_connect(plain, ("tcp://" + x.who(1).endpoint).c_str()) == 0);
    zmq_send(plain, "hello", 5, ZMQ_DONTWAIT);
    x.at(0).introduce(x.who(1));
    x.at(0).send(x.who(1).id, "hello");
    CHECK(x.until([&] { return x.ears(1).count() == 1; }));
    CHECK(x.ears(1).frames()[0].first == x.who(0).id);
    zmq_close(plain);
    zmq_ctx_term(context);
  }
}

} // namespace legion::transport::zeromq_test
