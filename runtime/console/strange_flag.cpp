#include "runtime/console/strange_flag.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

void add_flags_of(const CLI::App& app, std::vector<std::string>& to) {
  for (const auto* x : app.get_options())
    for (const auto& name : x->get_lnames())
      to.push_back("--" + name);
}

} // namespace

std::string strange_flag(const CLI::App& program, const std::vector<std::string>& words) {
  std::vector<std::string> known;
  add_flags_of(program, known);
  for (const auto* x : program.get_subcommands([](const CLI::App*) { return true; }))
    if (std::find(words.begin(), words.end(), x->get_name()) != words.end())
      add_flags_of(*x, known);
  for (const auto& word : words) {
    if (word == "--")
      break;
    auto flag = word.substr(0, word.find('='));
    if (flag.starts_with("--") && std::find(known.begin(), known.end(), flag) == known.end())
      return "there is no flag '" + plain(flag) + "'" + did_you_mean(flag, known);
  }
  return {};
}

} // namespace legion::console
