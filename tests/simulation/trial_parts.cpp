#include "tests/simulation/trial_parts.hpp"

namespace legion::simulator {

std::string deployment_of(const std::string& pod) {
  auto end = pod.rfind('-');
  if (end == pod.npos || end == 0)
    return pod;
  auto middle = pod.rfind('-', end - 1);
  return middle == pod.npos ? pod : pod.substr(0, middle);
}

trial_outcome outcome_of(cluster& what, const checkers& checked, std::vector<violation> more) {
  trial_outcome result;
  result.violations = checked.found();
  result.violations.insert(result.violations.end(), more.begin(), more.end());
  result.errors = what.errors();
  for (auto& x : result.violations)
    what.log().add(x.time, "", "violation " + x.checker + ": " + x.what);
  result.digest = what.log().digest();
  result.lines = what.log().lines();
  result.steps = what.system().steps();
  result.took = what.now();
  result.traffic = what.network().counts();
  return result;
}

} // namespace legion::simulator
