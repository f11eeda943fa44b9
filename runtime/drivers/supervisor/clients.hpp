#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "messages/supervision.pb.h"
#include "runtime/drivers/supervisor/frame.hpp"
#include "runtime/drivers/supervisor/poller.hpp"

namespace legion::drivers {

/// Who is connected to the supervisor's socket: nodes of our own user, at most 16 at a time.
///
/// A client that does not read what it is sent is cut off at `max_supervision_frame_bytes`.
class clients {
public:
  using client_id = std::uint64_t;
  using request_call = std::function<void(client_id, supervisor_request)>;

  clients(poller& events, int listening, request_call call);
  ~clients();

  /// Nothing happens if the client has gone.
  void send(client_id to, const supervisor_reply& what);
  void send_all(const supervisor_reply& what);
  /// Writes out what waits, as far as it goes without waiting long: the supervisor ends.
  void flush();

private:
  struct client {
    int socket = -1;
    frame_reader in;
    std::string out;
  };

  void accept_one();
  void on_event(client_id id, std::uint32_t events);
  bool read_from(client_id id, client& x);
  bool write_to(client& x);
  void drop(client_id id);
  void put(client_id id, client& x, const std::string& frame);

  poller& events_;
  int listening_;
  request_call call_;
  client_id next_ = 1;
  std::map<client_id, client> clients_;
};

} // namespace legion::drivers
