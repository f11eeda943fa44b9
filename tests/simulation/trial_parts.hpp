#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/simulator/checkers.hpp"
#include "runtime/simulator/cluster.hpp"
#include "tests/simulation/trial.hpp"

/// What the trials have in common.
namespace legion::simulator {

/// How a trial went: what the checkers found, and what the trial itself did (`more`). Violations are
/// logged, too, so that they are part of the digest.
trial_outcome outcome_of(cluster& what, const checkers& checked, std::vector<violation> more = {});

/// The deployment of a replica's name: all but its last two parts.
std::string deployment_of(const std::string& pod);

/// How many processes run of each deployment; those in `names` are there, be it with none.
template <class Names>
std::map<std::string, std::int64_t> running_in(const cluster& what, const Names& names) {
  std::map<std::string, std::int64_t> result;
  for (const auto& [name, _] : names)
    result[name] = 0;
  for (std::uint32_t i = 0; i < what.size(); ++i)
    for (auto& x : what.node(i).machine->processes())
      if (x.status.state() != "exited")
        ++result[deployment_of(x.status.pod())];
  return result;
}

} // namespace legion::simulator
