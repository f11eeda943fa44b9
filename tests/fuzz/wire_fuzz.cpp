#include "actors/bridge/wire.hpp"

#include "messages/envelope.pb.h"
#include "tests/fuzz/fuzz_target.hpp"

using namespace legion;

LEGION_FUZZ_TARGET(wire) {
  auto ours = bridge::read_frame(data);
  frame theirs;
  if (!ours || !theirs.ParseFromArray(data.data(), static_cast<int>(data.size())))
    return; // protobuf also knows groups, and checks that strings are UTF-8
  LEGION_CHECK(ours->version == theirs.version());
  LEGION_CHECK(ours->cluster == theirs.cluster());
  LEGION_CHECK(ours->start == theirs.start());
  LEGION_CHECK(ours->messages.size() == static_cast<std::size_t>(theirs.messages_size()));
  for (int i = 0; i < theirs.messages_size(); ++i) {
    auto& x = ours->messages[static_cast<std::size_t>(i)];
    auto& y = theirs.messages(i);
    LEGION_CHECK(x.sequence == y.sequence() && x.to == y.to() && x.kind == y.kind());
    LEGION_CHECK(x.body == y.body() && x.request == y.request() && x.reply_to == y.reply_to());
    LEGION_CHECK(x.detail == y.detail() && x.to_start == y.to_start() && x.code == y.code());
  }
}
