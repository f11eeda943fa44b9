#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <asio/io_context.hpp>

#include "runtime/drivers/driver.hpp"

namespace legion::drivers {

/// Whether the first line of an HTTP answer passes a probe: status 200 to 399.
probe_outcome judge_status_line(std::string_view line);

/// One try of a probe on the context's thread: opens a connection, and for HTTP reads the status
/// line. Calls `done` once, at the latest when the target's time is up.
void try_probe(asio::io_context& context, const probe_target& where,
               std::function<void(probe_outcome)> done);

} // namespace legion::drivers
