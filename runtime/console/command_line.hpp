#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "runtime/console/verbs.hpp"

namespace legion::console {

/// All that may be said on a command line.
struct arguments {
  std::string target;
  std::chrono::milliseconds request_timeout{30'000};
  scope where;
  apply_options apply;
  get_options get;
  std::vector<std::string> things;
  std::vector<std::string> files;
  int replicas = -1;
  std::uint64_t resource_version = 0;
  backup_options backup;
  restore_options restore;
  rebuild_options rebuild;
  logs_request logs;
  why_request why;
  std::string node;
  std::string action; // of `charter`
  bool force = false;
  std::string shell;
  std::string duration;
};

/// All commands, their options and their examples, which fill in `into`; it must live as long as
/// `app` does.
void add_commands(CLI::App& app, arguments& into);

} // namespace legion::console
