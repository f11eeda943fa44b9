#pragma once

#include <string>
#include <vector>

#include "runtime/console/terminal.hpp"

namespace legion::console {

/// `legionctl simulate` and what follows it: a whole program of its own, given in by main.
using simulate_function = int (*)(int argc, char** argv);

/// Runs one command. `arguments` without the program's name.
int run(const std::vector<std::string>& arguments, terminal& with);

} // namespace legion::console

namespace legion {

/// The client's main: kubectl's verbs and Legion's own. Without `simulate` that verb is unknown.
int legionctl(int argc, char** argv, console::simulate_function simulate = nullptr);

} // namespace legion
