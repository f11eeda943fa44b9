#include "runtime/transport/zeromq/zeromq.hpp"

#include <atomic>
#include <csignal>

#include <doctest/doctest.h>
#include <sys/wait.h>

#include "tests/unit/transport/zeromq_nodes.hpp"

namespace legion::transport::zeromq_stopped_test {
namespace {

/// Says on a pipe that the last frame has come.
struct awaits_last final : sink {
  explicit awaits_last(int to) : to(to) {}
  void frame_arrived(const node_id&, std::string frame) override {
    if (frame == "last" && ::write(to, "x", 1) != 1)
      _exit(3);
  }
  void peer_up(const node_id&) override {
    if (!std::exchange(up, true) && ::write(to, "u", 1) != 1)
      _exit(3);
  }
  void peer_down(const node_id&, down, std::string) override {}
  void frame_lost(const node_id&, std::string) override {}
  int to;
  bool up = false;
};

struct counts_downs final : sink {
  void frame_arrived(const node_id&, std::string) override {}
  void peer_up(const node_id&) override {}
  void peer_down(const node_id&, down, std::string) override { ++downs; }
  void frame_lost(const node_id&, std::string) override {}
  std::atomic<int> downs = 0;
};

[[noreturn]] void listen_until_killed(const zeromq_nodes::keys& self, const peer& other, int to) {
  awaits_last ears{to};
  auto made = zeromq::make({self.who.endpoint, self.who.public_key, self.secret_key})(ears);
  if (!made)
    _exit(2);
  (*made)->introduce(other);
  for (;;)
    ::pause();
}

/// What the pipe has, 0 if nothing.
char read_now(int from) {
  pollfd ready{from, POLLIN, 0};
  char x = 0;
  return ::poll(&ready, 1, 10) == 1 && ::read(from, &x, 1) == 1 ? x : '\0';
}

} // namespace

TEST_SUITE("transport/zeromq") {

  // Input that ZeroMQ had to stop, on a connection that is closed by then, and a heartbeat that is
  // due: it aborts the process (libzmq 4.3.4, stream_engine_base.cpp, out_event after _io_error).
  TEST_CASE("a process that was stopped while much came in, and lost its connection, goes on") {
    zeromq_nodes::keys mine, its;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0)
      listen_until_killed(its, mine.who, ends[1]);
    ::close(ends[1]);
    {
      counts_downs ears;
      auto made = zeromq::make({mine.who.endpoint, mine.who.public_key, mine.secret_key})(ears);
      REQUIRE(made);
      auto& node = **made;
      node.introduce(its.who);
      auto said = [&](char what, const char* frame) { // lost until they are connected
        return zeromq_nodes::until([&] {
          (void)node.send(its.who.id, frame);
          return read_now(ends[0]) == what;
        });
      };
      REQUIRE(said('u', "first"));
      ::kill(child, SIGSTOP);
      auto before = ears.downs.load();
      REQUIRE(
          zeromq_nodes::until([&] { // small ones, until there is no more room, and it is given up
            for (int i = 0; i < 1000; ++i)
              (void)node.send(its.who.id, "x");
            return ears.downs > before;
          }));
      ::kill(child, SIGCONT);
      for (int i = 0; i < 3000; ++i) // small ones: much input, but room for a heartbeat behind it
        (void)node.send(its.who.id, "x");
      CHECK(said('x', "last"));
    }
    ::kill(child, SIGKILL);
    int status = 0;
    CHECK(::waitpid(child, &status, 0) == child);
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)); // and nothing else before
    ::close(ends[0]);
  }

} // TEST_SUITE

} // namespace legion::transport::zeromq_stopped_test
