#pragma once

#include "runtime/node/configuration.hpp"

namespace legion::node_process {

/// In the data folder: what a drain could not hand over, for who asked for it.
inline constexpr const char* drain_note = "drained.note";
/// There while a drain is under way. Taken away at its end: on a full disk, too, that can be done.
inline constexpr const char* drain_mark = "draining";

/// Not an exit code: the node begins again, with the same words, in a program that is loaded anew.
inline constexpr int run_again = -1;

/// Runs a node until it is told to stop, and returns the process's exit code, or `run_again`.
///
/// SIGTERM and SIGINT stop the node and leave its workloads running; SIGUSR1 drains it first. What
/// goes wrong at the start is printed in one line, with the cure: exit code 1.
int run_node(const configuration& settings);

/// Ends the workloads of a data folder, through its node or, if that is not alive, through its
/// supervisor; then the node. Returns the process's exit code.
int drain_node(const configuration& settings);

} // namespace legion::node_process
