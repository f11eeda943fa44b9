#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/envelope.pb.h"

namespace legion::bridge {

/// Version of the node communication interface: another one is refused with a reason.
inline constexpr std::uint32_t wire_version = 1;

/// What a frame may hold; `outbox` packs less. A megabyte of empty messages would take a hundred
/// times its size to sort out.
inline constexpr std::size_t most_messages = 32 * 1024;

/// `envelope` of messages/envelope.proto without copies: text and body point into the frame.
struct envelope_view {
  std::uint64_t sequence = 0;
  std::string_view to;
  std::uint32_t kind = 0;
  std::string_view body;
  std::uint64_t request = 0;
  std::uint64_t reply_to = 0;
  legion::failure failure = failure_none;
  std::string_view detail;
  std::uint64_t to_start = 0;
  std::uint32_t deadline_ms = 0;
  std::uint32_t code = 0;
};

struct frame_view {
  std::uint32_t version = 0;
  std::string_view cluster;
  std::uint64_t start = 0;
  std::uint32_t life = 0; // of that start; 0: not told
  std::vector<envelope_view> messages;
};

/// The bytes that one envelope takes in a frame, at most.
std::size_t size_bound(const envelope_view& x);

/// Appends the fields of a `frame` before its messages, then each message: together they are a
/// serialised `frame`.
void append_header(std::string& out, std::string_view cluster, std::uint64_t start,
                   std::uint32_t life);
void append_envelope(std::string& out, const envelope_view& x);

/// Reads a serialised `frame`; unknown fields are skipped, as protobuf does.
///
/// Shape:  reads what protobuf reads, at a third of the cost, since nothing is copied.
/// Errors: nothing for bytes that are no frame. A frame is a stranger's: every length is checked.
std::optional<frame_view> read_frame(std::string_view bytes);

} // namespace legion::bridge
