#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace legion::console {

/// "there is no flag '--outptu', did you mean '--output'?"; empty if all flags in `words` are known
/// to the program or to the command among them. Looks at long flags, before a "--".
std::string strange_flag(const CLI::App& program, const std::vector<std::string>& words);

} // namespace legion::console
