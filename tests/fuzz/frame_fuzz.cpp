#include "actors/bridge/wire.hpp"
#include "messages/envelope.pb.h"
#include "messages/vocabulary.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace legion;

namespace {

void decode_body(std::uint32_t kind, std::string_view body) {
  switch (kind) {
#define LEGION_DECODE(number, type)                                                                \
  case number: {                                                                                   \
    type x;                                                                                        \
    fuzz::decode(body, x);                                                                         \
    break;                                                                                         \
  }
    LEGION_REMOTE_MESSAGES(LEGION_DECODE)
#undef LEGION_DECODE
    default:
      break;
  }
}

void check_same(const envelope& x, const bridge::envelope_view& y) {
  LEGION_CHECK(x.sequence() == y.sequence);
  LEGION_CHECK(x.to() == y.to);
  LEGION_CHECK(x.kind() == y.kind);
  LEGION_CHECK(x.body() == y.body);
  LEGION_CHECK(x.request() == y.request);
  LEGION_CHECK(x.reply_to() == y.reply_to);
  LEGION_CHECK(y.failure == (failure_IsValid(x.failure()) ? x.failure() : failure_refused));
  LEGION_CHECK(x.detail() == y.detail);
  LEGION_CHECK(x.to_start() == y.to_start);
  LEGION_CHECK(x.deadline_ms() == y.deadline_ms);
  LEGION_CHECK(x.code() == y.code);
}

} // namespace

// The bridge's own reader reads the same as protobuf, which alone takes groups.
LEGION_FUZZ_TARGET(frame) {
  frame x;
  bool read = fuzz::decode(data, x);
  auto y = bridge::read_frame(data);
  if (y)
    for (const auto& e : y->messages)
      decode_body(e.kind, e.body);
  if (!read || !y)
    return;
  LEGION_CHECK(x.version() == y->version);
  LEGION_CHECK(x.cluster() == y->cluster);
  LEGION_CHECK(x.start() == y->start);
  LEGION_CHECK(static_cast<std::size_t>(x.messages_size()) == y->messages.size());
  for (int i = 0; i < x.messages_size(); ++i)
    check_same(x.messages(i), y->messages[static_cast<std::size_t>(i)]);
}
