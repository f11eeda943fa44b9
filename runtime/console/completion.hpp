#pragma once

#include <string>
#include <vector>

namespace legion::console {

struct flag_words {
  std::string name;   // "output"; may be empty
  std::string letter; // "o"; may be empty
  bool takes_value = false;
  std::string about;
};

/// A command and its flags, those of every command included.
struct verb_words {
  std::string verb;
  std::vector<flag_words> flags;
  std::vector<std::string> words; // what may follow it, where these are fixed
};

/// A script that completes commands, flags, kinds and names in bash, zsh or fish; empty for another
/// shell. Names are asked of the node that the line names, or would be.
std::string completion(const std::string& shell, const std::vector<verb_words>& verbs);

} // namespace legion::console
