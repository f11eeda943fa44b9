#pragma once

#include <optional>
#include <string>

#include "messages/fault.hpp"
#include "messages/supervision.pb.h"
#include "runtime/drivers/process/process_driver.hpp"
#include "runtime/drivers/supervisor/frame.hpp"

namespace legion::drivers {

/// A connection to the data folder's supervisor, if one lives.
std::optional<int> connect_supervisor(const std::string& data_folder);

/// Starts a supervisor in a session of its own and waits until it is ready, at most 10 s. One that
/// another process has started meanwhile is as good.
result<void> start_supervisor(const process_settings& settings);

/// How a connection begins: what there is, and what has arrived behind it.
struct greeting {
  process_list known;
  frame_reader rest;
};

/// Asks for the list and waits for it, at most 10 s.
result<greeting> greet_supervisor(int socket);

} // namespace legion::drivers
