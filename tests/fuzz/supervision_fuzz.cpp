#include "messages/supervision.pb.h"
#include "tests/fuzz/fuzz_target.hpp"

using namespace legion;

LEGION_FUZZ_TARGET(supervision) {
  supervisor_request request;
  fuzz::decode(data, request);
  supervisor_reply reply;
  fuzz::decode(data, reply);
}
