#include "messages/journal.pb.h"
#include "tests/fuzz/fuzz_target.hpp"

using namespace legion;

LEGION_FUZZ_TARGET(record_batch) {
  record_batch x;
  if (!fuzz::decode(data, x))
    return;
  for (const auto& r : x.records()) {
    promise_record promise;
    start_record start;
    known_members members;
    if (r.key().starts_with("promise/"))
      fuzz::decode(r.value(), promise);
    else if (r.key() == "start")
      fuzz::decode(r.value(), start);
    else if (r.key() == "members" && fuzz::decode(r.value(), members))
      LEGION_CHECK(members.members_size() <= static_cast<int>(data.size()));
  }
}
