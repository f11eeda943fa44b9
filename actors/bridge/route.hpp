#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/bridge/wire.hpp"
#include "messages/ids.hpp"
#include "messages/time.hpp"

/// The bridge's rules: who may say what, what is in order, what is packed into one frame.
namespace legion::bridge {

/// A start of a node's process. An old copy of a journal counts one twice: then the lives differ.
struct lifetime {
  start_number start{};
  std::uint32_t life = 0; // `member.life`
};

/// What is said of a node against the latest that is known of it. Earlier, too: another life of the
/// same start, which is an old copy's. A life that is not told may be any.
enum class age { earlier, same, later };
age age_of(const lifetime& said, const lifetime& known);

/// What one node allows itself. A test may ask for less.
struct limits {
  milliseconds deadline{10'000};        // of every request; its answer then is `deadline`
  std::size_t requests_per_peer = 8192; // in flight; more are answered `overloaded`
  std::size_t frame_bytes = 64 * 1024;  // packed at most, unless one message is larger
  std::size_t waiting_bytes = 4 << 20;  // for one peer; more is `overloaded`
  std::size_t arrived_bytes = 32 << 20; // frames not yet read; more are dropped and counted
  std::size_t peers = 4096;             // strangers beyond are not heard
  std::size_t proxies = 65536;
  std::size_t watches_per_peer = 4096;
};

/// What to do with one message that arrived.
struct admission {
  enum class verdict { pass, refuse, drop } what = verdict::pass;
  failure why = failure_none;
  std::string detail;
};

/// Whether a message may pass, by its frame's version and cluster and by the start it is meant for.
///
/// Shape:  `own_cluster` empty: this node has not joined yet, and only answers to joins pass. A
///         frame without a cluster carries joins only. A refusal passes from any cluster, so that
///         the refused learns why.
/// Errors: a request is refused with the reason, anything else dropped; both are counted.
admission admit(const frame_view& frame, const envelope_view& x, std::string_view own_cluster,
                start_number own_start);

/// Whether a node without a cluster may send this kind.
bool joins(std::uint32_t kind);

/// Counts what is missing between the messages of one peer, and keeps them in order.
///
/// Shape:  the first message of a start sets the base; a later one that is not newer than the
///         newest is dropped, so nothing is delivered twice or out of order whatever the transport
///         does.
class order_of_arrival {
public:
  struct verdict {
    bool pass = false;
    std::uint64_t missing = 0; // between this one and the one before
  };
  verdict on(std::uint64_t sequence);
  void restart() { newest_ = 0; }

private:
  std::uint64_t newest_ = 0;
};

/// Messages that this node knows to be lost at one peer, by reason.
class loss_counters {
public:
  void add(failure why, std::uint64_t n = 1);
  /// In the order of the reasons; never one of zero.
  const std::vector<std::pair<failure, std::uint64_t>>& counts() const { return counts_; }

private:
  std::vector<std::pair<failure, std::uint64_t>> counts_;
};

/// What waits for one peer, packed into frames.
///
/// Shape: frames close at `limits::frame_bytes`; one message that is larger has a frame of its own.
class outbox {
public:
  struct packed {
    std::string bytes;
    std::vector<std::uint64_t> requests; // that fail if the frame is not sent
    std::uint32_t one_ways = 0;          // that are lost then
  };

  /// False if `limits::waiting_bytes` are waiting already. A refusal, which has no body, finds room
  /// for some more: who asked learns why there is no answer.
  bool add(const envelope_view& x, std::string_view cluster, const lifetime& of,
           const limits& most);
  bool empty() const { return frames_.empty(); }
  std::size_t bytes() const { return bytes_; }
  std::vector<packed> take();

private:
  std::vector<packed> frames_;
  std::size_t bytes_ = 0;
};

} // namespace legion::bridge
