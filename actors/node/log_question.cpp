#include "actors/node/log_question.hpp"

namespace legion::node {

result<log_question> log_question_of(const logs_request& x, const commitments& promises) {
  auto* known = promises.find_pod(x.namespace_(), x.pod());
  if (!known)
    return fault{errc::not_found, "pod " + x.pod() + " is not on this node"};
  const auto& spec = pod_of(known->record->what());
  if (spec.containers().empty())
    return fault{errc::not_found, "pod " + x.pod() + " has no container"};
  auto name = x.container().empty() ? spec.containers(0).name() : x.container();
  std::string names;
  const container_status* said = nullptr;
  auto exists = false;
  for (const auto& y : spec.containers()) {
    exists = exists || y.name() == name;
    names += (names.empty() ? "" : ", ") + y.name();
  }
  for (const auto& y : known->latest.containers())
    if (y.name() == name)
      said = &y;
  if (!exists)
    return fault{errc::not_found,
                 "pod " + x.pod() + " has no container " + name + "; it has " + names};
  log_question result;
  result.workload = known->record->slot().uid();
  result.container = name;
  auto newest = said ? said->life() : 0;
  // While the next life waits, the one before it is still the newest that has said anything.
  if (x.life_given()) {
    result.life = x.life();
    result.offset = x.offset();
    return result;
  }
  if (x.previous() && newest == 0)
    return fault{errc::not_found, "container " + name + " of pod " + x.pod()
                                      + " has not ended before: there is no previous life"};
  result.life = x.previous() ? newest - 1 : newest;
  if (x.offset() == 0 && x.tail_lines() >= 0) {
    result.only_the_end = x.tail_lines() == 0;
    result.offset = -std::max<std::int64_t>(1, x.tail_lines());
  } else {
    result.offset = x.offset();
  }
  return result;
}

} // namespace legion::node
