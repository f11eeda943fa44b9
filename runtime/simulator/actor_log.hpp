#pragma once

#include <functional>
#include <string_view>

namespace legion::simulator {

/// What actors log, while it lives: it takes spdlog's default logger, of which a process has one.
///
/// Shape:     lines go to the log that was made last on the thread that logs; several live at once on
///            threads of their own. Levels are spdlog's; less than `least` is dropped.
/// Threading: made and ended on one thread, in reverse order there; `to` is called on the thread that
///            logs.
class actor_log {
public:
  using receiver = std::function<void(int level, std::string_view text)>;

  actor_log(int least, receiver to);
  ~actor_log();
  actor_log(const actor_log&) = delete;
  actor_log& operator=(const actor_log&) = delete;

private:
  friend class actor_log_sink;

  int least_;
  receiver to_;
  actor_log* before_;
};

} // namespace legion::simulator
