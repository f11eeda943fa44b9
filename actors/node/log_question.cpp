#include "actors/node/log_question.hpp"

#include <algorithm>
#include <optional>

namespace legion::node {

namespace {

/// Who goes on reading means that pod, and none of its name.
bool is_meant(const logs_request& x, const std::string& uid) {
  return x.workload().empty() || x.workload() == uid;
}

/// The pod as it is, or as it was last.
std::optional<gone_pod> pod_meant(const logs_request& x, const commitments& promises,
                                  const departed& gone) {
  if (const auto* known = promises.find_pod(x.namespace_(), x.pod());
      known && is_meant(x, known->record->slot().uid()))
    return last_seen(*known);
  if (const auto* was = gone_pod_meant(x, gone))
    return *was;
  return std::nullopt;
}

} // namespace

const gone_pod* gone_pod_meant(const logs_request& x, const departed& gone) {
  const auto* was = gone.find(x.namespace_(), x.pod());
  return was && is_meant(x, was->uid()) ? was : nullptr;
}

result<log_question> log_question_of(const logs_request& x, const commitments& promises,
                                     const departed& gone, const std::string& node_name) {
  auto pod = pod_meant(x, promises, gone);
  if (!pod)
    return fault{errc::not_found, "pod " + x.pod() + " is not on " + node_name};
  if (pod->containers().empty())
    return fault{errc::not_found, "pod " + x.pod() + " has no container"};
  auto name = x.container().empty() ? pod->containers(0).name() : x.container();
  std::string names;
  const gone_container* said = nullptr;
  for (const auto& y : pod->containers()) {
    names += (names.empty() ? "" : ", ") + y.name();
    if (y.name() == name)
      said = &y;
  }
  if (!said)
    return fault{errc::not_found,
                 "pod " + x.pod() + " has no container " + name + "; it has " + names};
  log_question result;
  result.workload = pod->uid();
  result.container = name;
  auto newest = said->life();
  // While the next life waits, the one before it is still the newest that has said anything.
  if (x.life_given()) {
    result.life = x.life();
    result.offset = x.offset();
    return result;
  }
  if (x.previous() && newest == 0)
    return fault{errc::not_found, "container " + name + " of pod " + x.pod()
                                      + " has had one life only: its output is shown without "
                                        "--previous"};
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
