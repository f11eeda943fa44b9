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

} // namespace

LEGION_FUZZ_TARGET(frame) {
  frame x;
  if (fuzz::decode(data, x))
    for (const auto& e : x.messages())
      decode_body(e.kind(), e.body());
}
