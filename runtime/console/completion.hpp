#pragma once

#include <string>

namespace legion::console {

/// A script that completes commands, kinds and names in bash, zsh or fish; empty for another shell.
std::string completion(const std::string& shell);

} // namespace legion::console
