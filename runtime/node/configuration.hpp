#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages/fault.hpp"
#include "messages/resource.pb.h"
#include "runtime/node/texts.hpp"

namespace legion::node_process {

/// What the owner of this machine said: flags over LEGION_* environment over the file.
struct configuration {
  std::string file; // --config, if there is one
  std::string data; // folder
  std::string name;
  std::string zone = "local";
  std::string listen = "127.0.0.1:7710";
  std::string api = "127.0.0.1:7711";
  std::vector<std::string> join; // HOST:PORT#PUBLICKEY
  int first_port = 20000;
  int last_port = 20999;
  portion cpu_millis{100, true};
  portion memory_bytes{90, true}; // the rest is the machine's
  int pods = 110;
  std::vector<label> labels;
  std::vector<taint> taints;
  std::string log_level = "info";
  bool drain = false;
  bool accept_loss = false; // of what only a damaged journal held
};

/// What the command line asked for: a node that runs, or a text to print and an exit code.
struct command_line {
  std::optional<configuration> run;
  std::string text;  // help, version, or what is wrong
  int exit_code = 0; // 2: usage
};

/// Reads flags, environment and file.
///
/// Errors: every one names the flag, variable or file:line:column, what was found and what is
///         allowed.
command_line read_command_line(int argc, char** argv);

/// The folder for a node's data: /var/lib/legion as root, else $XDG_STATE_HOME/legion, else
/// ~/.local/state/legion.
std::string default_data_folder();

} // namespace legion::node_process
