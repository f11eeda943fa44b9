#pragma once

#include <functional>
#include <istream>
#include <ostream>

#include "messages/time.hpp"

namespace legion::console {

/// Where the client reads and writes; strings in tests.
struct terminal {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool out_is_tty = false;
  bool err_is_tty = false;
  std::function<wall_ms()> now;
  std::function<bool()> is_unread = {}; // nobody reads `out` any more; empty: it can't be known
};

enum exit_code {
  exit_done = 0,
  exit_refused = 1,
  exit_usage = 2,
  exit_unreachable = 3,
  exit_unknown = 4, // timed out: whether it was done is unknown
};

} // namespace legion::console
