#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "messages/time.hpp"
#include "runtime/transport/transport.hpp"
#include "runtime/transport/zeromq/doorkeeper.hpp"
#include "runtime/transport/zeromq/socket.hpp"
#include "runtime/transport/zeromq/zeromq.hpp"

namespace legion::transport::zeromq {

/// The transport: a queue inward, and the thread that owns the sockets.
///
/// One ROUTER accepts (as CURVE server) and connects (as CURVE client). To each peer there may be
/// several connections: ours, theirs, and old ones that nobody has noticed to be dead. Who is at
/// the other end is known from the key, never from what it says: for theirs from the User-Id that
/// the doorkeeper set, for ours from the key that we demanded, under a routing id that we drew at
/// random. A connection that was taken for sending is kept until it dies, and a receiver that saw a
/// newer connection in use hears the older no more: so the order holds across reconnects.
///
/// A connection that dies is given up together with what ZeroMQ still held for it, since what
/// arrives after a reconnect would be stale. Reconnecting is ours, not ZeroMQ's, with back-off.
///
/// The thread sleeps in zmq_poll; a sender writes to the eventfd only if it sleeps.
class router final : public transport {
public:
  router(sink& to, settings x);
  ~router() override;

  /// Binds and starts the thread.
  result<void> start();

  void introduce(const peer& who) override;
  void forget(const node_id& who) override;
  sent send(const node_id& to, std::string frame) override;

private:
  /// What senders see of a peer.
  struct mailbox {
    std::atomic<std::size_t> queued_bytes = 0;
    std::atomic<bool> introduced = false;
    std::atomic<bool> connected = false; // some connection lives
    std::atomic<bool> resting = false;   // refused, and not tried again yet
  };
  using mailbox_ptr = std::shared_ptr<mailbox>;

  struct command {
    enum class kind { send, introduce, forget } what;
    node_id to;
    mailbox_ptr box;
    std::string frame;
    peer who;
  };

  struct connection {
    node_id to;
    bool ours = false;
    bool established = false;
    bool retired = false; // a newer one is in use: nothing is heard from it
    int fd = -1;
    std::string endpoint; // of ours
    std::string trouble;  // of the handshake
  };

  /// What the thread knows of a peer.
  struct link {
    mailbox_ptr box;
    peer who;
    bool wanted = false;   // a message was sent or came once: stay connected
    std::string sending;   // routing id of the connection in use
    std::string receiving; // likewise
    std::string ours;      // the outgoing one, if any
    std::vector<std::string> theirs;
    std::deque<std::string> waiting; // ZeroMQ would not take them yet
    unsigned failures = 0;
    time_point next_try{};
  };

  mailbox_ptr box_of(const node_id& id);
  void queue(command x);
  void wake();

  void run();
  bool take_commands(bool may_sleep);
  void perform(command& x);
  void sweep();
  void on_introduce(const node_id& id, const mailbox_ptr& box, const peer& who);
  void on_forget(const node_id& id);
  void carry(const node_id& id, link& to, std::string frame);
  bool hand_over(const node_id& id, link& to, std::string& frame);
  const std::string* choose(const node_id& id, link& to);
  void connect(const node_id& id, link& to);
  void drop_waiting(const node_id& id, link& x);
  void close(const std::string& routing_id, const std::string& why, down how = down::closed);
  bool alive(const link& x) const;
  bool connecting(const link& x) const;
  int on_timers();
  bool receive_some();
  void on_message(const std::string& routing_id, part& payload);
  connection* admit(const std::string& routing_id, part& payload);
  void on_events();
  void on_event(std::uint16_t event, std::uint32_t value, std::string_view endpoint);
  connection* ours_at(std::string_view endpoint, std::string& routing_id);

  sink& sink_;
  const settings settings_;
  const node_id self_;
  void* context_ = nullptr;
  std::unique_ptr<doorkeeper> doorkeeper_;
  socket router_;
  socket events_;
  int wake_ = -1;
  std::thread thread_;

  std::mutex mutex_; // the three below
  std::vector<command> commands_;
  bool sleeping_ = false;
  std::unordered_map<node_id, mailbox_ptr> boxes_;
  std::atomic<bool> stopping_ = false;

  // Of the thread alone.
  std::vector<command> taken_;
  std::unordered_map<node_id, link> links_;
  std::unordered_map<std::string, connection> connections_; // by routing id
  std::unordered_map<std::string, node_id> endpoints_;      // whom we connect to, where
  std::vector<node_id> gone_;                               // who lost the last connection
};

} // namespace legion::transport::zeromq
