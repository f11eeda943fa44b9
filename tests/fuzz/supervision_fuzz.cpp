#include <algorithm>

#include "messages/supervision.pb.h"
#include "runtime/drivers/supervisor/frame.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace legion;

// A stream of frames gives the same messages, however it is cut.
LEGION_FUZZ_TARGET(supervision) {
  drivers::frame_reader whole, pieces;
  whole.feed(data);
  std::size_t fed = 0, step = 1;
  while (auto bytes = whole.next()) {
    supervisor_request request;
    fuzz::decode(*bytes, request);
    supervisor_reply reply;
    fuzz::decode(*bytes, reply);
    auto same = pieces.next();
    for (; !same && fed < data.size(); same = pieces.next()) {
      pieces.feed(data.substr(fed, step));
      fed = std::min(data.size(), fed + step);
      step = step % 7 + 1;
    }
    LEGION_CHECK(same == bytes);
  }
}
