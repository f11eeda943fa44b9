#include "runtime/api/connection.hpp"

#include <algorithm>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

#include <asio/read.hpp>
#include <asio/write.hpp>

#include "messages/api.pb.h"

namespace legion::api {

namespace {

using std::error_code;

constexpr std::size_t read_chunk_bytes = 64 * 1024;

} // namespace

bool is_local(const stream_socket& x) {
  error_code ignored;
  return x.local_endpoint(ignored).protocol().family() == AF_UNIX;
}

std::string overloaded_frame(std::string detail, std::string request_id) {
  api_reply reply;
  reply.set_request_id(std::move(request_id));
  reply.set_last(true);
  reply.mutable_refused()->set_code(refusal_overloaded);
  reply.mutable_refused()->set_detail(std::move(detail));
  return reply.SerializeAsString();
}

connection::connection(connection_owner& owner, stream_socket socket, std::uint64_t number)
    : owner_(owner), socket_(std::move(socket)), timer_(owner.io()), number_(number),
      local_(api::is_local(socket_)) {}

void connection::arm(std::chrono::milliseconds after) {
  timer_.expires_after(after);
  timer_.async_wait([weak = weak_from_this()](error_code failed) {
    if (auto self = weak.lock(); self && !failed)
      self->close();
  });
}

void connection::watch_idle() {
  if (under_way_ == 0 && !in_frame_ && !gone)
    arm(owner_.limits().idle_timeout);
}

void connection::read_header() {
  watch_idle();
  auto self = shared_from_this();
  auto first = asio::buffer(header_, 1);
  socket_.async_read_some(first, [self, this](error_code failed, std::size_t got) {
    if (failed || got == 0)
      return close();
    in_frame_ = true;
    arm(owner_.limits().half_frame_timeout);
    auto rest = asio::buffer(header_ + 1, frame_header_bytes - 1);
    asio::async_read(socket_, rest, [self, this](error_code cut, std::size_t) {
      if (cut)
        return close();
      auto size = frame_size(header_);
      if (size == 0 || size > max_frame_bytes)
        return close();
      read_body(size);
    });
  });
}

/// In pieces, so that a length alone takes no memory.
void connection::read_body(std::size_t missing) {
  auto piece = std::min(missing, read_chunk_bytes);
  if (!owner_.count_inbound(piece))
    return close();
  counted_ += piece;
  auto old = body_.size();
  body_.resize(old + piece);
  auto self = shared_from_this();
  auto into = asio::buffer(body_.data() + old, piece);
  asio::async_read(socket_, into, [self, this, missing, piece](error_code failed, std::size_t) {
    if (failed)
      return close();
    if (missing > piece)
      return read_body(missing - piece);
    frame_complete();
  });
}

/// Whether the client has closed its side, though what it sent before is still to be read.
bool connection::hung_up() {
  pollfd end{socket_.native_handle(), POLLRDHUP, 0};
  return ::poll(&end, 1, 0) > 0;
}

/// A client that has gone meanwhile was told nothing, and asked elsewhere since: what this node did not
/// read in time, since it was stopped say, is not done any more.
void connection::frame_complete() {
  timer_.cancel();
  in_frame_ = false;
  owner_.discount_inbound(std::exchange(counted_, 0));
  if (hung_up())
    return close();
  auto frame = std::exchange(body_, {});
  if (under_way_ >= owner_.limits().max_requests) {
    api_request refused;
    refused.ParseFromString(frame);
    auto answer =
        overloaded_frame("a client may have " + std::to_string(under_way_) + " requests under way",
                         refused.request_id());
    queued += answer.size() + frame_header_bytes;
    if (queued > owner_.limits().max_queued_bytes)
      return close();
    enqueue(std::move(answer));
  } else {
    ++under_way_;
    owner_.arrived(shared_from_this(), std::move(frame));
  }
  read_header();
}

void connection::enqueue(std::string frame) {
  if (gone)
    return;
  out_.push_back(framed(frame));
  if (out_.size() == 1)
    write_next();
}

void connection::write_next() {
  auto self = shared_from_this();
  asio::async_write(socket_, asio::buffer(out_.front()), [self, this](error_code failed, auto) {
    if (failed || gone)
      return close();
    auto size = out_.front().size();
    queued -= std::min<std::size_t>(queued, size);
    out_.pop_front();
    if (!out_.empty())
      write_next();
  });
}

void connection::close() {
  if (gone.exchange(true))
    return;
  owner_.discount_inbound(std::exchange(counted_, 0));
  timer_.cancel();
  error_code ignored;
  socket_.shutdown(stream_socket::shutdown_both, ignored);
  socket_.close(ignored);
  owner_.left(shared_from_this());
}

} // namespace legion::api
