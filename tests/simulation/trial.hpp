#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "runtime/simulator/checkers.hpp"
#include "runtime/simulator/cluster.hpp"

namespace legion::simulator {

/// A fault that a checker must catch: each breaks one invariant on purpose.
enum class sabotage {
  none,
  double_booking,   // a node says that it has three times what it has: capacity
  second_accept,    // an accept also reaches a node that lost, as if it had won: order
  swallowed_accept, // accepts never reach another node: accepts
  silent_kill,      // a workload ends and nobody is told: replicas
  deaf_member,      // one node hears no membership message any more: members
  lost_answers,     // for 5 s no keeper hears what became of its accepts: with a broken rule, slots
  stale_orders,     // every order comes again, older than it was: with a broken rule, order
  late_copies,      // changes come again after later ones: with a broken rule, acknowledged
  forged_roster,    // what followers hear of the roster is changed on its way: roster
  undone_change,    // what was acknowledged is changed again behind everybody's back: acknowledged
};

const char* to_string(sabotage x);

struct trial_options {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 5;
  std::chrono::seconds trouble{30}; // virtual time of faults; 0: none
  std::uint32_t incidents = 6;
  std::uint32_t blackouts = 0;  // besides: all nodes are killed at once
  std::uint32_t old_copies = 0; // besides: a disk is replaced by an earlier copy of it
  std::chrono::seconds away{
      0}; // so long one node is stopped, and another one's process does not run
  std::chrono::seconds settling{120}; // how long it may take until all is as wanted again
  simulator::sabotage sabotage = sabotage::none;
  broken_rule broken{}; // in all nodes
  bool debug = false;
  event_log::writer log;
};

struct trial_outcome {
  std::vector<violation> violations;
  std::vector<std::string> errors; // what actors logged at level error
  std::uint64_t digest = 0;        // of the event log and of every frame
  std::uint64_t lines = 0;
  std::uint64_t steps = 0;
  std::chrono::microseconds took{0}; // virtual
  std::uint64_t accepts = 0;
  std::uint64_t promises = 0;
  std::uint64_t holds = 0;
  transport::simulated::traffic traffic;

  bool good() const { return violations.empty() && errors.empty(); }
};

/// One cluster's life, decided by a seed: it forms, runs deployments that are scaled and replaced,
/// goes through faults, and must be as wanted once they have stopped. Checkers watch all the time.
trial_outcome run_trial(const trial_options& options);

/// The one command that replays it.
std::string command_of(const trial_options& options);

} // namespace legion::simulator
