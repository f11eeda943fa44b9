#include "runtime/simulator/actor_log.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

namespace legion::simulator {

namespace {

/// To whom this thread logs.
thread_local actor_log* listener = nullptr;

/// What all logs hold in common: the first takes the default logger, the last gives it back.
struct common_logger {
  std::mutex lock;
  int users = 0;
  std::shared_ptr<spdlog::logger> before;
};

common_logger& common() {
  static common_logger result;
  return result;
}

} // namespace

/// Hands a line to who listens on this thread; virtual time replaces the real one.
class actor_log_sink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
protected:
  void sink_it_(const spdlog::details::log_msg& x) override {
    if (listener && x.level >= listener->least_)
      listener->to_(x.level, {x.payload.data(), x.payload.size()});
  }
  void flush_() override {}
};

actor_log::actor_log(int least, receiver to)
    : least_(least), to_(std::move(to)), before_(std::exchange(listener, this)) {
  auto& all = common();
  std::lock_guard guard{all.lock};
  if (all.users++ == 0) {
    all.before = spdlog::default_logger();
    auto logger =
        std::make_shared<spdlog::logger>("simulation", std::make_shared<actor_log_sink>());
    logger->set_level(static_cast<spdlog::level::level_enum>(least));
    spdlog::set_default_logger(std::move(logger));
    return;
  }
  auto* logger = spdlog::default_logger_raw();
  logger->set_level(std::min(logger->level(), static_cast<spdlog::level::level_enum>(least)));
}

actor_log::~actor_log() {
  listener = before_;
  auto& all = common();
  std::lock_guard guard{all.lock};
  if (--all.users == 0)
    spdlog::set_default_logger(std::exchange(all.before, nullptr));
}

} // namespace legion::simulator
