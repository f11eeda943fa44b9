#include <doctest/doctest.h>

#include <string>
#include <thread>

#include <spdlog/spdlog.h>

#include "runtime/simulator/actor_log.hpp"

namespace legion::actor_log_test {

namespace {

using namespace legion::simulator;

actor_log::receiver into(std::string& text) {
  return [&](int, std::string_view line) { text += std::string(line) + ";"; };
}

TEST_SUITE("simulator/actor_log") {
  TEST_CASE("each thread's lines go to its own log, from its level on") {
    std::string here, there;
    actor_log mine{spdlog::level::info, into(here)};
    std::jthread([&] {
      spdlog::warn("to nobody");
      actor_log its{spdlog::level::debug, into(there)};
      spdlog::debug("b");
    }).join();
    spdlog::debug("too little");
    spdlog::info("a");
    CHECK(here == "a;");
    CHECK(there == "b;");
  }

  TEST_CASE("one after another: the one before goes on, and in the end the logger is as it was") {
    auto before = spdlog::default_logger();
    std::string outer, inner;
    {
      actor_log one{spdlog::level::info, into(outer)};
      {
        actor_log two{spdlog::level::info, into(inner)};
        spdlog::info("b");
      }
      spdlog::info("a");
      CHECK(spdlog::default_logger() != before);
    }
    CHECK(outer == "a;");
    CHECK(inner == "b;");
    CHECK(spdlog::default_logger() == before);
  }
}

} // namespace

} // namespace legion::actor_log_test
