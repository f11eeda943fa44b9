#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/fault.hpp"

namespace legion::api {

/// HOST:PORT or [HOST]:PORT, taken apart.
struct endpoint {
  std::string host;
  std::uint16_t port = 0;
};

/// Errors: `invalid`, naming what was found and what is allowed.
result<endpoint> parse_endpoint(std::string_view text);

/// Where a client looks for a node, in the order of trying.
struct targets {
  std::vector<std::string> addresses; // a Unix socket's path (it has a '/') or HOST:PORT
  std::string named_by;               // where they come from, for messages: "--target", ...
};

/// What decides the targets, read from the process by whoever calls.
struct target_sources {
  std::string flag;         // --target a,b,c
  std::string environment;  // $LEGION_TARGET
  std::string context_path; // ~/.config/legion/context.yaml
  std::string context_text; // its content; empty: there is none
  std::string data_folder;  // of a node on this machine
};

/// The first source that says something decides; none does: the local socket, then 127.0.0.1:7711.
/// A target that was named is never left for one that was not: it may be another cluster.
/// Errors: `invalid` for a context file that says something else than `target:
///         ADDRESS[,ADDRESS...]`.
result<targets> find_targets(const target_sources& from);

/// The sources as this process has them.
target_sources sources_of_process(std::string flag);

} // namespace legion::api
