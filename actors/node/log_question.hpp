#pragma once

#include <cstdint>
#include <string>

#include "actors/node/commitments.hpp"
#include "actors/node/departed.hpp"
#include "messages/api.pb.h"
#include "messages/fault.hpp"

namespace legion::node {

/// What a reader of logs asks of the driver.
struct log_question {
  std::string workload;
  std::string container;
  std::uint32_t life = 0;
  std::int64_t offset = 0;   // negative: lines from the end
  bool only_the_end = false; // of what is there, nothing: just where it ends
};

/// What is remembered of a pod that is gone, if it is the one that is asked for; else nullptr.
const gone_pod* gone_pod_meant(const logs_request& x, const departed& gone);

/// Which workload, container and life are meant: of a pod that is here, else of one that is gone; the
/// first container if none is named, the life that runs, or the one before it.
result<log_question> log_question_of(const logs_request& x, const commitments& promises,
                                     const departed& gone, const std::string& node_name);

} // namespace legion::node
