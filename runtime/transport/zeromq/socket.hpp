#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <zmq.h>

namespace legion::transport::zeromq {

/// A ZeroMQ socket that closes itself.
class socket {
public:
  socket() = default;
  socket(void* context, int type) : handle_(zmq_socket(context, type)) {}
  socket(socket&& x) noexcept : handle_(std::exchange(x.handle_, nullptr)) {}
  socket& operator=(socket&& x) noexcept {
    std::swap(handle_, x.handle_);
    return *this;
  }
  ~socket() {
    if (handle_ != nullptr)
      zmq_close(handle_);
  }

  void* get() const { return handle_; }
  explicit operator bool() const { return handle_ != nullptr; }

  bool set(int option, int value) {
    return zmq_setsockopt(handle_, option, &value, sizeof(value)) == 0;
  }
  bool set(int option, std::string_view value) {
    return zmq_setsockopt(handle_, option, value.data(), value.size()) == 0;
  }

private:
  void* handle_ = nullptr;
};

/// One part of a message.
class part {
public:
  part() { zmq_msg_init(&message_); }
  part(const part&) = delete;
  part& operator=(const part&) = delete;
  ~part() { zmq_msg_close(&message_); }

  bool receive(const socket& from) {
    return zmq_msg_recv(&message_, from.get(), ZMQ_DONTWAIT) >= 0;
  }
  std::string_view text() {
    return {static_cast<const char*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }
  bool more() const { return zmq_msg_more(&message_) != 0; }
  zmq_msg_t* get() { return &message_; }

private:
  zmq_msg_t message_;
};

} // namespace legion::transport::zeromq
