#pragma once

namespace legion::simulator {

/// `legionctl simulate -f FILE --nodes N --seed S [--faults FILE] [-o json]`; argv[0] is
/// "simulate". Answers the exit code: 0 all replicas were ready in the end, 1 refused, 2 usage, 4
/// they were not.
int simulate(int argc, char** argv);

} // namespace legion::simulator
