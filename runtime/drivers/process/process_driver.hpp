#pragma once

#include <string>

#include "runtime/drivers/driver.hpp"

namespace legion::drivers {

struct process_settings {
  std::string data_folder;
  std::string executable = "/proc/self/exe"; // of which `supervise` starts a supervisor
};

/// The driver behind `runtimeClassName: process`: runs a container's command as a process of this
/// machine, through the data folder's supervisor, which it starts if none is alive.
///
/// The factory fails with the reason if no supervisor answers within 10 s.
factory process_driver(process_settings settings);

} // namespace legion::drivers
